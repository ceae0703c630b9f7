//! A requested mapping, and the checks of it before the API server is called.

use std::collections::BTreeSet;

use ack_ram_analysis::lint::{self, BackendEntries, GoSemantics, LintInput};
use ack_ram_analysis::placeholder;
use ack_ram_core::arn::Resource;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, ReservedPrefixes, Rule, RuleSet, RulesError,
    Source, WildcardMode,
};

use super::yaml_list::MappingEntry;
use crate::cli::failure::CommandFailure;
use crate::config::{ClusterlessConfig, DiagnosticCode, Location, Severity};

/// The kind of identity that a mapping names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum SubjectKind {
    User,
    Role,
}

impl SubjectKind {
    /// Returns the key of the ConfigMap.
    pub(in crate::cli) fn config_map_key(self) -> &'static str {
        match self {
            Self::User => "mapUsers",
            Self::Role => "mapRoles",
        }
    }

    /// Returns the key of the ARN in an entry, as in Go's documents. The option has the same name.
    pub(in crate::cli) fn arn_key(self) -> &'static str {
        match self {
            Self::User => "userarn",
            Self::Role => "rolearn",
        }
    }
}

/// A mapping that the user asks to add.
pub(in crate::cli) struct RequestedMapping<'a> {
    pub(in crate::cli) kind: SubjectKind,
    pub(in crate::cli) backend: Backend,
    pub(in crate::cli) entry: &'a MappingEntry,
    pub(in crate::cli) config: Option<&'a ClusterlessConfig>,
}

impl RequestedMapping<'_> {
    /// Refuses a mapping that grants no access, and warns about a mapping that may grant too much.
    pub(in crate::cli) fn check(&self) -> Result<(), CommandFailure> {
        let mapping = self.mapping();
        let rule =
            Rule::compile(mapping.clone()).map_err(|error| self.unusable(&error.to_string()))?;
        self.check_kind(rule.subject())?;
        self.dry_run(rule)?;
        let entries = BackendEntries {
            backend: self.backend,
            is_known: true,
            mappings: vec![lint::MappingEntry {
                mapping,
                location: Location::default().with_entry(self.name()),
                go_semantics: match self.backend {
                    Backend::Crd => GoSemantics::Regex,
                    _ => GoSemantics::Literal,
                },
            }],
            accounts: Vec::new(),
            reserved: self.reserved(),
        };
        let findings = lint::lint(&LintInput {
            backends: vec![entries],
            serves_proxies: self.config.is_some_and(|config| config.ext_authz.is_some()),
            ..LintInput::default()
        });
        // A finding without an entry is about the configuration as a whole.
        for finding in findings
            .iter()
            .filter(|finding| !finding.location.entry.is_empty())
        {
            match finding.severity {
                Severity::Error => return Err(self.unusable(&finding.message)),
                Severity::Info if finding.code != DiagnosticCode::SystemMasters => {}
                Severity::Warning | Severity::Info => {
                    tracing::warn!("{}; {}", finding.message, finding.help);
                }
            }
        }
        Ok(())
    }

    fn mapping(&self) -> Mapping {
        let MappingEntry {
            arn,
            username,
            groups,
        } = self.entry;
        let source = Source {
            backend: self.backend,
            position: self.name(),
        };
        let globs = match (self.backend, self.config) {
            (Backend::Crd, _) => WildcardMode::Enabled,
            (_, Some(config)) => config.rules.globs,
            (_, None) => WildcardMode::Disabled,
        };
        Mapping {
            wildcards: globs,
            ..Mapping::for_arn(
                source,
                Precedence::ListIndex(0),
                arn,
                username,
                groups.clone(),
            )
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

    /// Returns the failure for a mapping that is not valid. Exits with 2, like `CommandFailure::Usage`, which would
    /// hide a text with braces.
    fn unusable(&self, why: &str) -> CommandFailure {
        CommandFailure::FailedWithAnswer(format!("{} is not valid: {why}", self.name()))
    }

    /// Refuses a role in the list of users and vice versa, where readers would not look for it.
    fn check_kind(&self, subject: &Subject) -> Result<(), CommandFailure> {
        let is_role = match subject {
            Subject::Arn(arn) => matches!(
                arn.resource(),
                Resource::Role(_) | Resource::AssumedRole { .. }
            ),
            Subject::Pattern(_) | Subject::Id(_) | Subject::Anyone => return Ok(()),
        };
        match (self.kind, is_role) {
            (SubjectKind::User, true) => {
                Err(self.unusable("the ARN names a role; use `role --rolearn`"))
            }
            (SubjectKind::Role, false) => {
                Err(self.unusable("the ARN does not name a role; use `user --userarn`"))
            }
            _ => Ok(()),
        }
    }

    /// Evaluates a login of an identity with the ARN.
    fn dry_run(&self, rule: Rule) -> Result<(), CommandFailure> {
        let Subject::Arn(arn) = rule.subject() else {
            return Ok(());
        };
        let Some(identity) = placeholder::identity_for_arn(arn.clone()) else {
            return Ok(());
        };
        let mut rules = BackendRules::new(self.backend).with_reserved(self.reserved());
        rules.apply(rule);
        let rules = RuleSet::new(vec![rules], BTreeSet::new());
        match rules.explain(&identity) {
            (explanation, Err(RulesError::Refused(refusal))) => {
                Err(self.unusable(&explanation.refusal_message(&refusal)))
            }
            (_, Err(RulesError::Unavailable(_)) | Ok(_)) => Ok(()),
        }
    }
}
