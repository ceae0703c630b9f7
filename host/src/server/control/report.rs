//! What is in effect, as JSON.

use std::io::{self, BufWriter, Write};
use std::iter;
use std::time::Duration;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Backend, BackendRules, Conflict, Rule};
use ack_ram_core::time::UnixTime;
use serde::{Serialize, Serializer};

use crate::backends::live::{Activation, LiveRules, Retention};

/// Sources wait for no more than so many rules to be looked at.
const RULE_BATCH: usize = 512;
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes what `live` has in effect. The rules are those of one moment; since when each has been in effect is asked in
/// batches, and is left out of what has gone meanwhile.
///
/// # Errors
/// When `to` takes no more.
pub(super) fn write(live: &LiveRules, now: UnixTime, to: impl Write) -> io::Result<()> {
    let confirmations = live.confirmations();
    let backends = live.inspect(|rules, notes| BackendReport {
        live,
        confirmed_age: confirmations.age(rules.backend()),
        is_stale: confirmations.is_stale(rules.backend()),
        rules: rules.clone(),
        trouble: notes.trouble.clone(),
        refused: notes
            .refused
            .iter()
            .map(|(position, reason)| RefusedView {
                position: position.clone(),
                reason: reason.clone(),
            })
            .collect(),
    });
    let report = EffectiveMappings {
        version: env!("CARGO_PKG_VERSION"),
        time: now,
        backends,
    };
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, to);
    serde_json::to_writer(&mut to, &report)?;
    to.write_all(b"\n")?;
    to.flush()
}

#[derive(Serialize)]
struct EffectiveMappings<'a> {
    version: &'static str,
    time: UnixTime,
    backends: Vec<BackendReport<'a>>,
}

struct BackendReport<'a> {
    live: &'a LiveRules,
    rules: BackendRules,
    /// Time since the last confirmation.
    confirmed_age: Option<Duration>,
    is_stale: bool,
    trouble: Option<String>,
    refused: Vec<RefusedView>,
}

#[derive(Serialize)]
struct RefusedView {
    position: String,
    reason: String,
}

impl Serialize for BackendReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            backend: Backend,
            is_read: bool,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            is_broken: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            confirmed_age_seconds: Option<u64>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            is_stale: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            trouble: Option<&'a str>,
            rules: RulesView<'a>,
            accounts: Vec<&'a AccountId>,
            refused: &'a [RefusedView],
            conflicts: Vec<ConflictView>,
        }
        Fields {
            backend: self.rules.backend(),
            is_read: self.rules.is_synced(),
            is_broken: self.rules.is_broken(),
            confirmed_age_seconds: self.confirmed_age.map(|age| age.as_secs()),
            is_stale: self.is_stale,
            trouble: self.trouble.as_deref(),
            rules: RulesView(self),
            accounts: self.rules.accounts(),
            refused: &self.refused,
            conflicts: self.rules.conflicts().into_iter().map(Into::into).collect(),
        }
        .serialize(serializer)
    }
}

/// Both are of one backend.
#[derive(Serialize)]
struct ConflictView {
    /// Never answers.
    loser: String,
    winner: String,
}

impl From<Conflict> for ConflictView {
    fn from(conflict: Conflict) -> Self {
        Self {
            loser: conflict.shadowed.position,
            winner: conflict.shadowed_by.position,
        }
    }
}

struct RulesView<'a>(&'a BackendReport<'a>);

impl Serialize for RulesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let rules = report.rules.rules();
        serializer.collect_seq(rules.chunks(RULE_BATCH).flat_map(|batch| {
            let activations_of = report
                .activations_of(batch)
                .into_iter()
                .chain(iter::repeat(None));
            batch
                .iter()
                .zip(activations_of)
                .map(|(rule, activation)| view_of(rule, activation))
        }))
    }
}

impl BackendReport<'_> {
    fn activations_of(&self, batch: &[&Rule]) -> Vec<Option<Activation>> {
        let of_backends = self.live.inspect(|rules, notes| {
            (rules.backend() == self.rules.backend()).then(|| {
                let activation =
                    |rule: &&Rule| notes.in_effect.get(&rule.source().position).cloned();
                batch.iter().map(activation).collect()
            })
        });
        of_backends.into_iter().flatten().next().unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleView<'a> {
    position: &'a str,
    subject: String,
    /// As it is written.
    username: &'a str,
    groups: &'a [Box<str>],
    /// Which fields are there that say more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expressions: Vec<&'static str>,
    /// The groups starting `system:` that the expression for groups may give.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups_expression_may_add: &'a [Box<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<KeptView>,
}

#[derive(Serialize)]
struct KeptView {
    since: UnixTime,
    until: UnixTime,
    /// What is wrong with the last edit.
    reason: String,
    /// Why this stays in effect.
    basis: String,
}

impl From<Retention> for KeptView {
    fn from(kept: Retention) -> Self {
        Self {
            since: kept.since,
            until: kept.until,
            basis: kept.basis.to_string(),
            reason: kept.reason,
        }
    }
}

fn view_of<'a>(rule: &'a Rule, activation: Option<Activation>) -> RuleView<'a> {
    let (username, groups) = rule.raw_names();
    let (since, kept) = match activation {
        Some(Activation {
            since,
            retention: kept,
        }) => (Some(since), kept),
        None => (None, None),
    };
    RuleView {
        position: &rule.source().position,
        subject: rule.subject().to_string(),
        username,
        groups,
        expressions: rule.expression_fields(),
        groups_expression_may_add: rule.expression_may_add(),
        since,
        kept: kept.map(KeptView::from),
    }
}
