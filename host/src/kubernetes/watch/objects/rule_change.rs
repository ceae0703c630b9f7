//! The change of the rules that an event about an object causes.

use std::sync::Arc;

use ack_ram_config::last_good::describe_mapping;
use ack_ram_core::rules::{Backend, Rule};
use ack_ram_core::time::UnixTime;

use crate::backends::live::{Retention, Transaction};
use crate::config::partial_entry::PartialEntry;

/// A change of the rule of one object.
#[derive(Debug)]
pub(super) enum RuleChange {
    Apply(Arc<str>, Box<Rule>),
    Refuse {
        name: Arc<str>,
        reason: String,
        /// The ARN, pattern or ID in the object.
        subject: Option<String>,
        /// The newest text, if this is an edit of an object that may have been in effect.
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
                let replaced = edit.apply(*rule, now).into_iter();
                let replaced = replaced.inspect(|other| {
                    tracing::warn!(backend = %Backend::Crd, object = %other, "the last good form is no longer in effect: the newer object {name} maps the same identity");
                });
                return replaced.map(Arc::from).collect();
            }
            Self::Refuse {
                name,
                reason,
                subject,
                newest: None,
            } => {
                tracing::warn!(backend = %Backend::Crd, object = %name, subject, "refused: {reason}; it maps no identity");
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
                        tracing::warn!(backend = %Backend::Crd, object = %name, subject, "refused: {reason}; kept: {what} until {until}, because {basis}");
                    }
                }
                Err(why) => {
                    tracing::warn!(backend = %Backend::Crd, object = %name, subject, "refused: {reason}; it maps no identity, and nothing is kept: {why}");
                }
            },
            Self::Delete(name) => {
                edit.delete(&name);
            }
        }
        Vec::new()
    }
}
