//! What an event of an object changes in the rules.

use std::sync::Arc;

use ack_ram_config::last_good::describe_mapping;
use ack_ram_core::rules::{Backend, Rule};
use ack_ram_core::time::UnixTime;

use crate::backends::live::{Retention, Transaction};
use crate::config::partial_entry::PartialEntry;

/// A change of the rules that the events of one object make.
#[derive(Debug)]
pub(super) enum RuleChange {
    Apply(Arc<str>, Box<Rule>),
    Refuse {
        name: Arc<str>,
        reason: String,
        /// The ARN, pattern or id that it names.
        subject: Option<String>,
        /// The newest text, when it is an edit of what may have worked before.
        newest: Option<Box<PartialEntry>>,
    },
    Delete(Arc<str>),
}

impl RuleChange {
    /// Returns the name of the object.
    pub(super) fn name(&self) -> &Arc<str> {
        match self {
            Self::Apply(name, _) | Self::Refuse { name, .. } | Self::Delete(name) => name,
        }
    }

    /// Applies the change. Returns the names of other objects that are no longer in effect because of it.
    pub(super) fn apply_to(self, edit: &mut Transaction<'_>, now: UnixTime) -> Vec<Arc<str>> {
        match self {
            Self::Apply(name, rule) => {
                let gone = edit.apply(*rule, now).into_iter();
                let gone = gone.inspect(|other| {
                    tracing::warn!(backend = %Backend::Crd, object = %other, "its last good form is no longer in effect: {name} is new, and about the same identity");
                });
                return gone.map(Arc::from).collect();
            }
            Self::Refuse {
                name,
                reason,
                subject,
                newest: None,
            } => {
                tracing::warn!(backend = %Backend::Crd, object = %name, subject, "refused: {reason}; it maps nobody");
                edit.refuse(&name, &reason);
            }
            Self::Refuse {
                name,
                reason,
                subject,
                newest: Some(newest),
            } => match edit.keep_last_good(&name, &reason, &newest, now) {
                Ok(()) => {
                    let what = edit.rules().rule(&name);
                    let what =
                        what.map_or_else(String::new, |rule| describe_mapping(&rule.to_mapping()));
                    if let Some(Retention { until, basis, .. }) = edit.retention(&name) {
                        tracing::warn!(backend = %Backend::Crd, object = %name, subject, "refused: {reason}; kept: {what} until {until}, since {basis}");
                    }
                }
                Err(why) => {
                    tracing::warn!(backend = %Backend::Crd, object = %name, subject, "refused: {reason}; it maps nobody, and nothing of it is kept: {why}");
                }
            },
            Self::Delete(name) => {
                edit.delete(&name);
            }
        }
        Vec::new()
    }
}
