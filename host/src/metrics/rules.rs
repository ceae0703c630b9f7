//! Metrics of rules and backends, computed at each scrape.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use ack_ram_core::rules::{Backend, BackendRules, RuleSet};
use ack_ram_core::time::UnixTime;
use prometheus::{Error, IntGaugeVec, Registry};

use crate::backends::live::{BackendNotes, LiveRules};
use crate::clock::Clock;
use crate::metrics::{metric_opts, register};

/// Metrics of the rules in effect.
pub(super) struct RuleGauges {
    live: Arc<LiveRules>,
    clock: Clock,
    rules: IntGaugeVec,
    is_read: IntGaugeVec,
    has_trouble: IntGaugeVec,
    is_broken: IntGaugeVec,
    kept_age: IntGaugeVec,
    confirmed_age: IntGaugeVec,
    /// The rules at the previous scrape. Each change, also of the notes about the rules, creates a new rule set.
    scraped: Weak<RuleSet>,
    /// For each backend, the time of the oldest invalid edit whose last good form is kept.
    kept_since: Vec<(Backend, Option<UnixTime>)>,
}

impl RuleGauges {
    pub(super) fn new(
        registry: &Registry,
        live: Arc<LiveRules>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let rules = metric_opts(
            "rules",
            "Rules by state: in_effect, kept (the last good form replaces an invalid edit), refused (invalid, not in effect), conflicted (shadowed by a rule that takes precedence).",
        );
        let is_read = metric_opts(
            "backend_read",
            "Whether the backend completed its first sync (1) or not (0). Until then, logins that need this backend or a later one get HTTP 503.",
        );
        let has_trouble = metric_opts(
            "backend_trouble",
            "Whether the backend cannot be read now, or its document is invalid (1), or not (0). Meanwhile, the last good rules of the backend stay in effect, unless its source was deleted.",
        );
        let is_broken = metric_opts(
            "backend_broken",
            "Whether the document of the backend was read but is invalid as a whole (1) or not (0). After a first sync, the last good rules stay in effect; otherwise logins that need this backend or a later one get HTTP 503.",
        );
        let kept_age = metric_opts(
            "kept_age_seconds",
            "Time since the oldest invalid edit whose last good form is kept; 0 if no rule is kept.",
        );
        let confirmed_age = metric_opts(
            "backend_confirmed_age_seconds",
            "Time since the source last confirmed its mappings: an API server by a complete list, an answered watch, or an event; a file by a poll that could read it. A healthy backend stays below two minutes. There is no series before the first confirmation.",
        );
        let gauges = |name, labels: &[&str]| register(registry, IntGaugeVec::new(name, labels));
        Ok(Self {
            rules: gauges(rules, &["backend", "state"])?,
            is_read: gauges(is_read, &["backend"])?,
            has_trouble: gauges(has_trouble, &["backend"])?,
            is_broken: gauges(is_broken, &["backend"])?,
            kept_age: gauges(kept_age, &["backend"])?,
            confirmed_age: gauges(confirmed_age, &["backend"])?,
            live,
            clock,
            scraped: Weak::new(),
            kept_since: Vec::new(),
        })
    }

    /// Updates the gauges.
    pub(super) fn refresh(&mut self) {
        // A change after this line is noticed at the next scrape, if not at this one.
        let snapshot = Arc::downgrade(&self.live.snapshot());
        if !Weak::ptr_eq(&snapshot, &self.scraped) {
            // Conflicts are counted after the sources are unlocked.
            let snapshots = self.live.inspect(BackendSnapshot::new);
            self.kept_since = snapshots
                .iter()
                .map(|snapshot| self.set_gauges(snapshot))
                .collect();
            self.scraped = snapshot;
        }
        self.set_confirmations();
        let now = (self.clock)();
        for (backend, since) in &self.kept_since {
            let age = since.map_or(0, |since| now.seconds_since(since).max(0));
            self.kept_age
                .with_label_values(&[backend.to_string()])
                .set(age);
        }
    }

    fn set_confirmations(&self) {
        for rules in self.live.snapshot().backends() {
            let backend = rules.backend();
            if let Some(age) = self.live.confirmations().age(backend) {
                let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
                self.confirmed_age
                    .with_label_values(&[backend.to_string()])
                    .set(age);
            }
        }
    }

    fn set_gauges(&self, snapshot: &BackendSnapshot) -> (Backend, Option<UnixTime>) {
        let backend = snapshot.rules.backend();
        let name = &*backend.to_string();
        let conflicts = snapshot.rules.conflicts();
        let shadowed = conflicts.iter().map(|conflict| &conflict.shadowed.position);
        let conflicted = shadowed
            .filter(|loser| !snapshot.kept.contains(*loser))
            .count();
        let kept = snapshot.kept.len();
        let in_effect = snapshot.rules.len().saturating_sub(kept + conflicted);
        for (state, count) in [
            ("in_effect", in_effect),
            ("kept", kept),
            ("refused", snapshot.refused),
            ("conflicted", conflicted),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.rules.with_label_values(&[name, state]).set(count);
        }
        let is_read = snapshot.rules.is_synced().into();
        self.is_read.with_label_values(&[name]).set(is_read);
        let has_trouble = snapshot.has_trouble.into();
        self.has_trouble.with_label_values(&[name]).set(has_trouble);
        let is_broken = snapshot.is_broken.into();
        self.is_broken.with_label_values(&[name]).set(is_broken);
        (backend, snapshot.kept_since)
    }
}

/// The state of one backend at one scrape.
struct BackendSnapshot {
    rules: BackendRules,
    /// Positions of rules that are kept in their last good form.
    kept: HashSet<String>,
    kept_since: Option<UnixTime>,
    /// Number of invalid entries of which no form is in effect.
    refused: usize,
    has_trouble: bool,
    is_broken: bool,
}

impl BackendSnapshot {
    fn new(rules: &BackendRules, notes: &BackendNotes) -> Self {
        let kept = notes.in_effect.iter().filter_map(|(position, activation)| {
            let kept = activation.retention.as_ref()?;
            Some((position.clone(), kept.since))
        });
        let (kept, since): (HashSet<String>, Vec<UnixTime>) = kept.unzip();
        let refused = notes.refused.keys();
        Self {
            rules: rules.clone(),
            refused: refused.filter(|position| !kept.contains(*position)).count(),
            kept_since: since.into_iter().min(),
            kept,
            has_trouble: notes.trouble.is_some(),
            is_broken: notes.trouble.is_some() && notes.is_trouble_confidential,
        }
    }
}
