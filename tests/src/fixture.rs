//! A running server with its STS and a client of its webhook.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authenticator::{self, Authenticator};
use crate::callers::token_v2;
use crate::dates::DistinctDates;
use crate::eventually::{LIMIT, eventually};
use crate::health::{self, HealthReply};
use crate::ports;
use crate::server_config::ServerConfig;
use crate::sts::{Emulator, demo};
use crate::webhook::{Reply, WebhookClient};

/// A server that runs the real binary, its STS, and a client of its webhook. All files are in one temporary folder.
///
/// Every method panics if it fails.
pub struct Fixture {
    server: Option<Authenticator>,
    /// The STS that the server calls.
    pub sts: Emulator,
    /// The port of the webhook.
    pub port: u16,
    /// The health port, which serves probes and metrics.
    pub health_port: u16,
    webhook: OnceLock<WebhookClient>,
    dates: DistinctDates,
    /// The number of bytes of the log that [`Fixture::wait_for_log`] has consumed.
    log_position: usize,
    options: Vec<String>,
    // Dropped after the processes that use its files.
    folder: TempDir,
}

/// The settings of a [`Fixture`].
#[derive(Default)]
pub struct FixtureBuilder {
    folder: Option<TempDir>,
    sts: Option<Emulator>,
    settings: Vec<Value>,
    options: Vec<String>,
}

impl FixtureBuilder {
    /// Puts the files into `folder` rather than a new folder.
    #[must_use]
    pub fn folder(mut self, folder: TempDir) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Uses `sts` rather than an emulator that knows the identities of [`demo`].
    #[must_use]
    pub fn sts(mut self, sts: Emulator) -> Self {
        self.sts = Some(sts);
        self
    }

    /// Merges `settings` into `server` of the configuration, as [`ServerConfig::settings`] does.
    #[must_use]
    pub fn settings(mut self, settings: &Value) -> Self {
        self.settings.push(settings.clone());
        self
    }

    /// Adds `options` to the command line of the server.
    #[must_use]
    pub fn options(mut self, options: &[&str]) -> Self {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self
    }

    /// Writes the files, and starts STS but no server.
    ///
    /// # Panics
    /// If a file cannot be written.
    #[must_use]
    pub fn prepare(self) -> Fixture {
        let new_folder = || tempfile::tempdir().expect("a folder");
        let folder = self.folder.unwrap_or_else(new_folder);
        let demo = || Emulator::builder().demo().start().expect("an STS");
        let sts = self.sts.unwrap_or_else(demo);
        let (port, health_port) = (ports::free_port(), ports::free_port());
        let config = ServerConfig::new(folder.path(), port).sts(&sts);
        let config = config.settings(&json!({ "healthPort": health_port }));
        let all = self.settings.iter();
        let _path = all.fold(config, ServerConfig::settings).write();
        Fixture {
            server: None,
            dates: DistinctDates::back_from(sts.now()),
            sts,
            port,
            health_port,
            webhook: OnceLock::new(),
            log_position: 0,
            options: self.options,
            folder,
        }
    }

    /// Starts the server, and waits until it listens.
    ///
    /// # Panics
    /// If the server does not start.
    #[must_use]
    pub fn start(self) -> Fixture {
        let mut fixture = self.prepare();
        fixture.start_server();
        fixture
    }
}

impl Fixture {
    /// Builds a fixture step by step.
    #[must_use]
    pub fn builder() -> FixtureBuilder {
        FixtureBuilder::default()
    }

    /// Starts a server with `settings` merged into `server` of the configuration.
    #[must_use]
    pub fn start(settings: &Value) -> Self {
        Self::builder().settings(settings).start()
    }

    /// Starts the server, and waits until it listens.
    pub fn start_server(&mut self) {
        let mut command = self.command(&["server", "-c", "config.yaml"]);
        command.args(&self.options);
        let started = Authenticator::start_with(command);
        self.server = Some(started.unwrap_or_else(|error| panic!("{error}")));
        self.webhook = OnceLock::new();
        self.log_position = 0;
    }

    /// Stops the server with SIGTERM, as an init system does, and starts it again.
    pub fn restart(&mut self) {
        let ended = self.stop_server();
        assert!(ended.success(), "{ended}");
        self.start_server();
    }

