//! Plans of servers: files, arguments and environment.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{LIMIT, Server};
use crate::snapshot;

/// The configuration, the arguments and the environment of a server that is not started yet.
pub(crate) struct Plan {
    pub(crate) folder: TempDir,
    pub(crate) sts: Emulator,
    /// The configuration file, which a test can edit before the start.
    pub(crate) config: Value,
    pub(crate) port: u16,
    pub(crate) health_port: u16,
    /// Additional arguments.
    pub(crate) arguments: Vec<&'static str>,
    /// The value of `ACK_RAM_AUTHENTICATOR_LOG`. Any value adds the targets to the lines.
    pub(crate) log: &'static str,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self::with_sts(Emulator::builder().demo().start().unwrap())
    }

    pub(crate) fn with_sts(sts: Emulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, health_port) = (ports::free_port(), ports::free_port());
        let ca = folder.path().join("sts-ca.pem");
        replace(&ca, sts.ca_pem());
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": health_port,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": sts.settings(&ca),
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
                "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
            },
        });
        Self {
            folder,
            sts,
            config,
            port,
            health_port,
            arguments: Vec::new(),
            log: "info",
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(self) -> Server {
        replace(&self.path("config.yaml"), &text(&self.config));
        let authenticator = Authenticator::start_with(self.command()).unwrap();
        let state = self.path("state/cert.pem");
        let ca = if state.exists() {
            state
        } else {
            self.config["server"]["tls"]["caFile"]
                .as_str()
                .unwrap()
                .into()
        };
        Server::new(self, authenticator, &ca)
    }

    /// Starts a server that exits by itself. Returns its output.
    pub(crate) fn fail(&self) -> String {
        replace(&self.path("config.yaml"), &text(&self.config));
        let mut server = Process::spawn("server", self.command()).unwrap();
        let status = server.wait(LIMIT).unwrap();
        let log = snapshot::stable(&server.log(), self.folder.path());
        format!("exit code {}\n{log}", status.code().unwrap())
    }

    fn command(&self) -> std::process::Command {
        let mut arguments = vec!["server", "-c", "config.yaml"];
        arguments.extend(&self.arguments);
        let mut command = authenticator::command(self.folder.path(), &arguments);
        command.env("ACK_RAM_AUTHENTICATOR_LOG", self.log);
        command
    }
}

/// Formats a configuration with a line for each member, so that the lengths of paths do not change the positions in
/// messages.
pub(crate) fn text(config: &Value) -> String {
    serde_json::to_string_pretty(config).unwrap()
}

/// Replaces a file atomically. Other users cannot write the file, regardless of the umask: that would cause a warning.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
    fs::rename(new, path).unwrap();
}
