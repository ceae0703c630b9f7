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

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    As(String),
    Denied,
    /// It cannot be told now, for this reason.
    Unavailable(String),
}

/// Where logins are asked about.
pub struct LoginClient {
    webhook: WebhookClient,
    runtime: Runtime,
}

impl LoginClient {
    fn new(state: &Path, port: u16) -> Self {
        Self {
            webhook: WebhookClient::new(&state.join("cert.pem"), port).unwrap(),
            // A worker notices also between two logins that the server has closed a connection.
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

    /// The user as whom `token` logs in; null when it is denied.
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

/// The answer in a TokenReview.
pub fn login_of(review: &Value) -> Login {
    let status = &review["status"];
    if status["authenticated"] != json!(true) {
        return Login::Denied;
    }
    let username = status["user"]["username"].as_str().unwrap();
    let groups = status["user"]["groups"].as_array();
    let is_mapped = groups.is_some_and(|groups| groups.contains(&json!("mapped")));
    // Who is let in as one of an account has no groups.
    assert_eq!(is_mapped, !username.starts_with("acs:"), "{review}");
    Login::As(username.to_owned())
}

/// A server, and where its files are.
pub struct Replica {
    process: Option<Authenticator>,
    folder: PathBuf,
    port: u16,
    health_port: u16,
    /// Beside what every server has in its environment.
    environment: Vec<(&'static str, PathBuf)>,
    pub login_client: LoginClient,
}

impl Replica {
    /// Starts a server with its files in `folder`, and with `settings` in `server`.
    pub fn start(folder: PathBuf, sts: &Emulator, settings: &Value) -> Self {
        Self::start_in(folder, sts, settings, Vec::new())
    }

    /// The same, with `environment` for the server.
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
        // Nobody here is to be told that STS is slow: the machine is.
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

    /// Another way in, for another thread.
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

    /// Status and text of `/readyz?verbose`.
    pub fn readyz(&self) -> (u16, String) {
        self.ask_health("/readyz?verbose")
    }

    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, text) = self.ask_health("/metrics");
        let metrics = Exposition::parse(&text).unwrap();
        let name = format!("ack_ram_authenticator_{name}");
        metrics.value(&name, labels).unwrap_or_default()
    }

    fn ask_health(&self, path: &str) -> (u16, String) {
        let reply = self
            .login_client
            .runtime
            .block_on(health::get(self.health_port, path));
        (reply.status, reply.body)
    }

    /// Waits until `/readyz` says this of `backend`, with that status.
    #[track_caller]
    pub fn wait_for_readyz(&self, status: u16, part: &str) {
        block_until(part, || match self.readyz() {
            (seen, text) if seen == status && text.contains(part) => Ok(()),
            seen => Err(format!("{seen:?}")),
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
