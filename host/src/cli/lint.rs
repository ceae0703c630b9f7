//! `lint`: what is wrong or risky in a configuration.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
    self, Config, ConfigError, Given, Overrides, Place, Sources, Warning, WarningKind,
};

/// In place of a cluster id that is missing, so that the rest is looked at, too.
const NO_CLUSTER: &str = "-";

/// Find what is wrong or risky in configuration files
///
/// Unknown keys, entries that are left out, mappings that never answer, patterns that mean something else than in Go,
/// names that whoever logs in can choose, grants of system:masters, ways of locking oneself out. Each finding has a
/// stable code, a severity and a place.
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
    let load = |cluster_id: Option<String>| {
        let overrides = Overrides {
            cluster_id,
            ..Overrides::default()
        };
        config::load(&Sources {
            file: Some(file),
            overrides: &overrides,
            // Findings are about the file alone, wherever it is looked at.
            variables: &|_| None,
        })
    };
    let position = Position {
        file: file.display().to_string(),
        ..Position::default()
    };
    let (config, remark) = match load(globals.cluster_id.clone()) {
        Ok(config) => (Ok(config), None),
        Err(error @ ConfigError::NoClusterId { .. }) => {
            let remark = refusal(&error, &position);
            (load(Some(NO_CLUSTER.to_owned())), Some(remark))
        }
        Err(error) => (Err(error), None),
    };
    match config {
        Ok(config) => lint::lint(&configuration(&config, position, remark)),
        Err(error) => remark
            .into_iter()
            .chain([refusal(&error, &position)])
            .collect(),
    }
}

fn configuration(config: &Config, position: Position, remark: Option<Finding>) -> Configuration {
    let entries = |backend: &Backend| BackendEntries {
        backend: *backend,
        is_read: true,
        mappings: config.mappings.mappings.iter().map(entry).collect(),
        accounts: config
            .mappings
            .accounts
            .iter()
            .map(|given| Account {
                account: given.value.clone(),
                position: position_of(&given.place, &given.setting),
            })
            .collect(),
        reserved: config
            .rules
            .reserved
            .get(backend)
            .cloned()
            .unwrap_or_default(),
    };
    Configuration {
        position,
        backends: config.backends.iter().map(entries).collect(),
        remarks: config.warnings.iter().map(finding).chain(remark).collect(),
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
    remark(
        code,
        severity,
        position_of(&warning.place, ""),
        &warning.text,
    )
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
