//! What a command obtains an access key with: settings, environment, cache, and the driver of calls.

use ack_ram_client::CallerIdentity;
use ack_ram_client::Client;
use ack_ram_client::cache::CacheFolder;
use ack_ram_client::driver::{Driver, DriverSettings};
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::{Findings, Topic};
use ack_ram_client::flow::Obtained;
use ack_ram_client::origin::Origin;
use ack_ram_client::plan::Plan;
use ack_ram_client::settings::Settings;

use super::options::parse_role;
use super::{CallOptions, SignedLogin};
use crate::cli::failure::CommandFailure;
use crate::clock;
use crate::config::ClientConfig;

/// The source of an access key, and what was found out about it.
pub(in crate::cli) struct KeySource {
    settings: Settings,
    environment: Environment,
    cache: Option<CacheFolder>,
    pub(in crate::cli) driver: Driver,
    pub(in crate::cli) findings: Findings,
}

/// A key, how it was obtained, and who owns it.
pub(in crate::cli) struct OwnedKey {
    pub(in crate::cli) plan: Plan,
    pub(in crate::cli) key: Obtained,
    pub(in crate::cli) caller: CallerIdentity,
}

impl KeySource {
    /// Prepares a source. `config` gives the role to assume, if no option does, and the CA file.
    pub(in crate::cli) fn new(
        mut settings: Settings,
        call: &CallOptions,
        config: &ClientConfig,
        environment: Environment,
    ) -> Result<Self, CommandFailure> {
        if let (None, Some(role)) = (&settings.role, &config.default_role) {
            let role = parse_role(role, Origin::DefaultRole);
            settings.role = Some(role.map_err(|error| CommandFailure::from_client(error.into()))?);
        }
        let mut findings = Findings::default();
        let cache = match call.no_cache {
            true => None,
            false => open_cache(call, &environment, &mut findings),
        };
        let driver = DriverSettings {
            clock: clock::now,
            timeout: call.timeout(),
            ca_file: config.sts.ca_file.clone(),
        };
        Ok(Self {
            driver: Driver::new(driver, &environment),
            settings,
            environment,
            cache,
            findings,
        })
    }

    /// Returns the client.
    pub(in crate::cli) fn client(&mut self) -> Client<'_> {
        Client {
            settings: &self.settings,
            environment: &self.environment,
            cache: self.cache.as_ref(),
            driver: &mut self.driver,
            findings: &mut self.findings,
        }
    }

    /// Obtains the key, and asks STS who owns it.
    pub(in crate::cli) fn ask_sts(
        &mut self,
        call: &CallOptions,
        config: &ClientConfig,
    ) -> Result<OwnedKey, CommandFailure> {
        let plan = self.client().plan().map_err(CommandFailure::from_client)?;
        let key = self.client().obtain_by(plan.clone());
        let key = key.map_err(CommandFailure::from_client)?;
        let login = SignedLogin::sign(&key, self, call, config)?;
        let caller = self.client().identify(login.token(), login.policy(), &plan);
        Ok(OwnedKey {
            plan,
            key,
            caller: caller.map_err(CommandFailure::from_client)?,
        })
    }

    /// Returns the environment.
    pub(in crate::cli) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// Opens the cache. Without a usable folder, the command works without a cache.
fn open_cache(
    call: &CallOptions,
    environment: &Environment,
    findings: &mut Findings,
) -> Option<CacheFolder> {
    let Some(path) = CacheFolder::locate(call.cache_dir(), environment) else {
        findings.advise(
            Topic::Cache,
            "there is no cache, because the home directory is unknown",
            "set `HOME`, or `--cache-dir`",
        );
        return None;
    };
    match CacheFolder::open(&path.value) {
        Ok(folder) => Some(folder),
        Err(error) => {
            findings.advise(
                Topic::Cache,
                format!("the cache `{}` is not used: {error}", path.value.display()),
                "make it a folder that only you can change (`chmod 700`), or set `--cache-dir`",
            );
            None
        }
    }
}
