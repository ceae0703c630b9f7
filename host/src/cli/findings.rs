//! Findings about a configuration, and how they are printed.

use std::fmt::Write as _;

use ack_ram_core::arn::AccountId;
use ack_ram_core::lint::{
    Account, BackendEntries, Code, Configuration, Entry, Finding, InGo, Position, Severity,
};
use ack_ram_core::rules::{Backend, Mapping};
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, ASIDE, BAD, GOOD, ODD, OutputFormat};
use crate::config::{ConfigError, Given, Place, Survey, Warning, WarningKind};

/// All that was found.
#[derive(Serialize)]
pub(super) struct Report {
    findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
    infos: usize,
}

impl Report {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
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

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub(super) fn has_warnings(&self) -> bool {
        self.warnings > 0
    }

    pub(super) fn print(&self, format: OutputFormat) -> Result<(), Failure> {
        output::print(&match format {
            OutputFormat::Json => output::json(self, "  ")?,
            OutputFormat::Text => text(self)?,
        })
    }
}

fn text(report: &Report) -> Result<String, Failure> {
    let mut page = String::new();
    for finding in &report.findings {
        let style = match finding.severity {
            Severity::Error => BAD,
            Severity::Warning => ODD,
            Severity::Info => ASIDE,
        };
        let Finding {
            code,
            severity,
            position,
            message,
            advice,
        } = finding;
        writeln!(
            page,
            "{position}: {style}{severity}{style:#} [{code}] {message}"
        )?;
        if !advice.is_empty() {
            writeln!(page, "    {advice}")?;
        }
    }
    if report.findings.is_empty() {
        writeln!(page, "{GOOD}nothing found{GOOD:#}")?;
    } else {
        let counts = [
            (report.errors, "error"),
            (report.warnings, "warning"),
            (report.infos, "note"),
        ];
        let counts = counts.map(|(number, what)| output::count(number, what));
        writeln!(page, "{}", counts.join(", "))?;
    }
    Ok(page)
}

/// What `lint` looks at: `survey`, of the file at `position`.
pub(super) fn configuration(survey: Survey, position: Position) -> Configuration {
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
        remarks,
    }
}

pub(super) fn account(given: &Given<AccountId>) -> Account {
    Account {
        account: given.value.clone(),
        position: position_of(&given.place, &given.setting),
    }
}

pub(super) fn entry(given: &Given<Mapping>) -> Entry {
    Entry {
        mapping: given.value.clone(),
        position: position_of(&given.place, &given.setting),
        in_go: if given.setting.starts_with("server.mapRules[") {
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
pub(super) fn finding(warning: &Warning) -> Finding {
    let (code, severity) = match warning.kind {
        WarningKind::UnknownKey => (Code::UnknownKey, Severity::Error),
        WarningKind::EmptyList => (Code::EmptyList, Severity::Error),
        WarningKind::TextForList => (Code::TextForList, Severity::Error),
        WarningKind::NumericAccount => (Code::NumericAccount, Severity::Error),
        WarningKind::InvalidEntry => (Code::InvalidEntry, Severity::Error),
        WarningKind::BindWins => (Code::BindWins, Severity::Warning),
    };
    let text = match warning.kind {
        WarningKind::InvalidEntry => format!("the entry is left out: {}", warning.text),
        _ => warning.text.clone(),
    };
    let position = position_of(&warning.place, &warning.entry);
    remark(code, severity, position, &text)
}

/// Why the server would not start.
pub(super) fn refusal(error: &ConfigError, position: &Position) -> Finding {
    let (code, position, text) = match error {
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
pub(super) fn remark(code: Code, severity: Severity, position: Position, text: &str) -> Finding {
    let (message, advice) = text.split_once("; ").unwrap_or((text, ""));
    Finding {
        code,
        severity,
        position,
        message: message.to_owned(),
        advice: advice.to_owned(),
    }
}
