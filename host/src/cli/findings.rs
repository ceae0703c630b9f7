//! How findings about a configuration are printed.

use std::fmt::Write as _;

pub(super) use ack_ram_analysis::findings::{
    LintReport, finding_from_error, finding_from_text, finding_from_warning, lint_account,
    lint_configuration, lint_entry, lint_sources,
};
use ack_ram_analysis::lint::{Finding, Severity};

use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, DIM, ERROR, OutputFormat, SUCCESS, WARNING};

/// Prints all that was found.
pub(super) fn print(report: &LintReport, format: OutputFormat) -> Result<(), CommandFailure> {
    output::print(&match format {
        OutputFormat::Json => output::json(report, "  ")?,
        OutputFormat::Text => text(report)?,
    })
}

fn text(report: &LintReport) -> Result<String, CommandFailure> {
    let mut page = String::new();
    for finding in &report.findings {
        let style = match finding.severity {
            Severity::Error => ERROR,
            Severity::Warning => WARNING,
            Severity::Info => DIM,
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
        writeln!(page, "{SUCCESS}nothing found{SUCCESS:#}")?;
    } else {
        let counts = [
            (report.errors, "error"),
            (report.warnings, "warning"),
            (report.infos, "note"),
        ];
        let counts = counts.map(|(number, what)| output::pluralize(number, what));
        writeln!(page, "{}", counts.join(", "))?;
    }
    Ok(page)
}
