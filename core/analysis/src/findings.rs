//! What is wrong or risky in a configuration, as findings.

use ack_ram_config::{
    ClusterIdUse, ConfigError, ConfigSources, ExternalMappings, Located, Location, ParsedMappings,
    PartialConfig, Warning, WarningKind,
};
use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Backend, Mapping};
use serde::Serialize;

use crate::lint::{
    self, AccountEntry, BackendEntries, Finding, FindingCode, GoSemantics, LintInput, MappingEntry,
    Position, Severity,
};

/// The findings about a configuration.
#[derive(Debug, Serialize)]
pub struct LintReport {
    /// The findings.
    pub findings: Vec<Finding>,
    /// How many of them are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are neither.
    pub infos: usize,
}

impl LintReport {
    /// All of `findings`.
    #[must_use]
    pub fn new(findings: Vec<Finding>) -> Self {
        let count = |severity| {
            let is_it = |finding: &&Finding| finding.severity == severity;
            findings.iter().filter(is_it).count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
            findings,
        }
    }
}

/// What is wrong or risky in the file of `sources`, which messages call `name`, and in the external mappings.
#[must_use]
pub fn lint_sources(
    name: &str,
    sources: &ConfigSources<'_>,
    cluster_id: ClusterIdUse,
    external: &ExternalMappings,
) -> Vec<Finding> {
    let position = Position {
        file: name.to_owned(),
        ..Position::default()
    };
    let mut configuration = match ack_ram_config::load_partial(sources, cluster_id) {
        Ok(partial) => lint_configuration(partial, position),
        Err(error) => return vec![finding_from_error(&error, &position)],
    };
    for entries in &mut configuration.backends {
        if let Some(read) = external.get(&entries.backend) {
            let unreadable = unreadable_list_findings(read);
            entries.is_known = unreadable.is_empty();
            configuration.host_findings.extend(unreadable);
            entries.mappings = read.mappings.iter().map(lint_entry).collect();
            entries.accounts = read.accounts.iter().map(lint_account).collect();
        }
    }
    lint::lint(&configuration)
}

/// What `lint` looks at: `partial`, of the file at `position`.
#[must_use]
pub fn lint_configuration(partial: PartialConfig, position: Position) -> LintInput {
    let refusals = partial
        .errors
        .iter()
        .map(|error| finding_from_error(error, &position));
    let remarks = partial
        .warnings
        .iter()
        .map(finding_from_warning)
        .chain(refusals)
        .collect();
    let file_is_read = partial.backends.is_some() && partial.mappings.is_some();
    let backends = partial
        .backends
        .unwrap_or_else(|| vec![Backend::MountedFile]);
    let backends = backends.iter().map(|backend| {
        let (mappings, accounts) = match (backend, &partial.mappings) {
            (Backend::MountedFile, Some(mappings)) => (&*mappings.mappings, &*mappings.accounts),
            _ => Default::default(),
        };
        BackendEntries {
            backend: *backend,
            is_known: *backend == Backend::MountedFile && file_is_read,
            mappings: mappings.iter().map(lint_entry).collect(),
            accounts: accounts.iter().map(lint_account).collect(),
            reserved: partial.reserved.get(backend).cloned().unwrap_or_default(),
        }
    });
    LintInput {
        backends: backends.collect(),
        position,
        validations: partial.validations,
        serves_proxies: partial.serves_proxies,
        host_findings: remarks,
    }
}

/// The lists of `mappings` that cannot be read at all. Of one below a misspelled key, the key is a finding already.
#[must_use]
pub fn unreadable_list_findings(mappings: &ParsedMappings) -> Vec<Finding> {
    let lists = mappings.lists.iter();
    let unreadable = lists.filter_map(|(list, entries)| {
        let why = entries.as_ref().err()?;
        let position = Position {
            file: why.location.clone(),
            entry: list.key().to_owned(),
            ..Position::default()
        };
        let is_reported = mappings.inactive_lists.contains_key(list);
        (!is_reported).then(|| {
            finding_from_text(
                FindingCode::Unreadable,
                Severity::Error,
                position,
                &why.reason,
            )
        })
    });
    unreadable.collect()
}

