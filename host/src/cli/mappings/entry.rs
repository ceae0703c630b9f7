//! A mapping that somebody wants, checked before anybody is asked.

use std::collections::BTreeSet;

use ack_ram_core::arn::Resource;
use ack_ram_core::decision::NoUser;
use ack_ram_core::lint::{self, BackendEntries, Code, Configuration, InGo, Position, Severity};
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{
    Age, Backend, BackendRules, Globs, Mapping, ReservedPrefixes, Rule, RuleSet, Source,
};
use ack_ram_core::sample;

use super::list_text::Entry;
use crate::cli::failure::Failure;
use crate::config::Config;

/// Whom a mapping is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    User,
    Role,
}

impl Kind {
    /// The key of the ConfigMap.
    pub(in crate::cli) fn config_map_key(self) -> &'static str {
        match self {
            Self::User => "mapUsers",
            Self::Role => "mapRoles",
        }
    }

    /// The key of the ARN, as Go's documents write it there; also the option.
    pub(in crate::cli) fn arn_key(self) -> &'static str {
        match self {
            Self::User => "userarn",
            Self::Role => "rolearn",
        }
    }
}

/// A mapping that somebody wants.
pub(in crate::cli) struct Wanted<'a> {
    pub(in crate::cli) kind: Kind,
    pub(in crate::cli) backend: Backend,
    pub(in crate::cli) entry: &'a Entry,
    pub(in crate::cli) config: Option<&'a Config>,
}

impl Wanted<'_> {
    /// Refuses what would never let anybody in, and warns of what may let in more than is meant.
    pub(in crate::cli) fn check(&self) -> Result<(), Failure> {
        let mapping = self.mapping();
        let rule =
            Rule::compile(mapping.clone()).map_err(|error| self.refusal(&error.to_string()))?;
        self.check_kind(rule.subject())?;
        self.try_it(rule)?;
        let position = Position::default();
        let entries = BackendEntries {
            backend: self.backend,
            is_read: true,
            mappings: vec![lint::Entry {
                mapping,
                position: Position {
                    entry: self.name(),
                    ..position.clone()
                },
                in_go: match self.backend {
                    Backend::Crd => InGo::Regex,
                    _ => InGo::Literal,
                },
            }],
            accounts: Vec::new(),
            reserved: self.reserved(),
        };
        let findings = lint::lint(&Configuration {
            position,
            backends: vec![entries],
            serves_proxies: self.config.is_some_and(|config| config.ext_authz.is_some()),
            ..Configuration::default()
        });
        // What has no entry is about the configuration as a whole.
        for finding in findings
            .iter()
            .filter(|finding| !finding.position.entry.is_empty())
        {
            match finding.severity {
                Severity::Error => return Err(self.refusal(&finding.message)),
                Severity::Info if finding.code != Code::SystemMasters => {}
                Severity::Warning | Severity::Info => {
                    tracing::warn!("{}; {}", finding.message, finding.advice);
                }
            }
        }
        Ok(())
    }

    fn mapping(&self) -> Mapping {
        let Entry {
            arn,
            username,
            groups,
        } = self.entry;
        let source = Source {
            backend: self.backend,
            position: self.name(),
        };
        let globs = match (self.backend, self.config) {
            (Backend::Crd, _) => Globs::Wildcards,
            (_, Some(config)) => config.rules.globs,
            (_, None) => Globs::Literal,
        };
        Mapping {
            globs,
            ..Mapping::exact(source, Age::Place(0), arn, username, groups.clone())
        }
    }

    fn reserved(&self) -> ReservedPrefixes {
        let reserved = self.config.map(|config| &config.rules.reserved);
        let reserved = reserved.and_then(|reserved| reserved.get(&self.backend));
        reserved.cloned().unwrap_or_default()
    }

    fn name(&self) -> String {
        format!("the mapping of `{}`", self.entry.arn)
    }

    /// Wrong usage, but not told as such: that would hide a text with braces.
    fn refusal(&self, why: &str) -> Failure {
        Failure::Trouble(format!("{} cannot be used: {why}", self.name()))
    }

    /// A role among users would be found by nobody who looks for it.
    fn check_kind(&self, subject: &Subject) -> Result<(), Failure> {
        let is_role = match subject {
            Subject::Arn(arn) => matches!(
                arn.resource(),
                Resource::Role(_) | Resource::AssumedRole { .. }
            ),
            Subject::Pattern(_) | Subject::Id(_) | Subject::Anyone => return Ok(()),
        };
        match (self.kind, is_role) {
            (Kind::User, true) => Err(self.refusal("it is a role; say `role --rolearn`")),
            (Kind::Role, false) => Err(self.refusal("it is no role; say `user --userarn`")),
            _ => Ok(()),
        }
    }

    /// Lets somebody with that ARN log in.
    fn try_it(&self, rule: Rule) -> Result<(), Failure> {
        let Subject::Arn(arn) = rule.subject() else {
            return Ok(());
        };
        let Some(somebody) = sample::identity(arn.clone()) else {
            return Ok(());
        };
        let mut rules = BackendRules::new(self.backend).with_reserved(self.reserved());
        rules.apply(rule);
        let rules = RuleSet::new(vec![rules], BTreeSet::new());
        match rules.explain(&somebody) {
            (explanation, Err(NoUser::Denied(denial))) => {
                Err(self.refusal(&explanation.why_denied(&denial)))
            }
            (_, Err(NoUser::NotRead(_) | NoUser::Broken(_) | NoUser::Stale(_)) | Ok(_)) => Ok(()),
        }
    }
}
