//! `lint`: what is wrong or risky in a configuration.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ack_ram_core::arn::AccountId;
use ack_ram_core::lint::{
    self, Account, BackendEntries, Code, Configuration, Entry, Finding, InGo, Position, Severity,
};
use ack_ram_core::rules::{Backend, Mapping};
use clap::Args;
use serde::Serialize;

use crate::cli::args::{self, Globals};
use crate::cli::failure::Failure;
use crate::cli::output::{self, ASIDE, BAD, GOOD, ODD, OutputFormat};
use crate::config::{
    self, ConfigError, ConfigFile, Given, Overrides, Place, Sources, Survey, Warning, WarningKind,
};

/// Find what is wrong or risky in configuration files
///
/// Unknown keys, entries that are left out, mappings that never answer or whose logins are all refused, conditions that
/// ask for no account, patterns that mean something else than in Go, names that whoever logs in can choose, grants of
/// system:masters, ways of locking oneself out. Each finding has a stable code, a severity and a place.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator lint config.yaml
  ack-ram-authenticator lint --strict --output json old.yaml new.yaml

Exit codes:
  0  no errors
  1  errors, or with --strict warnings
  2  wrong usage")]
pub(super) struct LintArgs {
    /// The configuration files; --config is looked at, too
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Let warnings count as errors in the exit code
    #[arg(long)]
    strict: bool,

    /// The form of what is printed
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

#[derive(Serialize)]
struct Report {
    findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
    infos: usize,
}

pub(super) fn run(args: &LintArgs, globals: &Globals) -> Result<(), Failure> {
    let files: Vec<&PathBuf> = globals.config.iter().chain(&args.files).collect();
    if files.is_empty() {
        return Err(args::missing("`lint` needs a file to look at"));
    }
    let findings: Vec<Finding> = files
        .into_iter()
        .flat_map(|file| file_findings(file, globals))
        .collect();
    let count = |severity| {
        let is_it = |finding: &&Finding| finding.severity == severity;
        findings.iter().filter(is_it).count()
    };
    let report = Report {
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        infos: count(Severity::Info),
        findings,
    };
    output::print(&match args.output {
        OutputFormat::Json => output::json(&report, "  ")?,
        OutputFormat::Text => text(&report)?,
    })?;
    if report.errors > 0 || (args.strict && report.warnings > 0) {
        Err(Failure::AnswerIsNo)
    } else {
        Ok(())
    }
}

fn file_findings(file: &Path, globals: &Globals) -> Vec<Finding> {
    let overrides = Overrides {
        cluster_id: globals.cluster_id.clone(),
        ..Overrides::default()
    };
    let survey = config::survey(&Sources {
        file: Some(ConfigFile::Path(file)),
        overrides: &overrides,
        // Findings are about the file alone, wherever it is looked at.
        variables: &|_| None,
    });
    let position = Position {
        file: file.display().to_string(),
        ..Position::default()
    };
    match survey {
        Ok(survey) => lint::lint(&configuration(survey, position)),
        Err(error) => vec![refusal(&error, &position)],
    }
}

fn configuration(survey: Survey, position: Position) -> Configuration {
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

fn account(given: &Given<AccountId>) -> Account {
    Account {
        account: given.value.clone(),
        position: position_of(&given.place, &given.setting),
    }
}

fn entry(given: &Given<Mapping>) -> Entry {
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

fn finding(warning: &Warning) -> Finding {
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
fn refusal(error: &ConfigError, position: &Position) -> Finding {
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

/// Messages of the configuration say what to do after a semicolon or a colon.
fn remark(code: Code, severity: Severity, position: Position, text: &str) -> Finding {
    let (message, advice) = text.split_once("; ").unwrap_or((text, ""));
    Finding {
        code,
        severity,
        position,
        message: message.to_owned(),
        advice: advice.to_owned(),
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
