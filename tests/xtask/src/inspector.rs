//! The build of the token inspector's page: its modules, each as a classic script, and its static files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmparser::{ExternalKind, Parser, Payload};

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::tools::wasm_target::Toolchain;
use crate::wasm::{self, WasmModule};
use crate::workspace::Workspace;

/// The module that the page loads first.
const DECODE: PageModule = PageModule {
    module: WasmModule {
        name: "inspector",
        package: "ack-ram-inspector",
        features: "",
        profile: "wasm-page",
    },
    script: "decode",
    exports: &["inspect", "sign"],
};

/// The module that the page loads when the user opens the playground.
const RULES: PageModule = PageModule {
    module: WasmModule {
        name: "inspector-rules",
        package: "ack-ram-inspector",
        features: "rules",
        profile: "wasm-page",
    },
    script: "rules",
    exports: &["run_playground"],
};
/// The script of the playground, which the page also loads later.
const PLAYGROUND: &str = "playground.js";

/// A module, and the script that is built from it.
struct PageModule {
    module: WasmModule,
    /// The name of the script and of its global.
    script: &'static str,
    /// All functions that the module exports.
    exports: &'static [&'static str],
}

/// Returns the folder of the page.
pub fn dist(workspace: &Workspace) -> PathBuf {
    workspace.root.join("wasm/inspector/dist")
}

/// Builds the page into [`dist`], and prints its sizes.
pub fn build(workspace: &Workspace, runner: &Runner, toolchain: Toolchain) -> Result<(), Failure> {
    let dist = dist(workspace);
    let page = workspace.root.join("wasm/inspector/page");
    let mut bindgen = cargo(&["build", "--package", "xtask", "--features", "bindgen"]);
    bindgen.args(["--bin", "bindgen"]);
    runner.run("build bindgen", bindgen)?;

    let at = |path: &Path| Failure::io(path.display().to_string());
    let scratch = tempfile::tempdir_in(runner.folder()).map_err(Failure::io("scratch"))?;
    let built = scratch.path().join("dist");
    fs::create_dir(&built).map_err(at(&built))?;
    let (mut first_view, mut later) = (0, 0);
    for entry in fs::read_dir(&page).map_err(at(&page))? {
        let path = entry.map_err(at(&page))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let content = fs::read(&path).map_err(at(&path))?;
        let sent = wasm::gzip(&content).map_err(Failure::io("gzip"))?.len();
        *if name == PLAYGROUND {
            &mut later
        } else {
            &mut first_view
        } += sent;
        fs::write(built.join(name), content).map_err(at(&path))?;
    }
    for (part, size) in [(DECODE, &mut first_view), (RULES, &mut later)] {
        let script = part.script(workspace, runner, toolchain, scratch.path())?;
        let sent = wasm::gzip(script.as_bytes())
            .map_err(Failure::io("gzip"))?
            .len();
        eprintln!(
            "      {}.js: {} bytes, {sent} with gzip",
            part.script,
            script.len()
        );
        *size += sent;
        let path = built.join(format!("{}.js", part.script));
        fs::write(&path, script).map_err(at(&path))?;
    }
    eprintln!(
        "      the page: {first_view} bytes with gzip for the first view, {later} for the playground"
    );
    replace(&dist, &built)
}

impl PageModule {
    /// Builds the module, and returns it as a script. The script fetches nothing, because a page on `file://` may not.
    fn script(
        &self,
        workspace: &Workspace,
        runner: &Runner,
        toolchain: Toolchain,
        scratch: &Path,
    ) -> Result<String, Failure> {
        let name = self.script;
        let module = self.module.build(workspace, runner, toolchain)?;
        let mut bind = std::process::Command::new(workspace.target.join("debug/bindgen"));
        bind.arg(module).arg(scratch).arg(name);
        runner.run(&format!("bind {name}"), bind)?;
        let read = |file: String| {
            let path = scratch.join(file);
            fs::read(&path).map_err(Failure::io(path.display().to_string()))
        };
        let glue = String::from_utf8_lossy(&read(format!("{name}.js"))?).into_owned();
        let module = read(format!("{name}_bg.wasm"))?;
        check(name, &module, self.exports)?;
        // The module is compressed first, because base64 compresses badly.
        let module = STANDARD.encode(read(format!("{name}_bg.wasm.gz"))?);
        Ok(format!(
            "\"use strict\";\nself.inspectorModules = self.inspectorModules ?? {{}};\nself.inspectorModules.{name} = {{\n  gzip: \"{module}\",\n  bind() {{\n{glue}\n    return {name};\n  }},\n}};\n"
        ))
    }
}

/// Checks that the module exports exactly these functions, and imports only functions of wasm-bindgen.
fn check(name: &str, module: &[u8], functions: &[&str]) -> Result<(), Failure> {
    let invalid = |error| Failure::Check(format!("{name}: {error}"));
    let mut exported = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(invalid)? {
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(invalid)?;
                    if export.kind == ExternalKind::Func && !export.name.starts_with("__wbindgen_")
                    {
                        exported.insert(export.name.to_owned());
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(invalid)?;
                    if !import.name.starts_with("__wbindgen_") {
                        return Err(Failure::Check(format!(
                            "{name} imports `{}`; pass the value as an argument instead",
                            import.name
                        )));
                    }
                }
            }
            _ => {}
        }
    }
    let expected: BTreeSet<String> = functions.iter().map(|&name| name.to_owned()).collect();
    if exported == expected {
        Ok(())
    } else {
        Err(Failure::Check(format!(
            "{name}: expected the exports {expected:?}, found {exported:?}"
        )))
    }
}

/// Replaces the files in `dist` with those in `built`. Keeps `.gitignore`, which keeps the folder in the repository.
fn replace(dist: &Path, built: &Path) -> Result<(), Failure> {
    let at = |path: &Path| Failure::io(path.display().to_string());
    fs::create_dir_all(dist).map_err(at(dist))?;
    for entry in fs::read_dir(dist).map_err(at(dist))? {
        let path = entry.map_err(at(dist))?.path();
        if path.file_name().is_some_and(|name| name != ".gitignore") {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    for entry in fs::read_dir(built).map_err(at(built))? {
        let path = entry.map_err(at(built))?.path();
        if let Some(name) = path.file_name() {
            fs::copy(&path, dist.join(name)).map_err(at(&path))?;
        }
    }
    Ok(())
}
