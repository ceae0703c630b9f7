//! The mappings in effect, as JSON.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::iter;
use std::sync::Arc;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{BackendRules, Conflict, Rule};
use ack_ram_core::time::UnixTime;
use serde::{Serialize, Serializer};

use crate::backends::live::{Activation, LiveRules, Retention};
use crate::control::protocol::{
    BackendReply, ConflictReply, KeptReply, MappingsReply, RefusedReply, RuleReply,
};

/// How many rules to look up under the lock at a time. Backends that change rules wait for the lock.
const RULE_BATCH: usize = 512;
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes the mappings in effect in `live`.
///
/// The rules are a snapshot. The time since which each rule has been in effect is looked up in batches while the rules
/// are written, and is missing for rules that are removed in the meantime.
///
/// # Errors
/// When writing to `to` fails.
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

/// The reply about a backend in the form in which the server writes it: the long lists come from a snapshot of the
/// rules while they are written, without the lock.
type WrittenBackend<'a> = BackendReply<RulesReply<'a>, AccountsReply, ConflictsReply>;

fn backends(live: &LiveRules) -> Vec<WrittenBackend<'_>> {
    let confirmations = live.confirmations();
    live.inspect(|rules, notes| {
        let backend = rules.backend();
        let snapshot = Arc::new(rules.clone());
        BackendReply {
            backend,
            is_read: rules.is_synced(),
            is_broken: rules.is_broken(),
            confirmed_age_seconds: confirmations.age(backend).map(|age| age.as_secs()),
            is_stale: confirmations.is_stale(backend),
            trouble: notes.trouble.clone(),
            rules: RulesReply {
                live,
                rules: Arc::clone(&snapshot),
            },
            accounts: AccountsReply(Arc::clone(&snapshot)),
            refused: notes
                .refused
                .iter()
                .map(|(position, reason)| RefusedReply {
                    position: position.clone(),
                    reason: reason.clone(),
                })
                .collect(),
            conflicts: ConflictsReply(snapshot),
        }
    })
}

/// The accounts of a backend.
struct AccountsReply(Arc<BackendRules>);

impl Serialize for AccountsReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let accounts = self.0.accounts();
        serializer.collect_seq(accounts.into_iter().map(AccountId::as_str))
    }
}

/// The conflicts of a backend.
struct ConflictsReply(Arc<BackendRules>);

impl Serialize for ConflictsReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let conflicts = self.0.conflicts();
        serializer.collect_seq(conflicts.into_iter().map(conflict_reply))
    }
}

/// The rules of a backend, which are written one by one.
struct RulesReply<'a> {
    live: &'a LiveRules,
    rules: Arc<BackendRules>,
}

impl Serialize for RulesReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules = self.rules.rules();
        serializer.collect_seq(rules.chunks(RULE_BATCH).flat_map(|batch| {
            let activations = self
                .activations_of(batch)
                .into_iter()
                .chain(iter::repeat(None));
            batch
                .iter()
                .zip(activations)
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

fn rule_reply(rule: &Rule, activation: Option<Activation>) -> RuleReply<'_> {
    let (username, groups) = rule.raw_names();
    let (since, kept) = match activation {
        Some(Activation { since, retention }) => (Some(since.to_string()), retention),
        None => (None, None),
    };
    RuleReply {
        position: Cow::Borrowed(&rule.source().position),
        subject: rule.subject().to_string(),
        username: Cow::Borrowed(username),
        groups: borrow_all(groups),
        expressions: rule
            .expression_fields()
            .into_iter()
            .map(Cow::Borrowed)
            .collect(),
        groups_expression_may_add: borrow_all(rule.expression_may_add()),
        since,
        kept: kept.map(kept_reply),
    }
}

fn borrow_all(texts: &[Box<str>]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| Cow::Borrowed(&**text)).collect()
}

fn kept_reply(kept: Retention) -> KeptReply {
    KeptReply {
        since: kept.since.to_string(),
        until: kept.until.to_string(),
        reason: kept.reason,
        basis: kept.basis.to_string(),
    }
}

/// Returns the reply about a conflict. Both rules belong to the same backend.
fn conflict_reply(conflict: Conflict) -> ConflictReply {
    ConflictReply {
        loser: conflict.shadowed.position,
        winner: conflict.shadowed_by.position,
    }
}
