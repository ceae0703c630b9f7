//! A real Envoy on loopback, with services behind it and clients in front of it.

mod client;
mod config;
mod upstream;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::eventually::{LIMIT, block_until};
use crate::process::{Process, WaitError};
use crate::tools;

pub use client::{EnvoyClient, EnvoyReply, Protocol};
pub use config::{Filter, Listener, plain_cluster, service_cluster, sts_cluster};
pub use upstream::{ReceivedRequest, Upstream};

/// How long a start may take. On two idle cores, a start takes a second.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A build of the filter by `cargo xtask wasm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// The filter without conditions, names and validations in CEL.
    Small,
    /// The complete filter.
    WithCel,
    /// The complete filter, which also traps when a request asks for a trap.
    WithTraps,
}

impl Module {
    /// Returns the path of the module, which an environment variable contains.
    ///
    /// # Panics
    /// If the environment variable is not set.
    #[must_use]
    pub fn path(self) -> PathBuf {
        let variable = match self {
            Self::Small => "ACK_RAM_ENVOY_WASM_WITHOUT_CEL",
            Self::WithCel => "ACK_RAM_ENVOY_WASM",
            Self::WithTraps => "ACK_RAM_ENVOY_WASM_WITH_TRAPS",
        };
        let path = env::var_os(variable).map(PathBuf::from);
        path.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`"))
    }
}

/// A running Envoy. Dropping it stops Envoy.
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    folder: TempDir,
    updates: u64,
}

impl Envoy {
    /// Starts Envoy with `clusters` and `listeners`, and waits until it accepts requests.
    ///
    /// # Errors
    /// If Envoy refuses the configuration.
    ///
    /// # Panics
    /// If Envoy is missing, or the folder for its files cannot be created.
    pub fn start(clusters: &[Value], listeners: &[Listener]) -> Result<Self, WaitError> {
        Self::start_with_workers(1, clusters, listeners)
    }

    /// Starts Envoy as [`Self::start`] does, with several workers.
    ///
    /// # Errors
    /// As [`Self::start`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with_workers(
        workers: u8,
        clusters: &[Value],
        listeners: &[Listener],
    ) -> Result<Self, WaitError> {
        let folder = tempfile::tempdir().expect("a folder");
        let listeners_file = folder.path().join("listeners.json");
        publish(&listeners_file, listeners, 0);
        let bootstrap = json!({
            "node": { "id": "test", "cluster": "test" },
            "admin": { "address": loopback(0) },
            "dynamic_resources": {
                "lds_config": { "path_config_source": { "path": listeners_file } },
            },
            "static_resources": { "clusters": clusters },
        });
        let file = folder.path().join("envoy.json");
        fs::write(&file, bootstrap.to_string()).expect("a file");
        Self::run_with_workers(workers, &file, folder)
    }

    /// Starts Envoy with the configuration `file`, in JSON or YAML, whose `admin` is on port 0.
    ///
    /// # Errors
    /// If Envoy refuses the configuration.
    ///
    /// # Panics
    /// If Envoy is missing.
    pub fn run(file: &Path, folder: TempDir) -> Result<Self, WaitError> {
        Self::run_with_workers(1, file, folder)
    }

    fn run_with_workers(workers: u8, file: &Path, folder: TempDir) -> Result<Self, WaitError> {
        let admin_file = folder.path().join("admin.txt");
        let mut command = Command::new(tools::ENVOY.path());
        command
            .current_dir(folder.path())
            .env_clear()
            .arg("--config-path")
            .arg(file)
            .arg("--admin-address-path")
            .arg(&admin_file)
            // Hot restart needs a unique number for each process, and the tests do not restart Envoy.
            .arg("--disable-hot-restart")
            .args(["--concurrency", &workers.to_string()])
            .args(["--log-level", "warning", "--component-log-level"])
            .arg("wasm:debug,config:info")
            // Clients are asked to disconnect immediately, and have enough time for it on a busy machine.
            .args(["--drain-time-s", "30", "--drain-strategy", "immediate"]);
        let mut process = Process::spawn("envoy", command).expect("Envoy can be started");
        process.wait_for_line(
            |line| line.contains("all dependencies initialized"),
            START_LIMIT,
        )?;
        let admin = fs::read_to_string(&admin_file)
            .expect("Envoy writes the address of its administration");
        Ok(Self {
            process,
            admin: admin.trim().parse().expect("an address"),
            folder,
            updates: 0,
        })
    }

    /// Returns the address of the listener `name`.
    ///
    /// # Panics
    /// If there is no such listener.
    #[must_use]
    pub fn address(&self, name: &str) -> SocketAddr {
        let listener = block_until(name, || {
            let listeners: Value =
                serde_json::from_str(&self.admin("/listeners?format=json")).expect("JSON");
            let listeners = listeners["listener_statuses"].as_array();
            let listener = listeners.and_then(|all| all.iter().find(|one| one["name"] == name));
            listener.cloned().ok_or_else(|| self.log())
        });
        let address = &listener["local_address"]["socket_address"];
        let port = address["port_value"].as_u64().expect("a port");
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("a port")))
    }

    /// Builds a client of the listener `name`.
    #[must_use]
    pub fn client(&self, name: &str, protocol: Protocol) -> EnvoyClient {
        EnvoyClient::new(self.address(name), protocol)
    }

    /// Gets `path` from Envoy's administration, and returns the body of the reply.
    ///
    /// # Panics
    /// If there is no reply.
    #[must_use]
    pub fn admin(&self, path: &str) -> String {
        get(self.admin, path).expect("Envoy's administration replies")
    }

    /// Returns the value of the counter or gauge `name`; 0 if there is none.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let all = self.admin("/stats");
        let line = all.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found == name).then(|| value.parse().ok())
        });
        line.flatten().unwrap_or_default()
    }

    /// Waits until Envoy has no connection to `cluster`, because it notices a closed connection with a delay.
    ///
    /// # Panics
    /// If Envoy keeps a connection.
    pub fn wait_until_disconnected(&self, cluster: &str) {
        let connections = format!("cluster.{cluster}.upstream_cx_active");
        block_until("no connection", || match self.stat(&connections) {
            0 => Ok(()),
            _ => Err(self.log()),
        });
    }

    /// Replaces all listeners, and waits until Envoy has accepted or refused them.
    ///
    /// # Errors
    /// If Envoy refuses the listeners and keeps the previous ones. The error is its log.
    pub fn update(&mut self, listeners: &[Listener]) -> Result<(), String> {
        let count = |envoy: &Self, name: &str| envoy.stat(&format!("listener_manager.lds.{name}"));
        let (accepted, refused) = (
            count(self, "update_success"),
            count(self, "update_rejected"),
        );
        self.updates += 1;
        publish(
            &self.folder.path().join("listeners.json"),
            listeners,
            self.updates,
        );
        block_until("the update", || {
            if count(self, "update_rejected") > refused {
                Ok(Err(self.log()))
            } else if count(self, "update_success") > accepted {
                Ok(Ok(()))
            } else {
                Err(self.log())
            }
        })
    }

    /// Returns Envoy's log so far, including the access logs on standard output.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Discards the log so far.
    pub fn forget_log(&self) {
        self.process.forget_log();
    }

    /// Returns the first line of the log that contains `part`, and waits for the line if it is not there yet.
    ///
    /// # Errors
    /// If there is no such line in time.
    pub fn wait_for_log(&mut self, part: &str) -> Result<String, WaitError> {
        self.process
            .wait_for_line(|line| line.contains(part), LIMIT)
    }

    /// Returns the process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns whether Envoy is still running.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }
}

/// Returns a loopback address in the form of Envoy's configuration.
fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

/// Publishes `listeners` in `file` by renaming a new file, because Envoy reads a file again after it was moved.
fn publish(file: &Path, listeners: &[Listener], version: u64) {
    let resources: Vec<Value> = listeners.iter().map(Listener::resource).collect();
    let response = json!({ "version_info": version.to_string(), "resources": resources });
    let new = file.with_extension("new");
    fs::write(&new, response.to_string()).expect("a file");
    fs::rename(new, file).expect("a file");
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::other("no reply"))?;
    if head.contains("transfer-encoding: chunked") {
        Ok(unchunk(body))
    } else {
        Ok(body.to_owned())
    }
}

/// Decodes a chunked body (RFC 9112, 7.1).
fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        let Some((chunk, rest)) = rest.split_at_checked(size) else {
            break;
        };
        if size == 0 {
            break;
        }
        whole.push_str(chunk);
        body = rest.strip_prefix("\r\n").unwrap_or(rest);
    }
    whole
}
