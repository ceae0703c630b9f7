//! Which environment variables count, are shadowed, or are half set.

mod source;

use ack_ram_transport::proxy::ProxySettings;

use crate::environment::Environment;
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Setting};
use crate::resolve::variables::{ALL, IDS, SECRETS, SECURITY_TOKENS, Variable};
use crate::settings::Settings;
use source::{EnvironmentSource, SourceVariable};

/// Variables that do not decide about the key, but about how a login is made.
const OTHERS: &[Variable] = &[
    Variable {
        names: &["HTTPS_PROXY", "https_proxy"],
        meaning: "Proxy for calls over TLS",
    },
    Variable {
        names: &["HTTP_PROXY", "http_proxy"],
        meaning: "Proxy for calls without TLS",
    },
    Variable {
        names: &["NO_PROXY", "no_proxy"],
        meaning: "Hosts that are called without a proxy",
    },
    Variable {
        names: &["SSL_CERT_FILE"],
        meaning: "File with trusted certificates",
    },
    Variable {
        names: &["SSL_CERT_DIR"],
        meaning: "Folder with trusted certificates",
    },
    Variable {
        names: &["ACK_RAM_AUTHENTICATOR_CACHE_DIR"],
        meaning: "Folder of the cache",
    },
    Variable {
        names: &["KUBECACHEDIR"],
        meaning: "Folder of the caches of kubectl",
    },
    Variable {
        names: &["KUBECONFIG"],
        meaning: "Kubeconfig files",
    },
    Variable {
        names: &["ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX"],
        meaning: "Prefix of the variables that a token contains",
    },
];

/// A variable that is set, and whether it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableFact {
    /// The name.
    pub name: &'static str,
    /// What the variable means: a noun phrase.
    pub meaning: &'static str,
    /// Whether the variable counts.
    pub state: VariableState,
}

/// Whether a variable counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableState {
    /// The variable counts.
    Used,
    /// Another variable with the same meaning comes first.
    Shadowed {
        /// The other variable.
        by: &'static str,
        /// Whether the other variable has the same value.
        is_equal: bool,
    },
    /// An option or another setting replaces the variable.
    Replaced {
        /// The setting.
        by: Origin,
    },
    /// The environment is not searched for a key.
    NotSearched {
        /// The reason: a clause.
        reason: &'static str,
    },
    /// Another source in the environment comes first.
    Later {
        /// The other source.
        than: &'static str,
    },
    /// The variable is part of a source, and other parts of the source are not set.
    HalfSet {
        /// The source.
        source: &'static str,
        /// The variables that are not set.
        missing: Vec<&'static str>,
    },
}

/// Returns the variables that are set and known, in the order of the documents.
///
/// `settings` must include the variables of ack-ram-tool ([`Settings::add_variables`]).
#[must_use]
pub fn variable_facts(settings: &Settings, environment: &Environment) -> Vec<VariableFact> {
    let search = Search {
        skipped: reason_for_no_search(settings),
        source: EnvironmentSource::select(environment),
        settings,
        environment,
    };
    let groups = ALL.iter().chain(OTHERS);
    groups.flat_map(|group| search.facts(group)).collect()
}

/// What decides about the state of a variable.
struct Search<'a> {
    /// Why the environment is not searched for a key; `None` if it is.
    skipped: Option<&'static str>,
    source: Option<EnvironmentSource>,
    settings: &'a Settings,
    environment: &'a Environment,
}

