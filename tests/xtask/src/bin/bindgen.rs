//! The post-processing of wasm-bindgen, which `cargo xtask wasm` runs.
//!
//! `bindgen MODULE FOLDER NAME` writes three files: `NAME.js`, a classic script that defines the global `NAME`;
//! `NAME_bg.wasm`, the module; and `NAME_bg.wasm.gz`, the module with the best gzip compression.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;
use zopfli::{Format, Options};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, folder, name] = arguments.as_slice() else {
        eprintln!("usage: bindgen MODULE FOLDER NAME");
        return ExitCode::from(2);
    };
    match bind(module, folder, name).and_then(|()| pack(folder, name)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {module}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bind(module: &str, folder: &str, name: &str) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .out_name(name)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The page passes the module to the script, which must not fetch anything.
        .omit_default_module_path(true);
    bindgen
        .no_modules(true)
        .and_then(|bindgen| bindgen.no_modules_global(name))
        .and_then(|bindgen| bindgen.generate(folder))
        .map_err(|error| format!("{error:#}"))
}

fn pack(folder: &str, name: &str) -> Result<(), String> {
    let module = Path::new(folder).join(format!("{name}_bg.wasm"));
    let bytes = fs::read(&module).map_err(|error| error.to_string())?;
    let packed =
        File::create(module.with_extension("wasm.gz")).map_err(|error| error.to_string())?;
    zopfli::compress(Options::default(), Format::Gzip, bytes.as_slice(), packed)
        .map_err(|error| error.to_string())
}
