//! One server, its STS, and callers of every kind.

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

/// Far beyond what recovery takes on a machine that does nothing else.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// For so long a fault lasts at least.
const FAULT: Duration = Duration::from_secs(2);
/// And until so many good callers with new tokens have been told something, and a bad one has been refused.
const FRESH: usize = 6;
const PACE: Duration = Duration::from_millis(20);
/// The same for every row: about four times what a server has that does nothing.
const MEMORY_KIB: u64 = 192 * 1024;

/// What good callers with new tokens may expect while a fault lasts.
#[derive(Clone, Copy, Debug)]
pub enum Meanwhile {
    /// STS's word is not to be had.
    Unavailable,
    /// Nearly all are let in: the fault does not matter, or there is a way around it.
    Granted,
    /// Some are let in and others are not.
    Some,
}

/// How a server is to be started.
pub struct Plan {
    /// `server.sts.endpoint`, in place of the emulator's.
    pub endpoint: Option<String>,
    /// `server.sts.fallbackEndpoints`, and the CA of theirs.
    pub fallbacks: Vec<Emulator>,
    /// The script by which a shell starts the server, which is `"$@"`.
    pub script: &'static str,
    pub variables: Vec<(&'static str, PathBuf)>,
    /// How many bytes the folder of the state takes, if it is a disk of its own.
    pub disk: Option<usize>,
    /// Changes of the configuration, and those under `sts`.
    pub settings: Value,
    pub sts: Value,
    /// How long the server waits for a connection to STS, and for its answer: longer than any machine is slow, but
    /// where callers are to be told that it takes too long.
    pub patience: [&'static str; 2],
}

/// For faults that have callers wait. Where another endpoint or address serves, that one has its share of it.
pub const IMPATIENT: [&str; 2] = ["1s", "4s"];

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
            patience: ["30s", "30s"],
        }
    }
}

pub struct FaultFixture {
    pub sts: Arc<Emulator>,
    pub fallbacks: Vec<Emulator>,
    pub client: LoadClient,
    /// Tokens that the server remembers.
    pub known: Vec<(Caller, Secret)>,
    pub port: u16,
    script: &'static str,
    variables: Vec<(&'static str, PathBuf)>,
    server: Option<Authenticator>,
    _disk: Option<SmallDisk>,
    /// Where everything lies that the server needs; its state is in `state`.
    folder: TempDir,
}

impl FaultFixture {
    /// A server that has let the good callers in, and their tokens known.
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

    /// Everything but the server itself. Its CA is there already, as after `init`.
    pub fn prepare(sts: Emulator, plan: Plan) -> Result<Self, Fail> {
        let folder = tempfile::tempdir()?;
        let port = ports::free_port();
        write_config(folder.path(), port, &sts, &plan)?;
        let state = folder.path().join("state");
        fs::create_dir(&state)?;
        let disk = plan.disk.map(|bytes| SmallDisk::mount(&state, bytes));
        let made = authenticator::command(&state, &["init"]).output()?;
        if !made.status.success() {
            return Err(format!("init: {made:?}").into());
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

    /// Starts the server, or another one in place of one that has ended.
    pub fn start_server(&mut self) -> Result<(), Fail> {
        self.server = Some(Authenticator::start_with(self.command())?);
        Ok(())
    }

    /// The same when its log goes elsewhere: what tells that it has started is that it answers.
    pub async fn start_server_unheard(&mut self) -> Result<(), Fail> {
        self.server = Some(Authenticator::spawn(self.command()));
        self.recovered().await.map(drop)
    }

    /// What starts the server.
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
        self.server.as_ref().expect("it has been started")
    }

    pub fn take_server(&mut self) -> Authenticator {
        self.server.take().expect("it has been started")
    }

    /// Another client, with connections of its own.
    pub fn webhook(&self) -> Result<WebhookClient, Fail> {
        WebhookClient::new(&self.ca(), self.port)
    }

    /// The CA of the server.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("state/cert.pem")
    }

    /// Lets the good callers in with tokens that the server then knows. A machine that was too slow for STS is asked
    /// again.
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

    /// Everybody asks for as long as the fault lasts.
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

    /// How long it is until all is well, three times in a row.
    pub async fn recovered(&self) -> Result<Duration, Fail> {
        self.recovered_as(&self.client).await
    }

    /// Waits as [`Self::recovered`] does, by the reviews of `client`.
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
        Err(format!("{seconds} s after the fault, not all is well").into())
    }

    /// Ends the row: the server is the one that was there at the start, within bounds, and stops as it should.
    pub async fn end(mut self, tally: Tally, recovered: Duration) -> Result<Figures, Fail> {
        let server = self.take_server();
        let peak_kib = Usage::read_process(server.pid())?.peak_kib;
        let stopped = tokio::task::spawn_blocking(|| server.stop()).await??;
        if !stopped.success() {
            return Err(format!("the server ended with {stopped}").into());
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

    /// Everybody asks while the fault lasts, which `over` then ends.
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
    /// Whether everybody was told what they may be told.
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
            return Err(format!("new callers were told {fresh}, not {self:?}: {reasons}").into());
        }
        // Whatever becomes of STS, who is known is let in, and whose token is for somebody else is passed over.
        if known.unavailable > 0 || known.granted == 0 || rejected.denied == 0 {
            return Err(
                format!("known callers were told {known}, bad ones {rejected}: {reasons}").into(),
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
    let [connect, answer] = plan.patience;
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
