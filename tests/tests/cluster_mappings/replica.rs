//! Servers, and logins at them.

use std::fs;
use std::path::{Path, PathBuf};

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::health;
use ack_ram_tests::ports;
use ack_ram_tests::server_config::ServerConfig;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::people::{Person, token};
use ack_ram_tests::eventually::block_until;

/// The result of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    As(String),
    Denied,
    /// No decision is possible now, for this reason.
    Unavailable(String),
}

/// A client that logs in at a server.
pub struct LoginClient {
    webhook: WebhookClient,
    runtime: Runtime,
}

impl LoginClient {
    fn new(state: &Path, port: u16) -> Self {
        Self {
            webhook: WebhookClient::new(&state.join("cert.pem"), port).unwrap(),
            // With a thread of its own, the runtime notices a closed connection even between two logins.
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    pub fn login(&self, person: Person) -> Login {
        self.login_with(&person.key())
    }

    /// Returns the user that `token` logs in, or null when the login is denied.
    pub fn user(&self, token: &Secret) -> Value {
        let reply = self.runtime.block_on(self.webhook.review(token)).unwrap();
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.body);
        reply.body["status"]["user"].clone()
    }

    pub fn login_with(&self, key: &AccessKey) -> Login {
        let reply = self.runtime.block_on(self.webhook.review(&token(key)));
        let reply = reply.unwrap_or_else(|error| panic!("{}: {error}", key.id.as_str()));
        match reply.status.as_u16() {
            200 => login_of(&reply.body),
            503 => Login::Unavailable(reply.body["message"].as_str().unwrap().to_owned()),
            status => panic!("{}: {status} {}", key.id.as_str(), reply.body),
        }
    }
}

/// Returns the result in a TokenReview.
pub fn login_of(review: &Value) -> Login {
    let status = &review["status"];
    if status["authenticated"] != json!(true) {
        return Login::Denied;
    }
    let username = status["user"]["username"].as_str().unwrap();
    let groups = status["user"]["groups"].as_array();
    let is_mapped = groups.is_some_and(|groups| groups.contains(&json!("mapped")));
    // A user from a mapped account has no groups.
    assert_eq!(is_mapped, !username.starts_with("acs:"), "{review}");
    Login::As(username.to_owned())
}

/// A server and the folder with its files.
pub struct Replica {
    process: Option<Authenticator>,
    folder: PathBuf,
    port: u16,
    health_port: u16,
    /// Environment variables in addition to those that every server has.
    environment: Vec<(&'static str, PathBuf)>,
    pub login_client: LoginClient,
}

impl Replica {
    /// Starts a server with its files in `folder` and with `settings` in `server`.
    pub fn start(folder: PathBuf, sts: &Emulator, settings: &Value) -> Self {
        Self::start_in(folder, sts, settings, Vec::new())
    }

    /// Like [`Self::start`], with additional `environment` variables.
    pub fn start_in(
        folder: PathBuf,
        sts: &Emulator,
        settings: &Value,
        environment: Vec<(&'static str, PathBuf)>,
    ) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let port = settings["port"]
            .as_u64()
            .map(|port| port.try_into().unwrap());
        let (port, health_port) = (port.unwrap_or_else(ports::free_port), ports::free_port());
        // The machine may be slow, so STS gets a long time to answer.
        let config = ServerConfig::new(&folder, port).sts(sts);
        let config = config.settings(&json!({ "healthPort": health_port }));
        let _path = config.settings(settings).write();
        Self::run(folder, port, health_port, environment)
    }

    fn run(
        folder: PathBuf,
        port: u16,
        health_port: u16,
        environment: Vec<(&'static str, PathBuf)>,
    ) -> Self {
        let config = folder.join("config.yaml");
        let mut command =
            authenticator::command(&folder, &["server", "-c", &config.to_string_lossy()]);
        let log = "info,ack_ram_authenticator=debug,kube_client=off,kube_runtime=off";
        command.env("ACK_RAM_AUTHENTICATOR_LOG", log);
        command.envs(environment.clone());
        let process = Authenticator::start_with(command).unwrap();
        Self {
            login_client: LoginClient::new(&folder.join("state"), port),
            process: Some(process),
            folder,
            port,
            health_port,
            environment,
        }
    }

    /// Returns another client, for another thread.
    pub fn new_login_client(&self) -> LoginClient {
        LoginClient::new(&self.state(), self.port)
    }

    pub fn login(&self, person: Person) -> Login {
        self.login_client.login(person)
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    pub fn start_again(&mut self) {
        assert!(!self.is_running());
        let environment = self.environment.clone();
        *self = Self::run(
            self.folder.clone(),
            self.port,
            self.health_port,
            environment,
        );
    }

    pub fn log(&self) -> String {
        self.process.as_ref().unwrap().log()
    }

    /// Returns the status and text of `/readyz?verbose`.
    pub fn readyz(&self) -> (u16, String) {
        self.get_health("/readyz?verbose")
    }

    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, text) = self.get_health("/metrics");
        let metrics = Exposition::parse(&text).unwrap();
        let name = format!("ack_ram_authenticator_{name}");
        metrics.value(&name, labels).unwrap_or_default()
    }

    fn get_health(&self, path: &str) -> (u16, String) {
        let reply = self
            .login_client
            .runtime
            .block_on(health::get(self.health_port, path));
        (reply.status, reply.body)
    }

    /// Waits until `/readyz` has this status, with `part` in its text.
    #[track_caller]
    pub fn wait_for_readyz(&self, status: u16, part: &str) {
        block_until(part, || match self.readyz() {
            (found, text) if found == status && text.contains(part) => Ok(()),
            found => Err(format!("{found:?}")),
        });
    }

    #[track_caller]
    pub fn wait_for_login(&self, person: Person, expected: &Login) {
        block_until("login", || {
            let login = self.login(person);
            let why = || format!("{person:?} is {login:?}, not {expected:?}");
            (login == *expected).then_some(()).ok_or_else(why)
        });
    }
}
