//! The measured programs, and the tokens that they review.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::dates::now;
use ack_ram_tests::load::{Load, review_of};
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::server_config::ServerConfig;
use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::BoxError;

const ACCOUNT: &str = "1234567890123456";
/// The number of users whose tokens are sent in turn.
const USERS: usize = 64;
/// The number of mappings in benchmarks that do not vary it.
const MAPPINGS: usize = 100;
const START_LIMIT: Duration = Duration::from_secs(30);

/// The STS emulator, and the folder of all files.
pub(crate) struct Fixture {
    folder: TempDir,
    sts: Process,
    sts_url: String,
    tokens: AtomicUsize,
    servers: AtomicUsize,
}

impl Fixture {
    /// Starts the emulator of STS.
    pub(crate) fn start(folder: TempDir) -> Result<Self, BoxError> {
        let state = folder.path().join("sts.json");
        std::fs::write(&state, sts_state()?.to_string())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sts-emulator"));
        command.arg("--state").arg(state);
        command
            .arg("--ca-out")
            .arg(folder.path().join("sts-ca.pem"));
        let (sts, sts_url) = listening("sts-emulator", command)?;
        Ok(Self {
            folder,
            sts,
            sts_url,
            tokens: AtomicUsize::new(0),
            servers: AtomicUsize::new(0),
        })
    }

    /// Returns the process ID of the emulator.
    pub(crate) fn sts_pid(&self) -> u32 {
        self.sts.pid()
    }

    /// Starts the bare server.
    pub(crate) fn bare(&self) -> Result<Bare, BoxError> {
        let ca = self.folder.path().join("bare-ca.pem");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bare-server"));
        command.arg("--ca-out").arg(&ca);
        let (process, url) = listening("bare-server", command)?;
        let port = url.rsplit(':').next().unwrap_or_default().parse()?;
        Ok(Bare {
            process,
            load: Load::new(&ca, port)?,
        })
    }

    /// Prepares the real server: a configuration with `mappings` mappings, and its own state directory.
    pub(crate) fn prepare(&self, mappings: usize) -> Result<Prepared, BoxError> {
        let number = self.servers.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.path().join(format!("server-{number}"));
        std::fs::create_dir(&folder)?;
        let port = ports::free_port();
        let users = (0..mappings).map(|index| {
            let name = user(index);
            json!({
                "userARN": format!("acs:ram::{ACCOUNT}:user/{name}"),
                "username": name,
                "groups": ["dev"],
            })
        });
        let settings = json!({
            "sts": { "endpoint": self.sts_url, "caFile": self.folder.path().join("sts-ca.pem") },
            "mapUsers": users.collect::<Value>(),
        });
        let _path = ServerConfig::new(&folder, port).settings(&settings).write();
        Ok(Prepared { folder, port })
    }

    /// Starts the real server and waits until it listens.
    pub(crate) fn real(&self) -> Result<Real, BoxError> {
        let prepared = self.prepare(MAPPINGS)?;
        let authenticator = prepared.start()?;
        Ok(Real {
            load: prepared.load()?,
            authenticator,
        })
    }

    /// Returns `count` reviews, each of a new token.
    pub(crate) fn reviews(&self, count: usize) -> Result<Arc<[Bytes]>, BoxError> {
        let now = now();
        let cluster = ClusterId::parse(CLUSTER).ok_or("no cluster id")?;
        let first = self.tokens.fetch_add(count, Ordering::Relaxed);
        (first..first + count)
            .map(|number| {
                // The user agent is not signed, but makes the tokens different.
                let user_agent = format!("bench/{number:09}");
                let token = sign::sign_token_v2(&key(number % USERS)?, &cluster, &user_agent, now);
                Ok(review_of(&token.ok_or("no token")?))
            })
            .collect()
    }
}

/// A running bare server.
pub(crate) struct Bare {
    pub(crate) process: Process,
    pub(crate) load: Load,
}

/// A running real server.
pub(crate) struct Real {
    pub(crate) authenticator: Authenticator,
    pub(crate) load: Load,
}

/// A real server that is not started yet.
pub(crate) struct Prepared {
    folder: PathBuf,
    port: u16,
}

impl Prepared {
    /// Starts the server and waits until it listens.
    pub(crate) fn start(&self) -> Result<Authenticator, BoxError> {
        Ok(Authenticator::start(
            &self.folder,
            Path::new("config.yaml"),
        )?)
    }

    /// Builds a load generator for the server, which must have started before.
    pub(crate) fn load(&self) -> Result<Load, BoxError> {
        Load::new(&self.folder.join("state/cert.pem"), self.port)
    }

    /// Returns the working folder of the server.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Starts a process that prints the URL that it listens on. Returns the process and the URL.
fn listening(name: &str, command: Command) -> Result<(Process, String), BoxError> {
    let mut process = Process::spawn(name, command)?;
    let line = process.wait_for_line(|line| line.starts_with("listening on "), START_LIMIT)?;
    let url = line.trim_start_matches("listening on ").to_owned();
    Ok((process, url))
}

fn user(index: usize) -> String {
    format!("user-{index:05}")
}

/// Returns the key of a user.
fn key(index: usize) -> Result<AccessKey, BoxError> {
    Ok(AccessKey {
        id: AccessKeyId::parse(&format!("LTAI5tBenchKey{index:010}")).ok_or("no key id")?,
        secret: Secret::new(format!("BenchSecret{index:019}")),
        security_token: None,
    })
}

fn sts_state() -> Result<Value, BoxError> {
    let users = (0..USERS).map(|index| {
        let key = key(index)?;
        Ok(json!({
            "name": user(index),
            "id": format!("2{index:017}"),
            "accessKeys": [{ "id": key.id.as_str(), "secret": key.secret.expose() }],
        }))
    });
    let users = users.collect::<Result<Value, BoxError>>()?;
    Ok(json!({ "accounts": [{ "id": ACCOUNT, "users": users }] }))
}
