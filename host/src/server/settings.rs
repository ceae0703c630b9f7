//! Settings that take effect while the server runs: which tokens it takes, and how it asks STS.
//!
//! They are put in effect as a whole, with everything that was remembered forgotten, or not at all.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ack_ram_core::policy::Policy;
use tokio::sync::watch;

use crate::authenticator::{Authenticator, Identifier};
use crate::backends::live::LiveRules;
use crate::backends::watched_file::{self, LOOK_EVERY, MAY_BE_MISSING, Seen, WatchedFile};
use crate::config::{Config, Settings, Sts};
use crate::env;
use crate::metrics::Metrics;
use crate::server::memory;
use crate::sts::{StsClient, Trust, TrustError};

/// The settings of a server that runs.
pub(super) struct LiveSettings {
    authenticator: Arc<Authenticator>,
    metrics: Arc<Metrics>,
    /// More calls to STS at once than file descriptors are enough for.
    most_calls: usize,
    state: Mutex<State>,
}

struct State {
    wanted: Wanted,
    in_effect: InEffect,
    ca_file: Option<WatchedFile>,
    /// Why what is wanted is not in effect, as it was last told.
    told: Option<String>,
}

/// What the configuration says.
struct Wanted {
    policy: Policy,
    sts: Sts,
}

struct InEffect {
    settings: Settings,
    trust: Trust,
}

impl LiveSettings {
    /// Puts in effect what `config` says, for identities that are what `rules` say.
    ///
    /// # Errors
    /// When STS cannot be asked as it says.
    pub(super) fn start(
        config: &Config,
        rules: Arc<LiveRules>,
        metrics: Arc<Metrics>,
        most_calls: usize,
    ) -> Result<Arc<Self>, TrustError> {
        let wanted = Wanted::of(config);
        // Looked at before it is read: what is written in between is seen at the next look.
        let ca_file = wanted.ca_file();
        let trust = Trust::load(wanted.sts.ca_file.as_ref())?;
        let identifier = wanted.identifier(&trust, &metrics, most_calls)?;
        Ok(Arc::new(Self {
            authenticator: Arc::new(Authenticator::new(identifier, rules)),
            metrics,
            most_calls,
            state: Mutex::new(State {
                in_effect: InEffect {
                    settings: wanted.settings(),
                    trust,
                },
                ca_file,
                wanted,
                told: None,
            }),
        }))
    }

    /// What decides by these settings.
    pub(super) fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// Puts in effect what `config` says now. What cannot be, is told in the log, and tried again when a file changes.
    pub(super) fn apply(&self, config: &Config) {
        let mut state = self.state();
        let before = mem::replace(&mut state.wanted, Wanted::of(config));
        // The cluster is that of the start.
        state.wanted.policy.cluster_id = before.policy.cluster_id;
        if before.sts.ca_file != state.wanted.sts.ca_file {
            state.ca_file = state.wanted.ca_file();
        }
        self.put(&mut state, false);
    }

    /// Reads anew what proves STS, because somebody asks for it. Blocks. Whether all that is wanted is in effect.
    pub(super) fn reload(&self) -> bool {
        let mut state = self.state();
        state.told = None;
        self.put(&mut state, true);
        state.told.is_none()
    }

    /// Keeps the certificates that prove STS as `server.sts.caFile` is, until `stop` is true or its sender is gone.
    pub(super) async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        watched_file::look_again_and_again(LOOK_EVERY, stop, move || self.look(Instant::now()))
            .await;
    }

    fn look(&self, at: Instant) {
        let mut state = self.state();
        let seen = state.ca_file.as_mut().and_then(|file| file.look(at));
        if let Some(Seen::Content(..) | Seen::Unfit(..) | Seen::Missing | Seen::Unreadable(_)) =
            seen
        {
            self.put(&mut state, true);
        }
    }

    fn put(&self, state: &mut State, reads_trust: bool) {
        match self.try_to_put(state, reads_trust) {
            Ok(()) => state.told = None,
            Err(error) => {
                let error = error.to_string();
                if state.told.as_ref() != Some(&error) {
                    tracing::error!("{error}; until then STS is asked as before");
                    state.told = Some(error);
                }
            }
        }
    }

    fn try_to_put(&self, state: &mut State, reads_trust: bool) -> Result<(), TrustError> {
        let State {
            wanted, in_effect, ..
        } = state;
        let settings = wanted.settings();
        let mut changed = in_effect.settings.changed_in(&settings);
        if changed.is_empty() && !reads_trust {
            return Ok(());
        }
        let trust = Trust::load(wanted.sts.ca_file.as_ref())?;
        if changed.is_empty() && trust == in_effect.trust {
            return Ok(());
        }
        let identifier = wanted.identifier(&trust, &self.metrics, self.most_calls)?;
        if changed.is_empty() {
            changed.push("server.sts.caFile");
        }
        self.authenticator.replace(identifier);
        *in_effect = InEffect { settings, trust };
        let changed = changed.join("`, `");
        let sts = &wanted.sts.endpoint;
        tracing::info!(%sts, "`{changed}` changed, and is in effect; remembered identities are forgotten");
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    fn of(config: &Config) -> Self {
        Self {
            policy: config.policy.clone(),
            sts: config.sts.clone(),
        }
    }

    fn settings(&self) -> Settings {
        Settings::live(&self.policy, &self.sts)
    }

    /// `server.sts.caFile`, of which changes from now on are seen.
    fn ca_file(&self) -> Option<WatchedFile> {
        let path = self.sts.ca_file.clone()?;
        let mut file = WatchedFile::new(path, MAY_BE_MISSING);
        file.read_now(Instant::now());
        Some(file)
    }

    fn identifier(
        &self,
        trust: &Trust,
        metrics: &Metrics,
        most_calls: usize,
    ) -> Result<Identifier, TrustError> {
        let mut sts = self.sts.clone();
        sts.limits.max_calls = sts.limits.max_calls.min(most_calls);
        if let Some(memory) = memory::limit_of_this_process() {
            let adjustments = memory::fit_sts(&mut sts.limits, memory);
            adjustments.iter().for_each(memory::Adjustment::log);
        }
        let client = StsClient::trusting(trust, &sts, &metrics.sts)?;
        let policy = self.policy.clone();
        Ok(Identifier::new(
            policy,
            client,
            &sts.limits,
            &metrics.sts,
            env::now,
        ))
    }
}
