//! The rules in effect: changed by the sources of mappings, read by requests without a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use ack_ram_config::last_good::{Activation, Retention};
use ack_ram_config::last_good::{
    DEFAULT_LAST_GOOD_TTL, NamedSubject, RetentionBasis, RetentionError, retain,
};
use ack_ram_core::arn::AccountId;
use ack_ram_core::decision::Decision;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::rules::{Backend, BackendRules, Rule, RuleSet, Source};
use ack_ram_core::time::UnixTime;
use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};

use crate::backends::confirmations::Confirmations;
use crate::clock::{self, Uptime};
use crate::config::partial_entry::PartialEntry;

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

/// A transaction on the rules of one backend.
pub struct Transaction<'a> {
    rules: &'a mut BackendRules,
    notes: &'a mut BackendNotes,
    last_good_ttl: i64,
}

impl Transaction<'_> {
    /// The rules as they are now.
    #[must_use]
    pub fn rules(&self) -> &BackendRules {
        self.rules
    }

    /// Why the last good form of the entry at `position` stays; `None` when it does not.
    #[must_use]
    pub fn retention(&self, position: &str) -> Option<&Retention> {
        self.notes.in_effect.get(position)?.retention.as_ref()
    }

    /// Puts `rule` in effect, in place of what is at its position. Which entries that are kept gave way to it.
    pub fn apply(&mut self, rule: Rule, now: UnixTime) -> Vec<String> {
        let position = rule.source().position.clone();
        self.notes.refused.remove(&position);
        let in_effect = &mut self.notes.in_effect;
        in_effect.insert(position.clone(), Activation::new(now));
        self.rules.apply(rule);
        let rule = self.rules.rule(&position);
        // What is kept is refused, too; looking at a crowd of rivals takes its time.
        let Some(rule) = rule.filter(|_| !self.notes.refused.is_empty()) else {
            return Vec::new();
        };
        let rivals = self.rules.same_subject_rules(&position).into_iter();
        let kept: Vec<String> = rivals
            .filter(|rival| self.must_yield(rival, rule))
            .map(|rival| rival.source().position.clone())
            .collect();
        for position in &kept {
            // Why it was refused stays, for whoever asks.
            self.notes.in_effect.remove(position);
            self.rules.delete(position);
        }
        kept
    }

    /// Keeps the last good form of the invalid entry at `position`, as far as its newest text `newest` allows
    /// ([`retain`]), for a limited time, unless a new entry takes its place. `reason` says why the entry is invalid.
    ///
    /// # Errors
    /// Returns why nothing is kept. The entry is refused then.
    pub fn keep_last_good(
        &mut self,
        position: &str,
        reason: &str,
        newest: &PartialEntry,
        now: UnixTime,
    ) -> Result<(), RetentionError> {
        let kept = self.try_keep_last_good(position, reason, newest, now);
        match &kept {
            Ok(()) => {
                let refused = &mut self.notes.refused;
                refused.insert(position.to_owned(), reason.to_owned());
            }
            Err(RetentionError::NoLastGood) => self.refuse(position, reason),
            Err(why) => {
                let reason = format!("{reason}; nothing of it is kept: {why}");
                self.refuse(position, &reason);
            }
        }
        kept
    }

    /// Keeps the rule at `position`, as if the newest text still said all of it.
    #[cfg(test)]
    pub(crate) fn keep_whole_rule(&mut self, position: &str, reason: &str, now: UnixTime) {
        let rule = self.rules.rule(position).unwrap();
        let newest = PartialEntry::from_mapping(&rule.to_mapping());
        self.keep_last_good(position, reason, &newest, now).unwrap();
    }

    fn try_keep_last_good(
        &mut self,
        position: &str,
        reason: &str,
        newest: &PartialEntry,
        now: UnixTime,
    ) -> Result<(), RetentionError> {
        let last = self
            .rules
            .rule(position)
            .ok_or(RetentionError::NoLastGood)?;
        let activation = self.notes.in_effect.get_mut(position);
        let activation = activation.ok_or(RetentionError::NoLastGood)?;
        let is_over = |kept: &Retention| kept.is_expired(now);
        if self.last_good_ttl <= 0 || activation.retention.as_ref().is_some_and(is_over) {
            return Err(RetentionError::Expired);
        }
        let retained = retain(&last.to_mapping(), newest)?;
        let is_slip = matches!(NamedSubject::from_entry(newest), Ok(NamedSubject::Typo(_)));
        if is_slip && !self.rules.same_subject_rules(position).is_empty() {
            return Err(RetentionError::WrittenElsewhere);
        }
        let rule = Rule::compile(retained).map_err(|_| RetentionError::Condition)?;
        let (reason, basis) = (reason.to_owned(), RetentionBasis::BothTexts);
        activation.retention = Some(match activation.retention.take() {
            Some(kept) => kept.renewed(reason, basis),
            None => Retention::new(now, self.last_good_ttl, reason, basis),
        });
        self.rules.apply(rule);
        let rule = self
            .rules
            .rule(position)
            .ok_or(RetentionError::NoLastGood)?;
        let rivals = self.rules.same_subject_rules(position);
        if rivals.iter().any(|rival| self.must_yield(rule, rival)) {
            return Err(RetentionError::WrittenElsewhere);
        }
        Ok(())
    }

    /// Returns whether `kept`, the last good form of an invalid entry, has to yield to `new`, which has the same subject and
    /// is not older than the invalid edit.
    fn must_yield(&self, kept: &Rule, new: &Rule) -> bool {
        let activation = |rule: &Rule| self.notes.in_effect.get(&rule.source().position);
        let (Some(before), Some(after)) = (activation(kept), activation(new)) else {
            return false;
        };
        let is_newer = before
            .retention
            .as_ref()
            .is_some_and(|kept| after.retention.is_none() && after.since >= kept.since);
        is_newer && (kept.takes_precedence_over(new) || !new.has_condition())
    }

    /// Refuses the entry at `position` for `reason`. Nothing of the entry is in effect then.
    pub fn refuse(&mut self, position: &str, reason: &str) {
        self.delete(position);
        self.notes
            .refused
            .insert(position.to_owned(), reason.to_owned());
    }

    /// Deletes the entry at `position`. Returns whether it was in effect.
    pub fn delete(&mut self, position: &str) -> bool {
        self.notes.refused.remove(position);
        self.notes.in_effect.remove(position);
        self.rules.delete(position)
    }

    /// Replaces all rules of the backend, and the notes about them.
    pub fn replace(&mut self, rules: BackendRules, notes: BackendNotes) {
        *self.rules = rules;
        *self.notes = notes;
    }

    /// Marks the backend as synced: everything in the source has been applied.
    pub fn mark_synced(&mut self) {
        self.rules.mark_synced();
    }

    /// What keeps the source from being read; `None` when nothing does. It quotes nothing of what the source holds.
    pub fn set_trouble(&mut self, trouble: Option<String>) {
        self.notes.trouble = trouble;
        self.notes.is_trouble_confidential = false;
        self.rules.set_broken(false);
    }

    /// What the source holds cannot be used as a whole, for this reason, which may quote it.
    pub fn set_broken(&mut self, reason: String) {
        self.notes.trouble = Some(reason);
        self.notes.is_trouble_confidential = true;
        self.rules.set_broken(true);
    }

    fn expire(&mut self, now: UnixTime) -> Vec<Source> {
        let is_over = |activation: &Activation| {
            activation
                .retention
                .as_ref()
                .is_some_and(|kept| kept.is_expired(now))
        };
        let in_effect = self.notes.in_effect.iter();
        let positions: Vec<String> = in_effect
            .filter(|(_, activation)| is_over(activation))
            .map(|(position, _)| position.clone())
            .collect();
        let expired = positions.into_iter().map(|position| {
            // Why it was refused stays, for whoever asks.
            self.notes.in_effect.remove(&position);
            self.rules.delete(&position);
            if let Some(account) = self.notes.accounts.remove(&position) {
                self.rules.delete_account(&account);
            }
            Source {
                backend: self.rules.backend(),
                position,
            }
        });
        expired.collect()
    }
}
