//! The token inspector's page: its modules, each as a classic script, and the files that are as they are written.

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

/// What the page loads at once.
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

/// What it loads when somebody opens the playground.
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
/// The rest of the playground.
const PLAYGROUND: &str = "playground.js";

/// A module, and the script that it becomes.
struct PageModule {
    module: WasmModule,
    /// The script's name, and that of the global in it.
    script: &'static str,
    /// The functions of the module, all of them.
    exports: &'static [&'static str],
}

/// Where the page is.
pub fn dist(workspace: &Workspace) -> PathBuf {
    workspace.root.join("wasm/inspector/dist")
}

/// Builds the page into [`dist`], and prints how much of it is sent at first.
pub fn build(workspace: &Workspace, runner: &Runner, toolchain: Toolchain) -> Result<(), Failure> {
    let dist = dist(workspace);
    let page = workspace.root.join("wasm/inspector/page");
    let mut bindgen = cargo(&["build", "--package", "xtask", "--features", "bindgen"]);
    bindgen.args(["--bin", "bindgen"]);
    runner.run("build bindgen", bindgen)?;

    let at = |path: &Path| Failure::io(path.display().to_string());
    let scratch = tempfile::tempdir_in(runner.folder()).map_err(Failure::io("scratch"))?;
    let made = scratch.path().join("dist");
    fs::create_dir(&made).map_err(at(&made))?;
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
        fs::write(made.join(name), content).map_err(at(&path))?;
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
        let path = made.join(format!("{}.js", part.script));
        fs::write(&path, script).map_err(at(&path))?;
    }
    eprintln!("      the page: {first_view} bytes with gzip at first, {later} for the playground");
    replace(&dist, &made)
}

impl PageModule {
    /// Builds the module, and gives it as a script that fetches nothing: a page on `file://` may not.
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
        // Compressed before it is base64, which compresses badly.
        let module = STANDARD.encode(read(format!("{name}_bg.wasm.gz"))?);
        Ok(format!(
            "\"use strict\";\nself.inspectorModules = self.inspectorModules ?? {{}};\nself.inspectorModules.{name} = {{\n  gzip: \"{module}\",\n  bind() {{\n{glue}\n    return {name};\n  }},\n}};\n"
        ))
    }
}

/// The module gives the page these functions and no more, and takes nothing but what wasm-bindgen needs.
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
                            "{name} imports `{}`; all that it needs is in its arguments",
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
            "{name} exports {exported:?}, not {expected:?}"
        )))
    }
}

/// Puts the files of `made` in place of those in `dist`, but for the one that keeps the folder in the repository.
fn replace(dist: &Path, made: &Path) -> Result<(), Failure> {
    let at = |path: &Path| Failure::io(path.display().to_string());
    fs::create_dir_all(dist).map_err(at(dist))?;
    for entry in fs::read_dir(dist).map_err(at(dist))? {
        let path = entry.map_err(at(dist))?.path();
        if path.file_name().is_some_and(|name| name != ".gitignore") {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    for entry in fs::read_dir(made).map_err(at(made))? {
        let path = entry.map_err(at(made))?.path();
        if let Some(name) = path.file_name() {
            fs::copy(&path, dist.join(name)).map_err(at(&path))?;
        }
    }
    Ok(())
}
