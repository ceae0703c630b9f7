//! The report of `doctor`: sections that are printed when they are complete, or one JSON document.

use std::collections::HashSet;
use std::fmt::Write as _;

use ack_ram_client::doctor::{self, Redaction};
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::{Finding, Findings, Level, Topic};
use serde::Serialize;

use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, DIM, ERROR, HEADING, OutputFormat, SUCCESS, WARNING, escaped};

/// The report, and which findings it has printed.
pub(super) struct Report {
    format: OutputFormat,
    redaction: Redaction,
    printed: HashSet<(Topic, String)>,
    is_empty: bool,
}

/// The report as JSON.
#[derive(Serialize)]
struct ReportJson {
    ok: bool,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(format: OutputFormat, environment: &Environment) -> Self {
        Self {
            format,
            redaction: Redaction::new(environment),
            printed: HashSet::new(),
            is_empty: true,
        }
    }

    /// Prints the sections of `topics`, as far as they have new findings.
    pub(super) fn print(
        &mut self,
        findings: &Findings,
        topics: &[Topic],
    ) -> Result<(), CommandFailure> {
        if matches!(self.format, OutputFormat::Json) {
            return Ok(());
        }
        let mut page = String::new();
        for topic in topics {
            let findings = self.new_findings(findings, *topic);
            if findings.is_empty() {
                continue;
            }
            if !self.is_empty {
                page.push('\n');
            }
            self.is_empty = false;
            writeln!(page, "{HEADING}{}{HEADING:#}", topic_name(*topic))?;
            for finding in findings {
                write_finding(&mut page, &finding)?;
            }
        }
        output::print(&page)
    }

    /// Prints the result, and returns it as the exit code.
    pub(super) fn finish(mut self, findings: &Findings) -> Result<(), CommandFailure> {
        let ok = doctor::is_ok(findings);
        match self.format {
            OutputFormat::Json => {
                let findings = TOPICS
                    .iter()
                    .flat_map(|topic| self.new_findings(findings, *topic))
                    .collect();
                output::print(&output::json(&ReportJson { ok, findings }, "  ")?)?;
            }
            OutputFormat::Text => {
                // Findings about an earlier section that came later.
                self.print(findings, &TOPICS)?;
                output::print(&match ok {
                    true => format!("\n{SUCCESS}a login works{SUCCESS:#}\n{NOT_CHECKED}\n"),
                    false => format!("\n{ERROR}a login would fail{ERROR:#}\n"),
                })?;
            }
        }
        match ok {
            true => Ok(()),
            false => Err(CommandFailure::Negative),
        }
    }

    /// Returns the findings about `topic` that have not been printed. Equal findings are printed once.
    fn new_findings(&mut self, findings: &Findings, topic: Topic) -> Vec<Finding> {
        let findings = findings.list().iter();
        findings
            .filter(|finding| finding.topic == topic)
            .filter(|finding| self.printed.insert((topic, finding.text.clone())))
            .map(|finding| self.redaction.apply(finding))
            .collect()
    }
}

const NOT_CHECKED: &str = "\
the cluster was not asked; if kubectl still prints `Unauthorized`, check the cluster ID, and ask an administrator";

const TOPICS: [Topic; 9] = [
    Topic::Login,
    Topic::Environment,
    Topic::Files,
    Topic::Plan,
    Topic::Calls,
    Topic::Clock,
    Topic::Token,
    Topic::Cache,
    Topic::Kubeconfig,
];

fn topic_name(topic: Topic) -> &'static str {
    match topic {
        Topic::Login => "login",
        Topic::Environment => "environment",
        Topic::Files => "files",
        Topic::Plan => "plan",
        Topic::Calls => "calls",
        Topic::Clock => "clock",
        Topic::Token => "token",
        Topic::Cache => "cache",
        Topic::Kubeconfig => "kubeconfig",
    }
}

fn write_finding(page: &mut String, finding: &Finding) -> Result<(), CommandFailure> {
    let (style, level) = match finding.level {
        Level::Note => (DIM, "note"),
        Level::Warning => (WARNING, "warning"),
        Level::Problem => (ERROR, "problem"),
    };
    writeln!(
        page,
        "  {style}{level:<9}{style:#}{}",
        escaped(&finding.text)
    )?;
    if let Some(remedy) = &finding.remedy {
        writeln!(page, "           help: {}", escaped(remedy))?;
    }
    Ok(())
}
