//! Settings that take effect while the server runs: which tokens it accepts, and how it calls STS.
//!
//! They are applied together, with an empty identity cache, or not at all.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_core::policy::TokenPolicy;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::authenticator::{Authenticator, IdentityResolver};
use crate::backends::live::LiveRules;
use crate::clock;
use crate::config::{Config, SettingsSnapshot, Sts};
use crate::metrics::Metrics;
use crate::polling::{self, FileEvent, MAY_BE_MISSING, POLL_INTERVAL, WatchedFile};
use crate::server::memory;
use crate::sts::{StsClient, StsTrust, StsTrustError};

/// The settings of a running server.
pub(super) struct LiveSettings {
    authenticator: Arc<Authenticator>,
    metrics: Arc<Metrics>,
    /// Maximum number of simultaneous calls to STS for which file descriptors are available.
    max_calls: usize,
    state: Mutex<SettingsState>,
}

struct SettingsState {
    desired: DesiredSettings,
    applied: AppliedSettings,
    ca_file: Option<WatchedFile>,
    /// Why the desired settings are not applied, as last logged.
    last_error: Option<String>,
}

/// The settings of the configuration.
struct DesiredSettings {
    policy: TokenPolicy,
    sts: Sts,
}

struct AppliedSettings {
    settings: SettingsSnapshot,
    trust: StsTrust,
}

impl LiveSettings {
    /// Applies the settings of `config`, with `rules`.
    ///
    /// # Errors
    /// Returns an error if no client for STS can be built from the settings.
    pub(super) fn start(
        config: &Config,
        rules: Arc<LiveRules>,
        metrics: Arc<Metrics>,
        max_calls: usize,
    ) -> Result<Arc<Self>, StsTrustError> {
        let desired = DesiredSettings::from_config(config);
        // The state of the file is recorded before it is loaded, so a change in between is noticed at the next poll.
        let ca_file = desired.ca_file();
        let trust = StsTrust::load(desired.sts.ca_file.as_ref())?;
        let resolver = desired.build_resolver(&trust, &metrics, max_calls)?;
        Ok(Arc::new(Self {
            authenticator: Arc::new(Authenticator::new(resolver, rules)),
            metrics,
            max_calls,
            state: Mutex::new(SettingsState {
                applied: AppliedSettings {
                    settings: desired.settings(),
                    trust,
                },
                ca_file,
                desired,
                last_error: None,
            }),
        }))
    }

    /// Returns the authenticator that uses these settings.
    pub(super) fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// Applies the settings of `config`. A failure is logged, and retried when a file changes.
    pub(super) fn apply(&self, config: &Config) {
        let mut state = self.state.lock();
        let previous = mem::replace(&mut state.desired, DesiredSettings::from_config(config));
        // The cluster ID changes only with a restart.
        state.desired.policy.cluster_id = previous.policy.cluster_id;
        if previous.sts.ca_file != state.desired.sts.ca_file {
            state.ca_file = state.desired.ca_file();
        }
        self.apply_desired(&mut state, false);
    }

    /// Reloads the certificates that verify STS, on request. Blocks. Returns whether all desired settings are applied.
    pub(super) fn reload(&self) -> bool {
        let mut state = self.state.lock();
        state.last_error = None;
        self.apply_desired(&mut state, true);
        state.last_error.is_none()
    }

    /// Reloads the certificates that verify STS when `server.sts.caFile` changes, until `stop` is true or its sender is
    /// dropped.
    pub(super) async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        polling::poll_until_stopped(POLL_INTERVAL, stop, move || self.poll(Instant::now())).await;
    }

    fn poll(&self, at: Instant) {
        let mut state = self.state.lock();
        let event = state.ca_file.as_mut().and_then(|file| file.poll(at));
        if let Some(
            FileEvent::Content(..)
            | FileEvent::InvalidContent(..)
            | FileEvent::Missing
            | FileEvent::Unreadable(_),
        ) = event
        {
            self.apply_desired(&mut state, true);
        }
    }

    fn apply_desired(&self, state: &mut SettingsState, reads_trust: bool) {
        match self.try_apply(state, reads_trust) {
            Ok(()) => state.last_error = None,
            Err(error) => {
                let error = error.to_string();
                if state.last_error.as_ref() != Some(&error) {
                    tracing::error!("{error}; the previous STS settings stay in effect until then");
                    state.last_error = Some(error);
                }
            }
        }
    }

    fn try_apply(&self, state: &mut SettingsState, reads_trust: bool) -> Result<(), StsTrustError> {
        let SettingsState {
            desired, applied, ..
        } = state;
        let settings = desired.settings();
        let mut changed = applied.settings.changed_names(&settings);
        if changed.is_empty() && !reads_trust {
            return Ok(());
        }
        let trust = StsTrust::load(desired.sts.ca_file.as_ref())?;
        if changed.is_empty() && trust == applied.trust {
            return Ok(());
        }
        let resolver = desired.build_resolver(&trust, &self.metrics, self.max_calls)?;
        if changed.is_empty() {
            changed.push("server.sts.caFile");
        }
        self.authenticator.replace(resolver);
        *applied = AppliedSettings { settings, trust };
        let changed = changed.join("`, `");
        let sts = &desired.sts.endpoint;
        tracing::info!(%sts, "`{changed}` changed and is in effect; the identity cache is cleared");
        Ok(())
    }
}

impl DesiredSettings {
    fn from_config(config: &Config) -> Self {
        Self {
            policy: config.policy.clone(),
            sts: config.sts.clone(),
        }
    }

    fn settings(&self) -> SettingsSnapshot {
        SettingsSnapshot::hot_reloadable(&self.policy, &self.sts)
    }

    /// Returns a watch of `server.sts.caFile` that reports changes from now on, or `None` if it is not set.
    fn ca_file(&self) -> Option<WatchedFile> {
        let path = self.sts.ca_file.clone()?;
        let mut file = WatchedFile::new(path, MAY_BE_MISSING);
        file.read_now(Instant::now());
        Some(file)
    }

    fn build_resolver(
        &self,
        trust: &StsTrust,
        metrics: &Metrics,
        max_calls: usize,
    ) -> Result<IdentityResolver, StsTrustError> {
        let mut sts = self.sts.clone();
        sts.limits.max_calls = sts.limits.max_calls.min(max_calls);
        if let Some(memory) = memory::limit_of_this_process() {
            let adjustments = memory::fit_sts(&mut sts.limits, memory);
            adjustments.iter().for_each(memory::Adjustment::log);
        }
        let client = StsClient::with_trust(trust, &sts, &metrics.sts)?;
        let policy = self.policy.clone();
        Ok(IdentityResolver::new(
            policy,
            client,
            &sts.limits,
            &metrics.sts,
            clock::now,
        ))
    }
}
