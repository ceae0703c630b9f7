//! `cargo xtask wasm`: release builds of the WebAssembly modules, with checks of imports and reports of sizes.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use wasmparser::{Parser, Payload, Validator};

use crate::failure::Failure;
use crate::inspector;
use crate::run::Runner;
use crate::tools::binaryen;
use crate::tools::wasm_target::{Std, TARGET, Toolchain};
use crate::workspace::Workspace;

/// A WebAssembly module.
pub struct WasmModule {
    /// The name of the file, without its extension.
    pub name: &'static str,
    /// The package whose library is the module.
    pub package: &'static str,
    /// The features of the package.
    pub features: &'static str,
    /// The profile of cargo.
    pub profile: &'static str,
}

/// The decision, without conditions, names and validations in CEL.
pub const CORE: WasmModule = WasmModule {
    name: "core",
    package: "ack-ram-core-wasm",
    features: "",
    profile: "wasm",
};
/// The complete decision.
pub const CORE_WITH_CEL: WasmModule = WasmModule {
    name: "core-with-cel",
    package: "ack-ram-core-wasm",
    features: "cel",
    profile: "wasm",
};
/// The filter for Envoy, without conditions, names and validations in CEL.
pub const ENVOY: WasmModule = WasmModule {
    name: "ack-ram-envoy",
    package: "ack-ram-envoy",
    features: "",
    profile: "wasm-filter",
};
/// The complete filter for Envoy.
pub const ENVOY_WITH_CEL: WasmModule = WasmModule {
    name: "ack-ram-envoy-with-cel",
    features: "cel",
    ..ENVOY
};
/// The filter for tests, which traps when a request asks for a trap.
pub const ENVOY_WITH_TRAPS: WasmModule = WasmModule {
    name: "ack-ram-envoy-with-traps",
    features: "traps",
    ..ENVOY
};

/// The functions of a proxy-wasm host (proxy-wasm ABI 0.2.1) that the SDK uses.
const PROXY_WASM: [&str; 35] = [
    "env.proxy_add_header_map_value",
    "env.proxy_call_foreign_function",
    "env.proxy_close_stream",
    "env.proxy_continue_stream",
    "env.proxy_define_metric",
    "env.proxy_dequeue_shared_queue",
    "env.proxy_done",
    "env.proxy_enqueue_shared_queue",
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_current_time_nanoseconds",
    "env.proxy_get_header_map_pairs",
    "env.proxy_get_header_map_value",
    "env.proxy_get_property",
    "env.proxy_get_shared_data",
    "env.proxy_get_status",
    "env.proxy_grpc_call",
    "env.proxy_grpc_cancel",
    "env.proxy_grpc_close",
    "env.proxy_grpc_send",
    "env.proxy_grpc_stream",
    "env.proxy_http_call",
    "env.proxy_increment_metric",
    "env.proxy_log",
    "env.proxy_record_metric",
    "env.proxy_register_shared_queue",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_resolve_shared_queue",
    "env.proxy_send_local_response",
    "env.proxy_set_buffer_bytes",
    "env.proxy_set_effective_context",
    "env.proxy_set_header_map_pairs",
    "env.proxy_set_property",
    "env.proxy_set_shared_data",
    "env.proxy_set_tick_period_milliseconds",
];

impl WasmModule {
    /// Returns the path of the module after [`build_all`]. Cargo's own file is that of the last build of the package.
    pub fn path(&self, workspace: &Workspace) -> PathBuf {
        self.folder(workspace).join(format!("{}.wasm", self.name))
    }

