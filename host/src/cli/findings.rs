//! How findings about a configuration are printed.

use std::fmt::Write as _;

pub(super) use ack_ram_config::findings::{
    Report, account, configuration, entry, finding, findings, refusal, remark,
};
use ack_ram_core::lint::{Finding, Severity};

use crate::cli::failure::Failure;
use crate::cli::output::{self, ASIDE, BAD, GOOD, ODD, OutputFormat};

/// Prints all that was found.
pub(super) fn print(report: &Report, format: OutputFormat) -> Result<(), Failure> {
    output::print(&match format {
        OutputFormat::Json => output::json(report, "  ")?,
        OutputFormat::Text => text(report)?,
    })
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