/// An entry of `mapAccounts`, as `lint` takes it.
#[must_use]
pub fn lint_account(given: &Located<AccountId>) -> AccountEntry {
    AccountEntry {
        account: given.value.clone(),
        position: lint_position(&given.location, &given.setting),
    }
}

/// A mapping, as `lint` takes it.
#[must_use]
pub fn lint_entry(given: &Located<Mapping>) -> MappingEntry {
    MappingEntry {
        mapping: given.value.clone(),
        position: lint_position(&given.location, &given.setting),
        go_semantics: if given.value.source.backend == Backend::Crd {
            GoSemantics::Regex
        } else if given.setting.starts_with("server.mapRules[") {
            GoSemantics::Unsupported
        } else {
            GoSemantics::Literal
        },
    }
}

fn lint_position(place: &Location, entry: &str) -> Position {
    match place {
        Location::File { path, line, column } => Position {
            file: path.to_string(),
            line: *line,
            column: *column,
            entry: entry.to_owned(),
        },
        Location::CommandLine | Location::Environment => Position {
            entry: format!("{place} {entry}"),
            ..Position::default()
        },
    }
}

/// What was odd when something was read.
#[must_use]
pub fn finding_from_warning(warning: &Warning) -> Finding {
    let (code, severity) = match warning.kind {
        WarningKind::UnknownKey => (FindingCode::UnknownKey, Severity::Error),
        WarningKind::EmptyList => (FindingCode::EmptyList, Severity::Error),
        WarningKind::TextForList => (FindingCode::TextForList, Severity::Error),
        WarningKind::NumericAccount => (FindingCode::NumericAccount, Severity::Error),
        WarningKind::InvalidEntry => (FindingCode::InvalidEntry, Severity::Error),
        WarningKind::ArnWithPath => (FindingCode::ArnWithPath, Severity::Warning),
        WarningKind::BindWins => (FindingCode::BindWins, Severity::Warning),
        WarningKind::GroupsUnjoined => (FindingCode::GroupsUnjoined, Severity::Warning),
    };
    let text = match warning.kind {
        WarningKind::InvalidEntry => format!("the entry is left out: {}", warning.text),
        _ => warning.text.clone(),
    };
    let position = lint_position(&warning.place, &warning.entry);
    finding_from_text(code, severity, position, &text)
}

/// Why the server would not start.
#[must_use]
pub fn finding_from_error(error: &ConfigError, position: &Position) -> Finding {
    let (code, position, text) = match error {
        ConfigError::Syntax {
            name,
            position: Some(found),
            message,
        } => {
            let position = Position {
                file: name.clone(),
                line: found.line,
                column: found.column,
                entry: String::new(),
            };
            (FindingCode::Unreadable, position, message.clone())
        }
        ConfigError::NotText { source, .. } => {
            let (line, column) = source.position().unwrap_or_default();
            let position = Position {
                line: line as u64,
                column: column as u64,
                ..position.clone()
            };
            (FindingCode::Unreadable, position, error.to_string())
        }
        ConfigError::Unreadable { .. }
        | ConfigError::TooLarge { .. }
        | ConfigError::Syntax { .. } => {
            (FindingCode::Unreadable, position.clone(), error.to_string())
        }
        ConfigError::NoClusterId { .. } => (
            FindingCode::NoClusterId,
            position.clone(),
            error.to_string(),
        ),
        ConfigError::Setting(problem) => (
            FindingCode::InvalidSetting,
            lint_position(&problem.place, ""),
            problem.text.clone(),
        ),
    };
    finding_from_text(code, Severity::Error, position, &text)
}

/// Messages say what to do after a semicolon.
#[must_use]
pub fn finding_from_text(
    code: FindingCode,
    severity: Severity,
    position: Position,
    text: &str,
) -> Finding {
    let (message, advice) = text.split_once("; ").unwrap_or((text, ""));
    Finding {
        code,
        severity,
        position,
        message: message.to_owned(),
        advice: advice.to_owned(),
    }
}
