//! One change of the rules of a backend, and of what is known about them.

use ack_ram_config::last_good::{
    Activation, NamedSubject, Retention, RetentionBasis, RetentionError, retain,
};
use ack_ram_core::rules::{BackendRules, Rule, Source};
use ack_ram_core::time::UnixTime;

use crate::backends::live::BackendNotes;
use crate::config::partial_entry::PartialEntry;

/// A transaction on the rules of one backend.
pub struct Transaction<'a> {
    pub(super) rules: &'a mut BackendRules,
    pub(super) notes: &'a mut BackendNotes,
    pub(super) last_good_ttl: i64,
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
            // The reason of the refusal stays in the notes, for `get mappings` and the status.
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

    /// Ends the retention of what has been kept for long enough. Returns the entries.
    pub(super) fn expire(&mut self, now: UnixTime) -> Vec<Source> {
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
            // The reason of the refusal stays in the notes, for `get mappings` and the status.
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
