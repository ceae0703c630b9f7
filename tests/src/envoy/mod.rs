//! A real Envoy on loopback, services behind it, and clients in front.

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

/// It takes a second on two idle cores.
const START_LIMIT: Duration = Duration::from_secs(120);

/// The filter's module, as `cargo xtask wasm` built it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// Without conditions, names and validations in CEL.
    Small,
    /// With all.
    WithCel,
    /// With all, and it traps where a request asks for it.
    WithTraps,
}

impl Module {
    /// Where it is.
    ///
    /// # Panics
    /// When nobody said.
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

/// A running Envoy. Dropping it ends it.
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    folder: TempDir,
    updates: u64,
}

impl Envoy {
    /// Starts Envoy with `clusters` and `listeners`, and waits until it takes requests.
    ///
    /// # Errors
    /// When it refuses the configuration.
    ///
    /// # Panics
    /// When there is no Envoy, or no folder for its files.
    pub fn start(clusters: &[Value], listeners: &[Listener]) -> Result<Self, WaitError> {
        Self::start_with_workers(1, clusters, listeners)
    }

    /// The same with more workers than one.
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

    /// Starts Envoy with the configuration `file`, which may be YAML and has `admin`, at port 0.
    ///
    /// # Errors
    /// When it refuses the configuration.
    ///
    /// # Panics
    /// When there is no Envoy.
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
            // A number of its own for each would be needed, and nobody restarts these.
            .arg("--disable-hot-restart")
            .args(["--concurrency", &workers.to_string()])
            .args(["--log-level", "warning", "--component-log-level"])
            .arg("wasm:debug,config:info")
            // Clients are asked to go at once, and those that a busy machine holds up have time to.
            .args(["--drain-time-s", "30", "--drain-strategy", "immediate"]);
        let mut process = Process::spawn("envoy", command).expect("Envoy can be started");
        process.wait_for_line(
            |line| line.contains("all dependencies initialized"),
            START_LIMIT,
        )?;
        let admin = fs::read_to_string(&admin_file).expect("Envoy says where it is");
        Ok(Self {
            process,
            admin: admin.trim().parse().expect("an address"),
            folder,
            updates: 0,
        })
    }

    /// Where the listener `name` takes connections.
    ///
    /// # Panics
    /// When there is none.
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

    /// A client of the listener `name`.
    #[must_use]
    pub fn client(&self, name: &str, protocol: Protocol) -> EnvoyClient {
        EnvoyClient::new(self.address(name), protocol)
    }

    /// What Envoy's administration answers.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn admin(&self, path: &str) -> String {
        get(self.admin, path).expect("Envoy's administration answers")
    }

    /// The value of the counter or gauge `name`; 0 when there is none.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let all = self.admin("/stats");
        let line = all.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found == name).then(|| value.parse().ok())
        });
        line.flatten().unwrap_or_default()
    }

    /// Waits until it has no connection to `cluster`: it learns a moment later that one was cut.
    ///
    /// # Panics
    /// When it keeps one.
    pub fn wait_until_disconnected(&self, cluster: &str) {
        let connections = format!("cluster.{cluster}.upstream_cx_active");
        block_until("no connection", || match self.stat(&connections) {
            0 => Ok(()),
            _ => Err(self.log()),
        });
    }

    /// Replaces all listeners, and waits until Envoy has.
    ///
    /// # Errors
    /// What Envoy says when it keeps those that it has.
    pub fn update(&mut self, listeners: &[Listener]) -> Result<(), String> {
        let count = |envoy: &Self, name: &str| envoy.stat(&format!("listener_manager.lds.{name}"));
        let (taken, refused) = (
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
            } else if count(self, "update_success") > taken {
                Ok(Ok(()))
            } else {
                Err(self.log())
            }
        })
    }

    /// What it has logged so far, access logs on standard output too.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Throws away what it has logged so far.
    pub fn forget_log(&self) {
        self.process.forget_log();
    }

    /// The first line of its log, there already or to come, that has `part`.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait_for_log(&mut self, part: &str) -> Result<String, WaitError> {
        self.process
            .wait_for_line(|line| line.contains(part), LIMIT)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }
}

/// An address of Envoy's configuration.
fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

/// Envoy looks when a file has been moved to where it reads.
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
        .ok_or_else(|| io::Error::other("no answer"))?;
    if head.contains("transfer-encoding: chunked") {
        Ok(unchunk(body))
    } else {
        Ok(body.to_owned())
    }
}

/// A body of chunks (RFC 9112, 7.1), without what is between them.
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
