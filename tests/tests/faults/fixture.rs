//! A server, its STS, and callers of every kind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::callers::{Caller, Outcome, mappings};
use ack_ram_tests::isolation::SmallDisk;
use ack_ram_tests::ports;
use ack_ram_tests::server_config::ServerConfig;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::traffic::{LoadClient, Tally, Traffic};
use ack_ram_tests::usage::Usage;
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::matrix::{Fail, Figures};

/// Time limit of the recovery. An idle machine needs much less.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Minimum duration of a fault.
const FAULT: Duration = Duration::from_secs(2);
/// Minimum number of answers to mapped callers with new tokens during a fault. A bad token must have been denied, too.
const FRESH: usize = 6;
const PACE: Duration = Duration::from_millis(20);
/// Memory limit of every row: about four times the memory of an idle server.
const MEMORY_KIB: u64 = 192 * 1024;

/// The expected result of mapped callers with new tokens during a fault.
#[derive(Clone, Copy, Debug)]
pub enum Meanwhile {
    /// STS gives no answer.
    Unavailable,
    /// Nearly all are granted: the fault does not matter, or the server works around it.
    Granted,
    /// Some are granted and others are not.
    Some,
}

/// The setup of a server.
pub struct Plan {
    /// `server.sts.endpoint`. Defaults to the emulator.
    pub endpoint: Option<String>,
    /// The emulators of `server.sts.fallbackEndpoints`.
    pub fallbacks: Vec<Emulator>,
    /// The shell script that starts the server, whose command line is `"$@"`.
    pub script: &'static str,
    pub variables: Vec<(&'static str, PathBuf)>,
    /// The size in bytes of a disk for the state directory. Without it, the directory is not on a disk of its own.
    pub disk: Option<usize>,
    /// Settings to merge into the configuration, and into its `sts`.
    pub settings: Value,
    pub sts: Value,
    /// The timeouts of a connection to STS and of its answer. They are long enough for a slow machine, except in rows
    /// that expect a timeout.
    pub timeouts: [&'static str; 2],
}

/// Short timeouts for faults that let callers wait. Another endpoint or address gets a share of this time.
pub const SHORT_TIMEOUTS: [&str; 2] = ["1s", "4s"];

impl Default for Plan {
    fn default() -> Self {
        Self {
            endpoint: None,
            fallbacks: Vec::new(),
            script: "exec \"$@\"",
            variables: Vec::new(),
            disk: None,
            settings: json!({}),
            sts: json!({}),
            timeouts: ["30s", "30s"],
        }
    }
}

pub struct FaultFixture {
    pub sts: Arc<Emulator>,
    pub fallbacks: Vec<Emulator>,
    pub client: LoadClient,
    /// Tokens in the cache of the server.
    pub known: Vec<(Caller, Secret)>,
    pub port: u16,
    script: &'static str,
    variables: Vec<(&'static str, PathBuf)>,
    server: Option<Authenticator>,
    _disk: Option<SmallDisk>,
    /// The files of the server. Its state directory is `state`.
    folder: TempDir,
}

impl FaultFixture {
    /// Starts a server that has granted the mapped callers and has their tokens in its cache.
    pub async fn start() -> Result<Self, Fail> {
        let sts = Emulator::builder().demo().start()?;
        Self::start_with(sts, Plan::default()).await
    }

    pub async fn start_with(sts: Emulator, plan: Plan) -> Result<Self, Fail> {
        let mut fixture = Self::prepare(sts, plan)?;
        fixture.start_server()?;
        fixture.cache_tokens().await?;
        Ok(fixture)
    }

    /// Prepares everything except the server process. The CA exists already, as after `init`.
    pub fn prepare(sts: Emulator, plan: Plan) -> Result<Self, Fail> {
        let folder = tempfile::tempdir()?;
        let port = ports::free_port();
        write_config(folder.path(), port, &sts, &plan)?;
        let state = folder.path().join("state");
        fs::create_dir(&state)?;
        let disk = plan.disk.map(|bytes| SmallDisk::mount(&state, bytes));
        let init = authenticator::command(&state, &["init"]).output()?;
        if !init.status.success() {
            return Err(format!("init: {init:?}").into());
        }
        let sts = Arc::new(sts);
        let clock = Arc::clone(&sts);
        let webhook = WebhookClient::new(&state.join("cert.pem"), port)?;
        Ok(Self {
            client: LoadClient::new(webhook, move || clock.now()),
            sts,
            fallbacks: plan.fallbacks,
            known: Vec::new(),
            port,
            script: plan.script,
            variables: plan.variables,
            server: None,
            _disk: disk.transpose()?,
            folder,
        })
    }

    /// Starts the server, or another one after it has stopped.
    pub fn start_server(&mut self) -> Result<(), Fail> {
        self.server = Some(Authenticator::start_with(self.command())?);
        Ok(())
    }

    /// Starts the server with its log elsewhere, and waits until it answers.
    pub async fn start_server_without_log(&mut self) -> Result<(), Fail> {
        self.server = Some(Authenticator::spawn(self.command()));
        self.recovered().await.map(drop)
    }

    /// Returns the command that starts the server.
    pub fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", self.script, "sh"])
            .arg(authenticator::binary())
            .args(["server", "-c", "config.yaml"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(self.variables.iter().map(|(name, path)| (name, path)));
        command
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn server(&self) -> &Authenticator {
        self.server.as_ref().expect("a started server")
    }

    pub fn take_server(&mut self) -> Authenticator {
        self.server.take().expect("a started server")
    }

    /// Returns another client, with connections of its own.
    pub fn webhook(&self) -> Result<WebhookClient, Fail> {
        WebhookClient::new(&self.ca(), self.port)
    }

    /// Returns the path of the CA of the server.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("state/cert.pem")
    }

    /// Logs the mapped callers in with new tokens, which are then in the cache. A slow machine may need several tries.
    pub async fn cache_tokens(&mut self) -> Result<(), Fail> {
        self.known.clear();
        let start = Instant::now();
        for caller in Caller::MAPPED {
            let token = self.client.token(caller);
            loop {
                match self.client.review(caller, &token).await? {
                    Outcome::Granted => break,
                    Outcome::Unavailable(_) if start.elapsed() < PATIENCE => sleep(PACE).await,
                    outcome => return Err(format!("{caller:?} at the start: {outcome:?}").into()),
                }
            }
            self.known.push((caller, token));
        }
        Ok(())
    }

    /// Sends reviews of all callers while the fault lasts.
    pub async fn run_traffic(&self) -> Tally {
        let traffic = Traffic::start(&self.client, 2, &self.known, PACE);
        let start = Instant::now();
        let is_enough = |tally: &Tally| tally.fresh.total() >= FRESH && tally.rejected.denied > 0;
        while start.elapsed() < FAULT || !is_enough(&traffic.tally()) {
            if start.elapsed() > PATIENCE {
                break;
            }
            sleep(PACE).await;
        }
        traffic.stop().await
    }

    /// Waits until all callers get the right result, three times in a row. Returns the time until the first of these.
    pub async fn recovered(&self) -> Result<Duration, Fail> {
        self.recovered_as(&self.client).await
    }

    /// Waits like [`Self::recovered`], with the reviews of `client`.
    pub async fn recovered_as(&self, client: &LoadClient) -> Result<Duration, Fail> {
        let start = Instant::now();
        let (mut in_a_row, mut first) = (0, Duration::ZERO);
        while start.elapsed() < PATIENCE {
            if client.check_all().await? {
                if in_a_row == 0 {
                    first = start.elapsed();
                }
                in_a_row += 1;
                if in_a_row == 3 {
                    return Ok(first);
                }
            } else {
                in_a_row = 0;
                sleep(PACE).await;
            }
        }
        let seconds = PATIENCE.as_secs();
        Err(format!("{seconds} s after the fault, some results are still wrong").into())
    }

    /// Ends the row: checks that the first server process is still running within its memory limit, and that it stops
    /// with success.
    pub async fn end(mut self, tally: Tally, recovered: Duration) -> Result<Figures, Fail> {
        let server = self.take_server();
        let peak_kib = Usage::read_process(server.pid())?.peak_kib;
        let stopped = tokio::task::spawn_blocking(|| server.stop()).await??;
        if !stopped.success() {
            return Err(format!("the server exited with {stopped}").into());
        }
        if peak_kib > MEMORY_KIB {
            return Err(format!("the server had {peak_kib} KiB of memory").into());
        }
        Ok(Figures {
            tally,
            recovered,
            peak_kib,
            note: String::new(),
        })
    }

    /// Sends reviews of all callers during the fault, and ends the fault with `over`.
    pub async fn run(
        self,
        meanwhile: Meanwhile,
        over: impl FnOnce(&Self) -> Result<(), Fail>,
    ) -> Result<Figures, Fail> {
        let tally = self.run_traffic().await;
        meanwhile.check(&tally)?;
        over(&self)?;
        let recovered = self.recovered().await?;
        self.end(tally, recovered).await
    }
}

impl Meanwhile {
    /// Checks the results of all callers.
    pub fn check(self, tally: &Tally) -> Result<(), Fail> {
        if !tally.violations.is_empty() {
            return Err(tally.violations.join("; ").into());
        }
        let Tally {
            fresh,
            known,
            rejected,
            unavailable,
            ..
        } = tally;
        let reasons = unavailable.join("; ");
        let is_fresh_right = match self {
            Self::Unavailable => fresh.granted == 0 && fresh.unavailable > 0,
            Self::Granted => fresh.granted > 9 * fresh.unavailable,
            Self::Some => true,
        };
        if !is_fresh_right {
            return Err(format!("new callers got {fresh}, not {self:?}: {reasons}").into());
        }
        // During every fault, callers in the cache are granted, and bad tokens are denied.
        if known.unavailable > 0 || known.granted == 0 || rejected.denied == 0 {
            return Err(
                format!("cached callers got {known}, bad tokens {rejected}: {reasons}").into(),
            );
        }
        Ok(())
    }
}

fn write_config(folder: &Path, port: u16, sts: &Emulator, plan: &Plan) -> Result<(), Fail> {
    let all = std::iter::once(sts).chain(&plan.fallbacks);
    let authorities: String = all.map(Emulator::ca_pem).collect();
    let ca = folder.join("sts-ca.pem");
    fs::write(&ca, authorities)?;
    let fallbacks: Vec<_> = plan.fallbacks.iter().map(Emulator::url).collect();
    let (users, roles) = mappings();
    let [connect, answer] = plan.timeouts;
    let config = ServerConfig::new(folder, port).settings(&json!({
        "sts": {
            "endpoint": plan.endpoint.clone().unwrap_or_else(|| sts.url()),
            "fallbackEndpoints": fallbacks,
            "caFile": ca,
            "connectTimeout": connect,
            "timeout": answer,
            "breakerPause": "500ms",
            "breakerMaxPause": "2s",
        },
        "mapUsers": users,
        "mapRoles": roles,
    }));
    let config = config.settings(&plan.settings);
    let _path = config.settings(&json!({ "sts": plan.sts })).write();
    Ok(())
}