    /// Stops the server with SIGTERM, as an init system does, and returns its exit status.
    pub fn stop_server(&mut self) -> ExitStatus {
        let stopped = self.server.take().expect("a running server").stop();
        stopped.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Kills the server with SIGKILL.
    pub fn kill_server(&mut self) {
        self.server.take().expect("a running server").kill();
    }

    /// Waits until the server has exited by itself or by a signal. Blocks the thread.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let ended = self.server_mut().wait(LIMIT);
        ended.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends `signal` to the server.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.server().pid()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("a running server");
    }

    /// Returns the running server.
    #[must_use]
    pub fn server(&self) -> &Authenticator {
        self.server.as_ref().expect("a running server")
    }

    /// Returns the running server.
    pub fn server_mut(&mut self) -> &mut Authenticator {
        self.server.as_mut().expect("a running server")
    }

    /// Builds a command line of the binary that runs in the fixture's folder.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        authenticator::command(self.folder(), args)
    }

    /// Returns the folder of all files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of the file `name`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Returns the path of the certificate of the server's CA.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.path("state/cert.pem")
    }

    /// Replaces the file `name` in one step.
    pub fn replace(&self, name: &str, content: &str) {
        let new = self.path("replacement");
        fs::write(&new, content).expect("the folder can be written");
        fs::rename(new, self.path(name)).expect("the folder can be written");
    }

    /// Edits `server` in the configuration file.
    pub fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let text = fs::read(self.path("config.yaml")).expect("a configuration");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        edit(&mut config["server"]);
        self.replace("config.yaml", &config.to_string());
    }

    /// Returns the shared client of the webhook.
    pub fn webhook(&self) -> &WebhookClient {
        self.webhook.get_or_init(|| self.new_webhook())
    }

    /// Builds a client of the webhook with connections of its own.
    #[must_use]
    pub fn new_webhook(&self) -> WebhookClient {
        WebhookClient::new(&self.ca_file(), self.port).expect("the server's CA")
    }

    /// Signs a token with Alice's key that differs from all other tokens of this fixture.
    #[must_use]
    pub fn token(&self) -> Secret {
        self.token_of(&demo::user_key())
    }

    /// Signs a token with `key` that differs from all other tokens of this fixture.
    #[must_use]
    pub fn token_of(&self, key: &AccessKey) -> Secret {
        token_v2(key, self.next_date())
    }

    /// Returns a date that no other token of this fixture has.
    pub fn next_date(&self) -> UnixTime {
        self.dates.next()
    }

    /// Sends a review of `token`.
    pub async fn review(&self, token: &Secret) -> Reply {
        let reply = self.webhook().review(token).await;
        reply.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Sends a review of a new token that is signed with `key`.
    pub async fn review_of(&self, key: &AccessKey) -> Reply {
        self.review(&self.token_of(key)).await
    }

    /// Returns whether a new token of Alice is granted.
    pub async fn alice_is_granted(&self) -> bool {
        self.review(&self.token()).await.is_granted()
    }

    /// Returns the value of the metric `ack_ram_authenticator_<name>`.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let value = self.find_metric(name, labels).await;
        value.unwrap_or_else(|| panic!("no metric {name} {labels:?}"))
    }

    /// Returns the value of the metric `ack_ram_authenticator_<name>`; `None` if the server does not report it, which
    /// is the case for a counter that has not counted anything yet.
    pub async fn find_metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let name = format!("ack_ram_authenticator_{name}");
        self.webhook().metrics().await.value(&name, labels)
    }

    /// Gets `path` from the health port.
    pub async fn ask_health(&self, path: &str) -> HealthReply {
        health::get(self.health_port, path).await
    }

    /// Returns the log of the server so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server().log()
    }

    /// Returns the next line of the log that contains `part`. Lines that this method has already returned or skipped do
    /// not count.
    pub async fn wait_for_log(&mut self, part: &str) -> String {
        let position = self.log_position;
        let (line, end) = eventually(part, async || {
            let log = self.log();
            let mut end = position;
            for line in log
                .get(position..)
                .unwrap_or_default()
                .split_inclusive('\n')
            {
                end += line.len();
                if line.ends_with('\n') && line.contains(part) {
                    return Ok((line.to_owned(), end));
                }
            }
            Err(log)
        })
        .await;
        self.log_position = end;
        line
    }
}
