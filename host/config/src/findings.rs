//! What is wrong or risky in a configuration, as findings.

use ack_ram_core::arn::AccountId;
use ack_ram_core::lint::{
    self, Account, BackendEntries, Code, Configuration, Entry, Finding, InGo, Position, Severity,
};
use ack_ram_core::rules::{Backend, Mapping};
use serde::Serialize;

use crate::compile::Elsewhere;
use crate::config::{
    self, ConfigError, FileMappings, Given, Place, Sources, Survey, Warning, WarningKind,
};

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
    /// How many of them are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are neither.
    pub infos: usize,
}

impl Report {
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

/// What is wrong or risky in the file of `sources`, which messages call `name`, and in what stands elsewhere.
#[must_use]
pub fn findings(name: &str, sources: &Sources<'_>, elsewhere: &Elsewhere) -> Vec<Finding> {
    let position = Position {
        file: name.to_owned(),
        ..Position::default()
    };
    let mut configuration = match config::survey(sources) {
        Ok(survey) => configuration(survey, position),
        Err(error) => return vec![refusal(&error, &position)],
    };
    for entries in &mut configuration.backends {
        if let Some(read) = elsewhere.get(&entries.backend) {
            let unreadable = unreadable_lists(read);
            entries.is_read = unreadable.is_empty();
            configuration.remarks.extend(unreadable);
            entries.mappings = read.mappings.iter().map(entry).collect();
            entries.accounts = read.accounts.iter().map(account).collect();
        }
    }
    lint::lint(&configuration)
}

/// What `lint` looks at: `survey`, of the file at `position`.
#[must_use]
pub fn configuration(survey: Survey, position: Position) -> Configuration {
    let refusals = survey.errors.iter().map(|error| refusal(error, &position));
    let remarks = survey
        .warnings
        .iter()
        .map(finding)
        .chain(refusals)
        .collect();
    let file_is_read = survey.backends.is_some() && survey.mappings.is_some();
    let backends = survey
        .backends
        .unwrap_or_else(|| vec![Backend::MountedFile]);
    let backends = backends.iter().map(|backend| {
        let (mappings, accounts) = match (backend, &survey.mappings) {
            (Backend::MountedFile, Some(mappings)) => (&*mappings.mappings, &*mappings.accounts),
            _ => Default::default(),
        };
        BackendEntries {
            backend: *backend,
            is_read: *backend == Backend::MountedFile && file_is_read,
            mappings: mappings.iter().map(entry).collect(),
            accounts: accounts.iter().map(account).collect(),
            reserved: survey.reserved.get(backend).cloned().unwrap_or_default(),
        }
    });
    Configuration {
        backends: backends.collect(),
        position,
        validations: survey.validations,
        serves_proxies: survey.serves_proxies,
        remarks,
    }
}

/// The lists of `mappings` that cannot be read at all. Of one below a misspelled key, the key is a finding already.
#[must_use]
pub fn unreadable_lists(mappings: &FileMappings) -> Vec<Finding> {
    let lists = mappings.lists.iter();
    let unreadable = lists.filter_map(|(list, entries)| {
        let why = entries.as_ref().err()?;
        let position = Position {
            file: why.place.clone(),
            entry: list.key().to_owned(),
            ..Position::default()
        };
        let is_told = mappings.held_back.contains_key(list);
        (!is_told).then(|| remark(Code::Unreadable, Severity::Error, position, &why.reason))
    });
    unreadable.collect()
}

/// An entry of `mapAccounts`, as `lint` takes it.
#[must_use]
pub fn account(given: &Given<AccountId>) -> Account {
    Account {
        account: given.value.clone(),
        position: position_of(&given.place, &given.setting),
    }
}

/// A mapping, as `lint` takes it.
#[must_use]
pub fn entry(given: &Given<Mapping>) -> Entry {
    Entry {
        mapping: given.value.clone(),
        position: position_of(&given.place, &given.setting),
        in_go: if given.value.source.backend == Backend::Crd {
            InGo::Regex
        } else if given.setting.starts_with("server.mapRules[") {
            InGo::Unread
        } else {
            InGo::Literal
        },
    }
}

fn position_of(place: &Place, entry: &str) -> Position {
    match place {
        Place::File { path, line, column } => Position {
            file: path.to_string(),
            line: *line,
            column: *column,
            entry: entry.to_owned(),
        },
        Place::CommandLine | Place::Environment => Position {
            entry: format!("{place} {entry}"),
            ..Position::default()
        },
    }
}

/// What was odd when something was read.
#[must_use]
pub fn finding(warning: &Warning) -> Finding {
    let (code, severity) = match warning.kind {
        WarningKind::UnknownKey => (Code::UnknownKey, Severity::Error),
        WarningKind::EmptyList => (Code::EmptyList, Severity::Error),
        WarningKind::TextForList => (Code::TextForList, Severity::Error),
        WarningKind::NumericAccount => (Code::NumericAccount, Severity::Error),
        WarningKind::InvalidEntry => (Code::InvalidEntry, Severity::Error),
        WarningKind::ArnWithPath => (Code::ArnWithPath, Severity::Warning),
        WarningKind::BindWins => (Code::BindWins, Severity::Warning),
        WarningKind::GroupsUnjoined => (Code::GroupsUnjoined, Severity::Warning),
    };
    let text = match warning.kind {
        WarningKind::InvalidEntry => format!("the entry is left out: {}", warning.text),
        _ => warning.text.clone(),
    };
    let position = position_of(&warning.place, &warning.entry);
    remark(code, severity, position, &text)
}

/// Why the server would not start.
#[must_use]
pub fn refusal(error: &ConfigError, position: &Position) -> Finding {
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
            (Code::Unreadable, position, message.clone())
        }
        ConfigError::NotText { source, .. } => {
            let (line, column) = source.place().unwrap_or_default();
            let position = Position {
                line: line as u64,
                column: column as u64,
                ..position.clone()
            };
            (Code::Unreadable, position, error.to_string())
        }
        ConfigError::Unreadable { .. }
        | ConfigError::TooLarge { .. }
        | ConfigError::Syntax { .. } => (Code::Unreadable, position.clone(), error.to_string()),
        ConfigError::NoClusterId { .. } => (Code::NoClusterId, position.clone(), error.to_string()),
        ConfigError::Setting(problem) => (
            Code::InvalidSetting,
            position_of(&problem.place, ""),
            problem.text.clone(),
        ),
    };
    remark(code, Severity::Error, position, &text)
}

/// Messages say what to do after a semicolon.
#[must_use]
pub fn remark(code: Code, severity: Severity, position: Position, text: &str) -> Finding {
    let (message, advice) = text.split_once("; ").unwrap_or((text, ""));
    Finding {
        code,
        severity,
        position,
        message: message.to_owned(),
        advice: advice.to_owned(),
    }
}
