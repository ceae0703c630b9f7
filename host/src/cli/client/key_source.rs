//! What a command obtains an access key with: settings, environment, cache, and the driver of calls.

use std::path::PathBuf;

use ack_ram_client::Client;
use ack_ram_client::cache::CacheFolder;
use ack_ram_client::driver::{Driver, DriverSettings};
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::Findings;
use ack_ram_client::origin::Origin;
use ack_ram_client::settings::Settings;

use super::CallOptions;
use super::options::parse_role;
use crate::cli::failure::CommandFailure;
use crate::clock;
use crate::config::ClientConfig;

/// The source of an access key, and what was found out about it.
pub(in crate::cli) struct KeySource {
    settings: Settings,
    environment: Environment,
    cache: Option<PathBuf>,
    pub(in crate::cli) driver: Driver,
    pub(in crate::cli) findings: Findings,
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
        let cache = match call.no_cache {
            true => None,
            false => CacheFolder::locate(call.cache_dir(), &environment).map(|path| path.value),
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
            findings: Findings::default(),
        })
    }

    /// Returns the client.
    pub(in crate::cli) fn client(&mut self) -> Client<'_> {
        Client {
            settings: &self.settings,
            environment: &self.environment,
            cache: self.cache.as_deref(),
            driver: &mut self.driver,
            findings: &mut self.findings,
        }
    }

    /// Returns the environment.
    pub(in crate::cli) fn environment(&self) -> &Environment {
        &self.environment
    }
}
