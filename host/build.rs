//! Includes the page of the token inspector in the program, if `cargo xtask wasm` has built it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder of the page. The folder is in the repository, since a missing path would make Cargo run this script in
/// every build.
const DIST: &str = "../wasm/inspector/dist";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DIST}");
    println!("cargo::rerun-if-changed=build.rs");
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut files = match fs::read_dir(manifest.join(DIST)) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    files.sort();
    let mut code = "&[".to_owned();
    for file in files {
        if let Some((name, kind)) = served(&file) {
            let file = file.canonicalize()?;
            // Writing to a `String` never fails.
            let _ = write!(code, "({name:?}, {kind:?}, include_bytes!({file:?})),");
        }
    }
    code.push(']');
    fs::write(Path::new(&variable("OUT_DIR")?).join("inspector.rs"), code)
}

/// Returns the name and the media type of a file of the page; `None` for other files.
fn served(file: &Path) -> Option<(&str, &'static str)> {
    let kind = match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    Some((file.file_name()?.to_str()?, kind))
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}
