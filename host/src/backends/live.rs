//! The rules in effect. Sources of mappings change them. Requests read them without a lock.

mod transaction;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ack_ram_config::last_good::DEFAULT_LAST_GOOD_TTL;
pub use ack_ram_config::last_good::{Activation, Retention};
use ack_ram_core::arn::AccountId;
use ack_ram_core::decision::Decision;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::rules::{Backend, BackendRules, RuleSet, Source};
use ack_ram_core::time::UnixTime;
use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};

pub use transaction::Transaction;

use crate::backends::confirmations::Confirmations;
use crate::clock::{self, Uptime};

/// The rules of all backends, with notes about each backend.
///
/// A source changes the rules of one backend at a time. When the call returns, the change is in effect for requests.
pub struct LiveRules {
    snapshot: ArcSwap<RuleSet>,
    state: Mutex<LiveState>,
    confirmations: Confirmations,
}

struct LiveState {
    rules: RuleSet,
    notes: BTreeMap<Backend, BackendNotes>,
    last_good_ttl: i64,
}

/// The notes about the mappings of one backend: information that is not part of the rules.
#[derive(Clone, Debug, Default)]
pub struct BackendNotes {
    /// The activation of each rule in effect, by position.
    pub in_effect: HashMap<String, Activation>,
    /// The accounts in `mapAccounts`, by position.
    pub accounts: HashMap<String, AccountId>,
    /// The reasons why entries are refused, by position.
    pub refused: BTreeMap<String, String>,
    /// The reason why the source as a whole cannot be read or used. The previous rules stay in effect.
    pub trouble: Option<String>,
    /// Whether `trouble` quotes the content of the source, so that not every user may read it.
    pub is_trouble_confidential: bool,
}

impl LiveRules {
    /// Creates live rules from `rules`, all in effect since `now`.
    #[must_use]
    pub fn new(rules: RuleSet, now: UnixTime) -> Self {
        let notes = rules.backends().iter().map(|backend| {
            let positions = backend
                .rules()
                .into_iter()
                .map(|rule| &rule.source().position);
            let in_effect = positions.map(|position| (position.clone(), Activation::new(now)));
            let notes = BackendNotes {
                in_effect: in_effect.collect(),
                ..BackendNotes::default()
            };
            (backend.backend(), notes)
        });
        Self {
            state: Mutex::new(LiveState {
                notes: notes.collect(),
                rules: rules.clone(),
                last_good_ttl: DEFAULT_LAST_GOOD_TTL,
            }),
            snapshot: ArcSwap::from_pointee(rules),
            confirmations: Confirmations::new(clock::uptime),
        }
    }

    /// Replaces the clock for the ages of confirmations by `uptime`.
    #[must_use]
    pub fn with_uptime(self, uptime: Uptime) -> Self {
        Self {
            confirmations: Confirmations::new(uptime),
            ..self
        }
    }

    /// Returns the confirmations of the backends by their sources.
    #[must_use]
    pub fn confirmations(&self) -> &Confirmations {
        &self.confirmations
    }

    /// Decides about the login of `who` with the rules in effect, and with the backends that are stale now.
    pub fn decide(&self, who: &VerifiedIdentity) -> Decision {
        // Check for stale backends before loading the rules: the rules are then no older than the confirmations.
        let stale = Backend::ALL.map(|backend| (backend, self.confirmations.is_stale(backend)));
        let rules = self.snapshot();
        if stale.iter().all(|(_, is_stale)| !is_stale) {
            return who.decide(&rules);
        }
        let is_stale = |backend| stale.contains(&(backend, true));
        who.decide(&RuleSet::clone(&rules).with_stale(is_stale))
    }

    /// Returns the rules in effect now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<RuleSet> {
        self.snapshot.load_full()
    }

    /// Returns how long last good forms stay in effect, in seconds.
    #[must_use]
    pub fn last_good_ttl(&self) -> i64 {
        self.lock().last_good_ttl
    }

    /// Sets how many seconds after the edit last good forms stay in effect. Also applies to forms that are already
    /// kept.
    pub fn set_last_good_ttl(&self, ttl: i64) {
        let mut state = self.lock();
        state.last_good_ttl = ttl;
        let activations = state.notes.values_mut();
        let activations = activations.flat_map(|notes| notes.in_effect.values_mut());
        for kept in activations.filter_map(|activation| activation.retention.as_mut()) {
            kept.set_ttl(ttl);
        }
    }

    /// Runs `change` on the rules of `backend`, and publishes the result in one step. Returns the result of `change`,
    /// or `None` if this server does not use the backend.
    pub fn change<T>(
        &self,
        backend: Backend,
        change: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let mut rules = state.rules.clone();
        let last_good_ttl = state.last_good_ttl;
        let mut edit = Transaction {
            rules: rules.backend_mut(backend)?,
            notes: state.notes.entry(backend).or_default(),
            last_good_ttl,
        };
        let result = change(&mut edit);
        state.rules = rules.clone();
        self.snapshot.store(Arc::new(rules));
        Some(result)
    }

    /// Runs `reconfigure` on the rules of all backends, to change reserved names, validations, protected identities and
    /// scrubbed accounts. Then runs `change` on the rules of `backend`, if this server uses it. Publishes both in one
    /// step.
    pub fn reconfigure(
        &self,
        reconfigure: impl FnOnce(&RuleSet) -> RuleSet,
        backend: Backend,
        change: impl FnOnce(&mut Transaction<'_>),
    ) {
        let mut state = self.lock();
        let mut rules = reconfigure(&state.rules);
        let last_good_ttl = state.last_good_ttl;
        if let Some(backend_rules) = rules.backend_mut(backend) {
            change(&mut Transaction {
                rules: backend_rules,
                notes: state.notes.entry(backend).or_default(),
                last_good_ttl,
            });
        }
        state.rules = rules.clone();
        self.snapshot.store(Arc::new(rules));
    }

    /// Removes last good forms that have expired at `now`. Returns the removed rules.
    pub fn expire(&self, now: UnixTime) -> Vec<Source> {
        let backends: Vec<Backend> = self.lock().notes.keys().copied().collect();
        let expired = backends.into_iter().filter_map(|backend| {
            if !self.lock().notes.get(&backend)?.has_expired(now) {
                return None;
            }
            self.change(backend, |edit| edit.expire(now))
        });
        expired.flatten().collect()
    }

    /// Calls `f` with the rules and the notes of each backend, and returns the results. Blocks sources during the call,
    /// but not requests.
    #[must_use]
    pub fn inspect<T>(&self, f: impl Fn(&BackendRules, &BackendNotes) -> T) -> Vec<T> {
        let state = self.lock();
        let nothing = BackendNotes::default();
        let backends = state.rules.backends().iter();
        backends
            .map(|rules| f(rules, state.notes.get(&rules.backend()).unwrap_or(&nothing)))
            .collect()
    }

    /// Locks the state, even after a panic in a change: such a change has published no rules.
    fn lock(&self) -> MutexGuard<'_, LiveState> {
        self.state.lock()
    }
}

impl BackendNotes {
    fn has_expired(&self, now: UnixTime) -> bool {
        let mut kept = self
            .in_effect
            .values()
            .filter_map(|activation| activation.retention.as_ref());
        kept.any(|kept| kept.is_expired(now))
    }
}
