//! The rules in effect: changed by the sources of mappings, read by requests without a lock.

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

/// The rules of all backends, and what is known about how they came to be.
///
/// Sources change them one backend at a time; each change is in effect for requests when the call returns.
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

/// What is known about the mappings of one backend, beside the rules themselves.
#[derive(Clone, Debug, Default)]
pub struct BackendNotes {
    /// Of each rule in effect, by position.
    pub in_effect: HashMap<String, Activation>,
    /// The accounts that `mapAccounts` names, by position.
    pub accounts: HashMap<String, AccountId>,
    /// Entries that are refused, by position, and why.
    pub refused: BTreeMap<String, String>,
    /// What keeps the source as a whole from being read; the rules are those of before.
    pub trouble: Option<String>,
    /// `trouble` quotes what the source holds, so not everybody may read it.
    pub is_trouble_confidential: bool,
}

impl LiveRules {
    /// Starts with `rules`, all of them in effect since `now`.
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

    /// The same, with the ages of its backends by `uptime`.
    #[must_use]
    pub fn with_uptime(self, uptime: Uptime) -> Self {
        Self {
            confirmations: Confirmations::new(uptime),
            ..self
        }
    }

    /// When each backend was last confirmed by its source.
    #[must_use]
    pub fn confirmations(&self) -> &Confirmations {
        &self.confirmations
    }

    /// Decides what `who` is granted now, by the rules in effect and by which of them are stale.
    pub fn decide(&self, who: &VerifiedIdentity) -> Decision {
        // Before the rules are taken: these are then no older than the confirmation that was looked at.
        let stale = Backend::ALL.map(|backend| (backend, self.confirmations.is_stale(backend)));
        let rules = self.snapshot();
        if stale.iter().all(|(_, is_stale)| !is_stale) {
            return who.decide(&rules);
        }
        let is_stale = |backend| stale.contains(&(backend, true));
        who.decide(&RuleSet::clone(&rules).with_stale(is_stale))
    }

    /// The rules in effect now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<RuleSet> {
        self.snapshot.load_full()
    }

    /// How long last good forms stay, in seconds.
    #[must_use]
    pub fn last_good_ttl(&self) -> i64 {
        self.lock().last_good_ttl
    }

    /// From now on last good forms stay for so many seconds after the edit, those that are kept already, too.
    pub fn set_last_good_ttl(&self, ttl: i64) {
        let mut state = self.lock();
        state.last_good_ttl = ttl;
        let activations = state.notes.values_mut();
        let activations = activations.flat_map(|notes| notes.in_effect.values_mut());
        for kept in activations.filter_map(|activation| activation.retention.as_mut()) {
            kept.set_ttl(ttl);
        }
    }

    /// Runs `change` on the rules of `backend`, and publishes the result in one step. Returns `None` if this server does
    /// not use that backend.
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

    /// Lets `reconfigure` make other rules of all of them, how names are reserved, validated, protected, scrubbed; and
    /// `change` edit those of `backend`, if this server asks it. For whoever logs in, both at once.
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

    /// Takes back what has been kept for long enough after a broken edit. Which rules those were.
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

    /// What `look` sees in the rules of each backend and in what is known about them. Sources wait meanwhile; requests
    /// do not.
    #[must_use]
    pub fn inspect<T>(&self, look: impl Fn(&BackendRules, &BackendNotes) -> T) -> Vec<T> {
        let state = self.lock();
        let nothing = BackendNotes::default();
        let backends = state.rules.backends().iter();
        backends
            .map(|rules| look(rules, state.notes.get(&rules.backend()).unwrap_or(&nothing)))
            .collect()
    }

    /// A change that panicked has published no rules.
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
