//! The report about changed kubeconfig files.

use std::path::{Path, PathBuf};

use ack_ram_client::kubeconfig::Outcome;
use serde::Serialize;

use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, ERROR, OutputFormat, SUCCESS, WARNING, escaped};

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
    #[serde(skip)]
    replaces_certificate: bool,
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
            replaces_certificate: user.replaces_certificate,
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

    /// Returns whether files were written.
    pub(super) fn has_written(&self) -> bool {
        !self.dry_run && !self.files.is_empty()
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
            let name = escaped(&user.user);
            lines.push(match &user.arn {
                Some(arn) => format!("user `{name}` logs in as {arn}"),
                None if user.replaces_certificate => format!(
                    "user `{name}` gets a token instead of a client certificate; without --dry-run, STS first checks its access key"
                ),
                None => format!("user `{name}` keeps its options"),
            });
        }
        for file in &self.files {
            if self.dry_run {
                lines.extend(file.diff.lines().map(diff_line));
            } else {
                lines.push(format!("wrote {}", shown(&file.path)));
            }
            if let Some(backup) = &file.backup {
                lines.push(format!("the old file is {}", shown(backup)));
            }
        }
        for user in &self.skipped {
            let name = escaped(&user.user);
            let reason = escaped(&user.reason);
            lines.push(format!(
                "{WARNING}skipped{WARNING:#} user `{name}`: {reason}"
            ));
        }
        for note in &self.notes {
            lines.push(format!("{WARNING}note:{WARNING:#} {}", escaped(note)));
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
    // Tabs are common in JSON, and change no text.
    let parts: Vec<String> = line.split('\t').map(escaped).collect();
    format!("{style}{}{style:#}", parts.join("\t"))
}

fn shown(path: &Path) -> String {
    escaped(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use ack_ram_client::kubeconfig::{ChangedFile, ConvertedUser, EntryName, SkippedUser};

    use super::*;

    #[test]
    fn text_has_no_control_characters_of_files() {
        let outcome = Outcome {
            files: vec![ChangedFile {
                path: "/folder\u{1b}[31m/config".into(),
                diff: "+a\tb\u{1b}[31m\n".to_owned(),
                backup: Some("/folder\u{1b}[31m/backup".into()),
            }],
            skipped: vec![SkippedUser {
                user: EntryName::user("u\u{1b}[31m"),
                reason: "its option `--x\u{1b}[31m` is not known".to_owned(),
            }],
            ..Outcome::default()
        };
        for dry_run in [false, true] {
            let text = Report::new(outcome.clone(), dry_run).text();
            assert!(!text.contains("\u{1b}[31m"), "{text:?}");
            assert!(text.contains(r"`--x\u{1b}[31m`"), "{text:?}");
        }
    }

    #[test]
    fn text_says_how_a_user_changes() {
        let user = |replaces_certificate| ConvertedUser {
            name: "u".to_owned(),
            command: String::new(),
            args: Vec::new(),
            variables: Default::default(),
            replaces_certificate,
        };
        let report = |replaces_certificate| {
            let outcome = Outcome {
                converted: vec![user(replaces_certificate)],
                ..Outcome::default()
            };
            Report::new(outcome, true)
        };
        let identity = ("u".to_owned(), "acs:ram::1:user/a".to_owned());
        for (report, expected) in [
            (report(false), "keeps its options"),
            (report(true), "instead of a client certificate"),
            (
                report(true).with_identities(vec![identity]),
                "logs in as acs:ram::1:user/a",
            ),
        ] {
            let text = report.text();
            assert!(text.contains(expected), "{text}");
        }
    }
}
