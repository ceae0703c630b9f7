//! What is in effect, as JSON.

use std::io::{self, BufWriter, Write};
use std::iter;

use ack_ram_core::rules::{BackendRules, Conflict, Rule};
use ack_ram_core::time::UnixTime;
use serde::{Serialize, Serializer};

use crate::backends::live::{Activation, LiveRules, Retention};
use crate::control::protocol::{
    BackendReply, ConflictReply, KeptReply, MappingsReply, RefusedReply, RuleReply,
};

/// Sources wait for no more than so many rules to be looked at.
const RULE_BATCH: usize = 512;
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes what `live` has in effect. The rules are those of one moment; since when each has been in effect is asked in
/// batches, and is left out of what has gone meanwhile.
///
/// # Errors
/// When `to` takes no more.
pub(super) fn write(live: &LiveRules, now: UnixTime, to: impl Write) -> io::Result<()> {
    let report = MappingsReply {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: now.to_string(),
        backends: backends(live),
    };
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, to);
    serde_json::to_writer(&mut to, &report)?;
    to.write_all(b"\n")?;
    to.flush()
}

fn backends(live: &LiveRules) -> Vec<BackendReply<RulesReply<'_>>> {
    let confirmations = live.confirmations();
    let mut backends = live.inspect(|rules, notes| BackendReply {
        backend: rules.backend(),
        is_read: rules.is_synced(),
        is_broken: rules.is_broken(),
        confirmed_age_seconds: confirmations.age(rules.backend()).map(|age| age.as_secs()),
        is_stale: confirmations.is_stale(rules.backend()),
        trouble: notes.trouble.clone(),
        rules: RulesReply {
            live,
            rules: rules.clone(),
        },
        accounts: Vec::new(),
        refused: notes
            .refused
            .iter()
            .map(|(position, reason)| RefusedReply {
                position: position.clone(),
                reason: reason.clone(),
            })
            .collect(),
        conflicts: Vec::new(),
    });
    // What may take long is left until sources no longer wait.
    for backend in &mut backends {
        let rules = &backend.rules.rules;
        backend.accounts = rules
            .accounts()
            .into_iter()
            .map(ToString::to_string)
            .collect();
        backend.conflicts = rules.conflicts().into_iter().map(conflict_reply).collect();
    }
    backends
}

/// The rules of a backend, written one by one.
struct RulesReply<'a> {
    live: &'a LiveRules,
    rules: BackendRules,
}

impl Serialize for RulesReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules = self.rules.rules();
        serializer.collect_seq(rules.chunks(RULE_BATCH).flat_map(|batch| {
            let activations_of = self
                .activations_of(batch)
                .into_iter()
                .chain(iter::repeat(None));
            batch
                .iter()
                .zip(activations_of)
                .map(|(rule, activation)| rule_reply(rule, activation))
        }))
    }
}

impl RulesReply<'_> {
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

fn rule_reply(rule: &Rule, activation: Option<Activation>) -> RuleReply {
    let (username, groups) = rule.raw_names();
    let (since, kept) = match activation {
        Some(Activation { since, retention }) => (Some(since.to_string()), retention),
        None => (None, None),
    };
    let owned = |texts: &[Box<str>]| texts.iter().map(ToString::to_string).collect();
    RuleReply {
        position: rule.source().position.clone(),
        subject: rule.subject().to_string(),
        username: username.to_owned(),
        groups: owned(groups),
        expressions: rule
            .expression_fields()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        groups_expression_may_add: owned(rule.expression_may_add()),
        since,
        kept: kept.map(kept_reply),
    }
}

fn kept_reply(kept: Retention) -> KeptReply {
    KeptReply {
        since: kept.since.to_string(),
        until: kept.until.to_string(),
        reason: kept.reason,
        basis: kept.basis.to_string(),
    }
}

/// Both rules are of one backend.
fn conflict_reply(conflict: Conflict) -> ConflictReply {
    ConflictReply {
        loser: conflict.shadowed.position,
        winner: conflict.shadowed_by.position,
    }
}