    /// Builds the module, and returns its path.
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
        let is_filter = *profile == ENVOY.profile;
        let is_fast = *profile == CORE.profile;
        let mut build = toolchain.build_command(if is_fast { Std::Fast } else { Std::Small });
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
        let built = self.folder(workspace).join(file);
        let path = self.path(workspace);
        if is_filter {
            let mut shrink = binaryen::wasm_opt(runner)?;
            // The second pass saves another kilobyte.
            shrink.args(["-Oz", "--strip-debug", "--strip-producers"]);
            shrink.args(["--converge", "-Oz", "--output"]);
            shrink.arg(&path).arg(&built);
            runner.run(&format!("shrink {name}.wasm"), shrink)?;
        } else {
            fs::copy(&built, &path).map_err(Failure::io(path.display().to_string()))?;
        }
        Ok(path)
    }

    /// Builds the module, checks that its host provides all imports, and returns the module.
    fn build_and_check(
        &self,
        workspace: &Workspace,
        runner: &Runner,
        toolchain: Toolchain,
    ) -> Result<Vec<u8>, Failure> {
        let path = self.build(workspace, runner, toolchain)?;
        let bytes = fs::read(&path).map_err(Failure::io(path.display().to_string()))?;
        let is_filter = self.package == ENVOY.package;
        let imports = if is_filter { &PROXY_WASM[..] } else { &[] };
        check(self.name, &bytes, imports)?;
        Ok(bytes)
    }

    /// Returns the folder of cargo's output.
    fn folder(&self, workspace: &Workspace) -> PathBuf {
        workspace.target.join(TARGET).join(self.profile)
    }
}

/// Builds every module with `toolchain`, which defaults to the first that works, and prints the sizes.
pub fn build_all(
    workspace: &Workspace,
    runner: &Runner,
    toolchain: Option<Toolchain>,
) -> Result<(), Failure> {
    let toolchain = match toolchain {
        Some(chosen) => chosen.prepare(runner)?,
        None => Toolchain::find(runner)?,
    };
    for module in [CORE, CORE_WITH_CEL, ENVOY, ENVOY_WITH_CEL] {
        let name = module.name;
        let bytes = module.build_and_check(workspace, runner, toolchain)?;
        let sent = gzip(&bytes).map_err(Failure::io("gzip"))?.len();
        eprintln!("      {name}.wasm: {} bytes, {sent} with gzip", bytes.len());
    }
    inspector::build(workspace, runner, toolchain)
}

/// Builds the modules of the filter for tests, including the one that only tests use.
pub fn build_for_tests(workspace: &Workspace, runner: &Runner) -> Result<(), Failure> {
    let toolchain = Toolchain::find(runner)?;
    for module in [ENVOY, ENVOY_WITH_CEL, ENVOY_WITH_TRAPS] {
        module.build_and_check(workspace, runner, toolchain)?;
    }
    Ok(())
}

/// Sets the variables with the paths of the filter's modules for `command`.
pub fn set_filter_variables(command: &mut Command, workspace: &Workspace) {
    for (variable, module) in [
        ("ACK_RAM_ENVOY_WASM", ENVOY_WITH_CEL),
        ("ACK_RAM_ENVOY_WASM_WITHOUT_CEL", ENVOY),
        ("ACK_RAM_ENVOY_WASM_WITH_TRAPS", ENVOY_WITH_TRAPS),
    ] {
        command.env(variable, module.path(workspace));
    }
}

fn check(package: &str, module: &[u8], allowed: &[&str]) -> Result<(), Failure> {
    let invalid = |error| Failure::Check(format!("{package}: {error}"));
    Validator::new().validate_all(module).map_err(invalid)?;
    let mut imports = imports(module).map_err(invalid)?;
    imports.retain(|import| !allowed.contains(&import.as_str()));
    if imports.is_empty() {
        return Ok(());
    }
    let names = imports.join("`, `");
    Err(Failure::Check(format!(
        "{package} imports `{names}`, which a host may not provide"
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

/// Compresses `bytes` with the best gzip compression.
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
    fn check_module(sections: &[u8], allowed: &[&str], expected: Option<&str>) {
        let module = [EMPTY, sections].concat();
        let failure = check("a-module", &module, allowed)
            .err()
            .map(|failure| failure.to_string());
        match (expected, &failure) {
            (None, None) => {}
            (Some(part), Some(text)) if text.contains(part) => {}
            _ => panic!("expected {expected:?}, got {failure:?}"),
        }
    }

    #[test]
    fn module_imports_only_allowed_functions() {
        check_module(b"", &[], None);
        // Type section: one function without arguments; import section: `env.now` of that type.
        let imports = b"\x01\x04\x01\x60\0\0\x02\x0b\x01\x03env\x03now\0\0";
        check_module(imports, &[], Some("imports `env.now`"));
        check_module(imports, &["env.then"], Some("imports `env.now`"));
        check_module(imports, &["env.now"], None);
        check_module(b"\x01\x04\x01", &[], Some("unexpected end"));
    }
}
