//! A change of the rules of one backend and of the notes about them.

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
    /// Returns the current rules.
    #[must_use]
    pub fn rules(&self) -> &BackendRules {
        self.rules
    }

    /// Returns the retention of the entry at `position`; `None` if its last good form is not kept.
    #[must_use]
    pub fn retention(&self, position: &str) -> Option<&Retention> {
        self.notes.in_effect.get(position)?.retention.as_ref()
    }

    /// Puts `rule` in effect and replaces the rule at its position. Returns the positions of kept last good forms that
    /// had to yield to `rule`.
    pub fn apply(&mut self, rule: Rule, now: UnixTime) -> Vec<String> {
        let position = rule.source().position.clone();
        self.notes.refused.remove(&position);
        let in_effect = &mut self.notes.in_effect;
        in_effect.insert(position.clone(), Activation::new(now));
        self.rules.apply(rule);
        let rule = self.rules.rule(&position);
        // Every kept form also has a refusal. Without refusals, skip the comparison with many rivals.
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

    /// Keeps the last good form of the invalid entry at `position` for a limited time, as far as its newest text
    /// `newest` allows ([`retain`]), unless a new entry has the same subject. `reason` says why the entry is invalid.
    ///
    /// # Errors
    /// If nothing is kept. The entry is then refused.
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
                let reason = format!("{reason}; nothing is kept: {why}");
                self.refuse(position, &reason);
            }
        }
        kept
    }

    /// Keeps the complete rule at `position`, as if the newest text still had all of its parts.
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

    /// Returns whether `kept`, the last good form of an invalid entry, has to yield to `new`: a valid rule with the
    /// same subject that is not older than the invalid edit.
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

    /// Refuses the entry at `position` for `reason`, and removes its rule.
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

    /// Marks the backend as synced: the complete source has been applied.
    pub fn mark_synced(&mut self) {
        self.rules.mark_synced();
    }

    /// Sets the reason why the source cannot be read, or `None` if it can. The reason must not quote the source.
    pub fn set_trouble(&mut self, trouble: Option<String>) {
        self.notes.trouble = trouble;
        self.notes.is_trouble_confidential = false;
        self.rules.set_broken(false);
    }

    /// Marks the content of the source as invalid as a whole. `reason` may quote the source.
    pub fn set_broken(&mut self, reason: String) {
        self.notes.trouble = Some(reason);
        self.notes.is_trouble_confidential = true;
        self.rules.set_broken(true);
    }

    /// Removes last good forms that have expired at `now`. Returns the removed entries.
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