impl Search<'_> {
    /// Returns the facts about the variables of a group. Only the first that is set can count.
    fn facts(&self, group: &Variable) -> Vec<VariableFact> {
        let Some((first, value)) = self.environment.first(group.names) else {
            return Vec::new();
        };
        let later = group
            .names
            .iter()
            .skip_while(|name| **name != first)
            .skip(1);
        let shadowed = later.filter_map(|name| {
            let other = self.environment.get(name)?;
            let is_equal = other == value;
            Some((
                *name,
                VariableState::Shadowed {
                    by: first,
                    is_equal,
                },
            ))
        });
        [(first, self.state(first))]
            .into_iter()
            .chain(shadowed)
            .map(|(name, state)| VariableFact {
                name,
                meaning: group.meaning,
                state,
            })
            .collect()
    }

    fn state(&self, name: &'static str) -> VariableState {
        if let Some(by) = self.replacement(name) {
            return VariableState::Replaced { by };
        }
        let Some(part) = SourceVariable::parse(name) else {
            return VariableState::Used;
        };
        if let Some(reason) = self.skipped {
            return VariableState::NotSearched { reason };
        }
        match self.source {
            Some(source) if source.uses(part) => VariableState::Used,
            Some(source) if part.comes_after(source) => VariableState::Later {
                than: source.name(),
            },
            _ => part.half_set(self.environment),
        }
    }

    /// Returns the setting that takes the place of a variable.
    fn replacement(&self, name: &'static str) -> Option<Origin> {
        fn origin<T>(setting: Option<&Setting<T>>) -> Option<Origin> {
            setting.map(|setting| setting.origin.clone())
        }
        let settings = self.settings;
        let by = match name {
            "ACK_RAM_TOOL_PROFILE_FILE" => origin(settings.profile_file.as_ref()),
            "ACK_RAM_TOOL_PROFILE_NAME"
            | "ACK_RAM_TOOL_PROFIL_ENAME"
            | "ALIBABA_CLOUD_PROFILE"
            | "ALIBABACLOUD_PROFILE"
            | "ALICLOUD_PROFILE" => origin(settings.profile_name.as_ref()),
            "ACK_RAM_TOOL_STS_ENDPOINT" | "ALIBABA_CLOUD_STS_ENDPOINT" => {
                origin(settings.sts_endpoint.as_ref())
            }
            "ACK_RAM_TOOL_REGION_ID" | "ALIBABA_CLOUD_STS_REGION" => {
                origin(settings.region.as_ref())
            }
            "KUBECACHEDIR" => {
                let own = "ACK_RAM_AUTHENTICATOR_CACHE_DIR";
                let is_set = self.environment.get(own).is_some();
                is_set.then_some(Origin::Variable(own))
            }
            _ => None,
        }?;
        (by != Origin::Variable(name)).then_some(by)
    }
}

fn reason_for_no_search(settings: &Settings) -> Option<&'static str> {
    if settings.metadata_selector().is_some() {
        Some("the metadata service is selected")
    } else if settings.profile_file.is_some() {
        Some("a file with profiles is selected")
    } else if settings.ignore_environment.is_some() {
        Some("keys in the environment are ignored")
    } else {
        None
    }
}

/// Adds findings about the variables.
pub(super) fn examine(settings: &Settings, environment: &Environment, findings: &mut Findings) {
    let facts = variable_facts(settings, environment);
    if facts.is_empty() {
        findings.note(
            Topic::Environment,
            "no variable is set that concerns a login",
        );
    }
    for fact in facts {
        add_finding(&fact, findings);
    }
    let variables = |name: &str| environment.get(name).map(str::to_owned);
    let proxies = ProxySettings::from_environment(&variables);
    let error = proxies.error().map(|error| error.to_string());
    for text in error.iter().chain(proxies.warnings()) {
        let (text, remedy) = text
            .split_once("; ")
            .unwrap_or((text, "correct the variable"));
        findings.advise(Topic::Environment, text, remedy);
    }
}

fn add_finding(fact: &VariableFact, findings: &mut Findings) {
    let VariableFact {
        name,
        meaning,
        state,
    } = fact;
    let unused = |reason: &str| format!("`{name}` is not used, because {reason}");
    match state {
        VariableState::Used => {
            findings.note(Topic::Environment, format!("`{name}` is used: {meaning}"));
        }
        VariableState::Shadowed { by, is_equal: true } => findings.note(
            Topic::Environment,
            unused(&format!("`{by}` comes first, with the same value")),
        ),
        VariableState::Shadowed {
            by,
            is_equal: false,
        } => findings.advise(
            Topic::Environment,
            unused(&format!("`{by}` comes first, with another value")),
            format!("unset `{name}`, or unset `{by}` if its value is wrong"),
        ),
        VariableState::Replaced { by } => {
            findings.note(Topic::Environment, unused(&format!("{by} comes first")));
        }
        VariableState::NotSearched { reason } => findings.note(Topic::Environment, unused(reason)),
        // The search itself adds a finding about half a key, about a role for an OIDC token of which a part is missing,
        // and about a role for a temporary key.
        VariableState::HalfSet { .. } if is_part_of_key(name) => {}
        VariableState::HalfSet { source, .. } if *source == EnvironmentSource::Oidc.name() => {}
        VariableState::Later { than }
            if *than == EnvironmentSource::TemporaryKey.name() && *name == source::ROLE_ARN => {}
        VariableState::Later { than } => {
            findings.note(Topic::Environment, unused(&format!("{than} comes first")))
        }
        VariableState::HalfSet { source, missing } => {
            let missing: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            let missing = missing.join(" and ");
            findings.advise(
                Topic::Environment,
                format!("`{name}` is not used, because {source} also needs {missing}, which {verb} not set"),
                format!("set {missing}, or unset `{name}`"),
            );
        }
    }
}

fn is_part_of_key(name: &str) -> bool {
    IDS.contains(&name) || SECRETS.contains(&name) || SECURITY_TOKENS.contains(&name)
}

#[cfg(test)]
mod tests;
