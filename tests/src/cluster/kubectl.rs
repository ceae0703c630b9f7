//! Kubeconfig files, and kubectl commands that use them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};

use crate::process::Process;
use crate::tools;

/// How long a command may take. The commands of the tests take a small part of it.
const LIMIT: Duration = Duration::from_secs(120);

/// An exec credential plugin.
#[derive(Clone, Debug)]
pub struct ExecPlugin {
    /// The program.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables of the plugin. From the environment of the test, it inherits only `PATH`.
    pub env: Vec<(String, String)>,
    /// The version of `client.authentication.k8s.io` that it uses: `v1` or `v1beta1`.
    pub api_version: &'static str,
}

impl ExecPlugin {
    pub(super) fn to_user(&self) -> Value {
        let env: Vec<Value> = self
            .env
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        json!({"exec": {
            "apiVersion": format!("client.authentication.k8s.io/{}", self.api_version),
            "command": self.command,
            "args": self.args,
            "env": env,
            "interactiveMode": "Never",
        }})
    }
}

/// The address and the CA of an API server, independent of the user.
pub(super) struct Access {
    pub(super) url: String,
    pub(super) ca_file: PathBuf,
}

impl Access {
    pub(super) fn write_kubeconfig(&self, path: &Path, user: Value) {
        let cluster = json!({"server": self.url, "certificate-authority": self.ca_file});
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        });
        // kubectl reads YAML, and JSON is YAML.
        fs::write(path, kubeconfig.to_string()).expect("the cluster's folder can be written");
    }
}

/// The result of a kubectl command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubectlOutput {
    /// Whether the exit code was 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs kubectl and waits until it has exited. From the environment of the test, kubectl inherits only `PATH`, which
/// `variables` may replace.
pub(super) fn run(
    home: &Path,
    kubeconfig: &Path,
    variables: &[(String, String)],
    args: &[&str],
) -> KubectlOutput {
    let mut command = Command::new(tools::KUBECTL.path());
    command
        .args(args)
        .current_dir(home)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("KUBECONFIG", kubeconfig)
        .envs(variables.iter().map(|(name, value)| (name, value)));
    let mut kubectl = Process::spawn("kubectl", command).expect("kubectl can be started");
    let status = kubectl
        .wait(LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    KubectlOutput {
        success: status.success(),
        stdout: kubectl.stdout(),
        stderr: kubectl.stderr(),
    }
}
