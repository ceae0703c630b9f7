//! Shows a change and asks for confirmation.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use similar::TextDiff;

use crate::cli::args::BOOL;
use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, ERROR, HEADING, SUCCESS};

// The options about confirmation. A doc comment would become the help of every command.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ConsentArgs {
    /// Make the change without asking
    #[arg(long, short, global = true)]
    yes: bool,

    /// Show the change and let the API server validate it, without storing it
    #[arg(long, global = true)]
    dry_run: bool,

    /// Whether to ask, as in the Go version; `--prompt=false` is the same as `--yes`
    #[arg(long, value_name = BOOL, global = true, hide_short_help = true)]
    prompt: Option<bool>,
}

/// What the user allows this command to do.
pub(in crate::cli) struct Consent {
    yes: bool,
    /// Whether the API server stores nothing.
    pub(super) dry_run: bool,
    /// The diff that the user has confirmed.
    agreed: Option<String>,
}

impl From<&ConsentArgs> for Consent {
    fn from(args: &ConsentArgs) -> Self {
        Self {
            yes: args.yes || args.prompt == Some(false),
            dry_run: args.dry_run,
            agreed: None,
        }
    }
}

/// A change to one key or object.
pub(super) struct Change<'a> {
    /// The name of the key or object, such as `ConfigMap kube-system/alibabacloud-auth, mapRoles`.
    pub(super) what: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

impl Consent {
    /// Shows `changes` and asks for confirmation, unless the user has already confirmed the same changes.
    pub(super) fn confirm(&mut self, changes: &[Change<'_>]) -> Result<(), CommandFailure> {
        let diff: String = changes.iter().map(Change::diff).collect();
        if self.agreed.as_ref() == Some(&diff) {
            return Ok(());
        }
        output::print(&diff)?;
        if !self.yes && !self.dry_run {
            ask_question()?;
        }
        self.agreed = Some(diff);
        Ok(())
    }

    /// Prints the result, with a remark if this is a dry run.
    pub(super) fn report(&self, result: &str) -> Result<(), CommandFailure> {
        let remark = if self.dry_run {
            "dry run, nothing was stored: "
        } else {
            ""
        };
        output::print(&format!("{remark}{result}\n"))
    }
}

fn ask_question() -> Result<(), CommandFailure> {
    if !io::stdin().is_terminal() {
        return Err(CommandFailure::Usage(
            "nothing was changed: there is no terminal to ask on; use --yes to confirm, or --dry-run to try the change".to_owned(),
        ));
    }
    let mut answer = String::new();
    anstream::stderr()
        .write_all(b"Make this change? [y/N] ")
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(|error| {
            CommandFailure::Failed(format!("cannot ask for confirmation: {error}; use --yes"))
        })?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CommandFailure::Failed(
            "nothing was changed: you did not confirm".to_owned(),
        )),
    }
}

impl Change<'_> {
    /// Renders the change as a unified diff.
    fn diff(&self) -> String {
        let diff = TextDiff::from_lines(self.before, self.after);
        let unified = diff.unified_diff().header(self.what, self.what).to_string();
        let mut page = String::new();
        for line in unified.lines() {
            let style = match line.chars().next() {
                Some('+') if !line.starts_with("+++ ") => SUCCESS,
                Some('-') if !line.starts_with("--- ") => ERROR,
                Some('@' | '+' | '-') => HEADING,
                _ => anstyle::Style::new(),
            };
            // Writing to a `String` never fails.
            let _ = writeln!(page, "{style}{}{style:#}", visible(line));
        }
        page
    }
}

/// Escapes the control characters in `text`, which may come from another user, so that a terminal does not obey them.
pub(in crate::cli) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() && char != '\t' {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_escapes_control_characters() {
        let change = Change {
            what: "x",
            before: "a\nb \u{1b}[2J\n",
            after: "a\nc\n",
        };
        let shown = anstream::adapter::strip_str(&change.diff()).to_string();
        assert_eq!(
            shown,
            "--- x\n+++ x\n@@ -1,2 +1,2 @@\n a\n-b \\u{1b}[2J\n+c\n"
        );
    }

    #[test]
    fn confirmed_change_is_not_asked_about_again() {
        let agreed = Change {
            what: "x",
            before: "",
            after: "a\n",
        };
        let another = Change {
            what: "x",
            before: "",
            after: "b\n",
        };
        let mut consent = Consent {
            yes: false,
            dry_run: false,
            agreed: Some(agreed.diff()),
        };
        assert!(consent.confirm(&[agreed]).is_ok());
        // On a terminal, this would wait for an answer.
        if !io::stdin().is_terminal() {
            assert!(matches!(
                consent.confirm(&[another]),
                Err(CommandFailure::Usage(_))
            ));
        }
    }
}
