//! The report about changed kubeconfig files.

use std::path::PathBuf;

use ack_ram_client::kubeconfig::Outcome;
use serde::Serialize;

use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, ERROR, OutputFormat, SUCCESS, WARNING};

/// What has changed, or would change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    dry_run: bool,
    files: Vec<FileReport>,
    converted: Vec<ConvertedReport>,
    skipped: Vec<SkippedReport>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileReport {
    path: PathBuf,
    diff: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct ConvertedReport {
    user: String,
    /// The ARN that STS gives to the user's access key, if a check was necessary.
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
}

#[derive(Debug, Serialize)]
struct SkippedReport {
    user: String,
    reason: String,
}

impl Report {
    pub(super) fn new(outcome: Outcome, dry_run: bool) -> Self {
        let files = outcome.files.into_iter().map(|file| FileReport {
            path: file.path,
            diff: file.diff,
            backup: file.backup,
        });
        let converted = outcome.converted.into_iter().map(|user| ConvertedReport {
            user: user.name,
            arn: None,
        });
        let skipped = outcome.skipped.into_iter().map(|user| SkippedReport {
            user: user.user.name,
            reason: user.reason,
        });
        Self {
            dry_run,
            files: files.collect(),
            converted: converted.collect(),
            skipped: skipped.collect(),
            notes: outcome.notes.iter().map(ToString::to_string).collect(),
        }
    }

    /// Adds the ARNs of users that were checked.
    pub(super) fn with_identities(mut self, identities: Vec<(String, String)>) -> Self {
        for user in &mut self.converted {
            let mut identities = identities.iter();
            let found = identities.rfind(|(name, _)| *name == user.user);
            user.arn = found.map(|(_, arn)| arn.clone());
        }
        self
    }

    pub(super) fn render(&self, format: OutputFormat) -> Result<String, CommandFailure> {
        match format {
            OutputFormat::Json => output::json(self, "  "),
            OutputFormat::Text => Ok(self.text()),
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for user in &self.converted {
            let name = visible(&user.user);
            lines.push(match &user.arn {
                Some(arn) => format!("user `{name}` logs in as {arn}"),
                None => format!("user `{name}` keeps its options"),
            });
        }
        for file in &self.files {
            if self.dry_run {
                lines.extend(file.diff.lines().map(diff_line));
            } else {
                lines.push(format!("wrote {}", file.path.display()));
            }
            if let Some(backup) = &file.backup {
                lines.push(format!("the old file is {}", backup.display()));
            }
        }
        for user in &self.skipped {
            let name = visible(&user.user);
            lines.push(format!(
                "{WARNING}skipped{WARNING:#} user `{name}`: {}",
                user.reason
            ));
        }
        for note in &self.notes {
            lines.push(format!("{WARNING}note:{WARNING:#} {note}"));
        }
        match (self.files.is_empty(), self.dry_run) {
            (true, _) => lines.push("nothing to change".to_owned()),
            (false, true) => lines.push("dry run, nothing was written".to_owned()),
            (false, false) => {}
        }
        lines.join("\n") + "\n"
    }
}

fn diff_line(line: &str) -> String {
    let style = match line.chars().next() {
        Some('+') if !line.starts_with("+++ ") => SUCCESS,
        Some('-') if !line.starts_with("--- ") => ERROR,
        _ => anstyle::Style::new(),
    };
    format!("{style}{}{style:#}", visible(line))
}

/// Escapes control characters, which could change the text on a terminal.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() && char != '\t' {
            true => out.extend(char.escape_default()),
            false => out.push(char),
        }
    }
    out
}
