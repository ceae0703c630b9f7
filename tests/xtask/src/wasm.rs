//! The wasm modules: built for release, checked, and weighed.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use wasmparser::{Parser, Payload, Validator};

use crate::failure::Failure;
use crate::run::Runner;
use crate::tools::wasm_target::{TARGET, Toolchain};
use crate::workspace::Workspace;

const PROFILE: &str = "wasm";

/// A package whose library becomes a module that may import nothing.
const MODULES: [&str; 1] = ["ack-ram-core-wasm"];

/// Builds every module with `toolchain`, or else the first that works, and prints their sizes.
pub fn build_all(
    workspace: &Workspace,
    runner: &Runner,
    toolchain: Option<Toolchain>,
) -> Result<(), Failure> {
    let toolchain = match toolchain {
        Some(chosen) => chosen.prepare(runner)?,
        None => Toolchain::find(runner)?,
    };
    for package in MODULES {
        let mut build = toolchain.build_command();
        build.args(["--profile", PROFILE, "--package", package]);
        runner.run(&format!("build {package}"), build)?;

        let file = format!("{}.wasm", package.replace('-', "_"));
        let path = workspace.target.join(TARGET).join(PROFILE).join(file);
        let module = fs::read(&path).map_err(Failure::io(path.display().to_string()))?;
        check(package, &module)?;
        let gzip = gzip_size(&module).map_err(Failure::io("gzip"))?;
        eprintln!("      {package}: {} bytes, {gzip} with gzip", module.len());
    }
    Ok(())
}

fn check(package: &str, module: &[u8]) -> Result<(), Failure> {
    let invalid = |error| Failure::Check(format!("{package}: {error}"));
    Validator::new().validate_all(module).map_err(invalid)?;
    let imports = imports(module).map_err(invalid)?;
    if imports.is_empty() {
        return Ok(());
    }
    let names = imports.join("`, `");
    Err(Failure::Check(format!(
        "{package} imports `{names}`; a host need not have any of it"
    )))
}

fn imports(module: &[u8]) -> wasmparser::Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                names.push(format!("{}.{}", import.module, import.name));
            }
        }
    }
    Ok(names)
}

fn gzip_size(module: &[u8]) -> std::io::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(module)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::check;

    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[track_caller]
    fn check_module(sections: &[u8], expected: Option<&str>) {
        let module = [EMPTY, sections].concat();
        let failure = check("a-module", &module)
            .err()
            .map(|failure| failure.to_string());
        match (expected, &failure) {
            (None, None) => {}
            (Some(part), Some(text)) if text.contains(part) => {}
            _ => panic!("expected {expected:?}, got {failure:?}"),
        }
    }

    #[test]
    fn a_module_may_import_nothing() {
        check_module(b"", None);
        // Type section: one function without arguments; import section: `env.now` of that type.
        let imports = b"\x01\x04\x01\x60\0\0\x02\x0b\x01\x03env\x03now\0\0";
        check_module(imports, Some("imports `env.now`"));
        check_module(b"\x01\x04\x01", Some("unexpected end"));
    }
}
