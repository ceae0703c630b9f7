//! kube-apiserver and kubectl, from this machine or built from the Go modules.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::{cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

const GO_MOD: &str = include_str!("../../kubernetes/go.mod");
const GO_SUM: &str = include_str!("../../kubernetes/go.sum");

/// Returns the path of kube-apiserver, from `ACK_RAM_KUBE_APISERVER` or built in the version of `go.mod`. Ignores
/// `PATH`, so that tests run that version.
pub fn apiserver(runner: &Runner) -> Result<PathBuf, Failure> {
    match env::var_os("ACK_RAM_KUBE_APISERVER") {
        Some(path) => Ok(path.into()),
        None => build(runner, "kube-apiserver", "four to eight minutes"),
    }
}

/// Returns the path of kubectl, from `ACK_RAM_KUBECTL`, from `PATH`, or built.
pub fn kubectl(runner: &Runner) -> Result<PathBuf, Failure> {
    let named = env::var_os("ACK_RAM_KUBECTL").map(PathBuf::from);
    match named.or_else(|| on_path("kubectl")) {
        Some(path) => Ok(path),
        None => build(runner, "kubectl", "one to three minutes"),
    }
}

fn build(runner: &Runner, program: &'static str, time: &str) -> Result<PathBuf, Failure> {
    let version = version()?;
    let built = cache::entry(&format!("{program}-{version}"), |folder| {
        if on_path("go").is_none() {
            return Err(Failure::Missing {
                what: "Go",
                remedy: format!("install Go 1.25 or later to build {program}"),
            });
        }
        eprintln!("      building {program} {version} ({time})");
        let module = folder.with_file_name("module");
        write_module(&module).map_err(Failure::io(module.display().to_string()))?;
        // An interrupted Go leaves its temporary files, and the next run removes this folder.
        let scratch = folder.with_file_name("tmp");
        fs::create_dir(&scratch).map_err(Failure::io(scratch.display().to_string()))?;
        let mut go = go_build(program, version, &module, folder);
        go.env("GOTMPDIR", &scratch).env("TMPDIR", &scratch);
        runner.run(&format!("go build {program}"), go)?;
        Ok(())
    })?;
    Ok(built.join(program))
}

fn version() -> Result<&'static str, Failure> {
    let required = GO_MOD
        .lines()
        .find_map(|line| line.strip_prefix("require k8s.io/kubernetes "));
    required.ok_or_else(|| Failure::Check("go.mod does not require k8s.io/kubernetes".to_owned()))
}

fn write_module(module: &Path) -> std::io::Result<()> {
    fs::create_dir(module)?;
    fs::write(module.join("go.mod"), GO_MOD)?;
    fs::write(module.join("go.sum"), GO_SUM)
}

fn go_build(program: &str, version: &str, module: &Path, output: &Path) -> Command {
    let mut parts = version.trim_start_matches('v').split('.');
    let [major, minor] = [(); 2].map(|()| parts.next().unwrap_or_default());
    // Without these flags, the programs report the version `v0.0.0`.
    let stamp = "-X k8s.io/component-base/version";
    let flags = format!(
        "-s -w {stamp}.gitVersion={version} {stamp}.gitMajor={major} {stamp}.gitMinor={minor}"
    );
    let mut command = Command::new("go");
    command
        .args([
            "build",
            "-v",
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
        ])
        .arg(flags)
        .arg("-o")
        .arg(output.join(program))
        .arg(format!("k8s.io/kubernetes/cmd/{program}"))
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off");
    command
}
