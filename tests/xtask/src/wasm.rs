//! The wasm modules: built for release, checked, and weighed.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use wasmparser::{Parser, Payload, Validator};

use crate::failure::Failure;
use crate::inspector;
use crate::run::Runner;
use crate::tools::wasm_target::{TARGET, Toolchain};
use crate::workspace::Workspace;

/// A module.
pub struct WasmModule {
    /// What it is called.
    pub name: &'static str,
    /// The package whose library it is.
    pub package: &'static str,
    /// The package's features.
    pub features: &'static str,
    /// Cargo's profile.
    pub profile: &'static str,
}

/// The decision, without conditions, names and validations in CEL.
pub const CORE: WasmModule = WasmModule {
    name: "core",
    package: "ack-ram-core-wasm",
    features: "",
    profile: "wasm",
};
/// The whole decision.
pub const CORE_WITH_CEL: WasmModule = WasmModule {
    name: "core-with-cel",
    package: "ack-ram-core-wasm",
    features: "cel",
    profile: "wasm",
};

impl WasmModule {
    /// Where [`build_all`] leaves it: cargo's own file is the one that was built last from the package.
    pub fn path(&self, workspace: &Workspace) -> PathBuf {
        self.folder(workspace).join(format!("{}.wasm", self.name))
    }

    /// Builds it, and gives where it is.
    pub fn build(
        &self,
        workspace: &Workspace,
        runner: &Runner,
        toolchain: Toolchain,
    ) -> Result<PathBuf, Failure> {
        let Self {
            name,
            package,
            features,
            profile,
        } = self;
        let mut build = toolchain.build_command();
        build.args([
            "--profile",
            profile,
            "--package",
            package,
            "--no-default-features",
            "--features",
            features,
        ]);
        runner.run(&format!("build {name}.wasm"), build)?;
        let file = format!("{}.wasm", package.replace('-', "_"));
        let path = self.path(workspace);
        fs::copy(self.folder(workspace).join(file), &path)
            .map_err(Failure::io(path.display().to_string()))?;
        Ok(path)
    }

    /// Where cargo leaves it.
    fn folder(&self, workspace: &Workspace) -> PathBuf {
        workspace.target.join(TARGET).join(self.profile)
    }
}

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
    for module in [CORE, CORE_WITH_CEL] {
        let name = module.name;
        let path = module.build(workspace, runner, toolchain)?;
        let bytes = fs::read(&path).map_err(Failure::io(path.display().to_string()))?;
        check(name, &bytes)?;
        let sent = gzip(&bytes).map_err(Failure::io("gzip"))?.len();
        eprintln!("      {name}.wasm: {} bytes, {sent} with gzip", bytes.len());
    }
    inspector::build(workspace, runner, toolchain)
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

/// `bytes` as small as gzip makes them.
pub fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
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
