//! Printing of findings about a configuration.

use std::fmt::Write as _;

use ack_ram_analysis::findings::LintReport;

use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, DIM, ERROR, OutputFormat, SUCCESS, WARNING};
use crate::config::{Diagnostic, Severity};

/// Prints the findings and their number.
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
        let Diagnostic {
            code,
            severity,
            location,
            message,
            help,
        } = finding;
        writeln!(
            page,
            "{location}: {style}{severity}{style:#} [{code}] {message}"
        )?;
        if !help.is_empty() {
            writeln!(page, "    {help}")?;
        }
    }
    if report.findings.is_empty() {
        writeln!(page, "{SUCCESS}no findings{SUCCESS:#}")?;
    } else {
        let counts = [
            (report.errors, "error"),
            (report.warnings, "warning"),
            (report.infos, "info"),
        ];
        let counts = counts.map(|(number, what)| output::pluralize(number, what));
        writeln!(page, "{}", counts.join(", "))?;
    }
    Ok(page)
}
