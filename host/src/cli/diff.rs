//! `diff`: what changes for whom between two configurations.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use ack_ram_config::compile::Elsewhere;
use ack_ram_config::loaded::Loaded;
use ack_ram_core::diff::{Access, Change, Diff, Way, Written};
use clap::Args;

use crate::cli::explain;
use crate::cli::failure::Failure;
use crate::cli::output::{self, BAD, GOOD, HEADING, ODD, OutputFormat};
use crate::config::{self, ConfigFile, Overrides, Sources};
use crate::env;

/// In place of the cluster id: no token is looked at.
const NO_CLUSTER: &str = "-";

/// Show what changes for whom between two configurations
///
/// Each identity that one of them names is asked for in both. What counts is the user that results: the same user by
/// another rule is no change. Names show `<session@name>`, `<user-id>` and `ACCESS-KEY-ID` for what only a login tells.
/// Patterns, ids and conditions are compared as they are written.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator diff config.yaml new.yaml
  ack-ram-authenticator diff config.yaml new.yaml --output json

Exit codes:
  0  nothing changes
  1  something changes
  2  wrong usage, or a configuration that cannot be used")]
pub(super) struct DiffArgs {
    /// The configuration that is in force
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The one that is to be
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// The form of what is printed
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

pub(super) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let diff = compare(args).map_err(Failure::into_trouble)?;
    let page = match args.output {
        OutputFormat::Json => output::json(&diff, "  "),
        OutputFormat::Text => text(&diff),
    };
    page.and_then(|page| output::print(&page))
        .map_err(Failure::into_trouble)?;
    if diff.is_empty() {
        Ok(())
    } else {
        Err(Failure::AnswerIsNo)
    }
}

fn compare(args: &DiffArgs) -> Result<Diff, Failure> {
    Ok(read(&args.old)?.compare(&read(&args.new)?))
}

/// A configuration, and its rules; the log tells what is left out.
fn read(file: &Path) -> Result<Loaded, Failure> {
    let overrides = Overrides {
        cluster_id: Some(NO_CLUSTER.to_owned()),
        ..Overrides::default()
    };
    let config = config::load(&Sources {
        file: Some(ConfigFile::Path(file)),
        overrides: &overrides,
        variables: &env::variable,
    })?;
    let loaded = Loaded::new(config, Elsewhere::new());
    explain::warn_of_left_out(&loaded.config, &loaded.compiled);
    Ok(loaded)
}

fn text(diff: &Diff) -> Result<String, Failure> {
    let mut page = String::new();
    let Diff {
        identities,
        rules,
        accounts,
        scrubbed_accounts,
    } = diff;
    part(&mut page, "identities", identities, access_text)?;
    part(
        &mut page,
        "patterns, ids and conditions, as written",
        rules,
        |written| {
            let rules: Vec<String> = written.iter().map(written_text).collect();
            rules.join("; else ")
        },
    )?;
    part(&mut page, "whole accounts", accounts, |_| {
        "all may log in".to_owned()
    })?;
    part(&mut page, "scrubbed accounts", scrubbed_accounts, |_| {
        "nothing is told".to_owned()
    })?;
    if diff.is_empty() {
        writeln!(page, "{GOOD}nothing changes for anybody{GOOD:#}")?;
    }
    Ok(page)
}

fn part<T>(
    page: &mut String,
    title: &str,
    changes: &[Change<T>],
    tell: impl Fn(&T) -> String,
) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(());
    }
    let gap = if page.is_empty() { "" } else { "\n" };
    writeln!(page, "{gap}{HEADING}{title}{HEADING:#}")?;
    for change in changes {
        let (style, sign) = match change.change {
            Way::Added => (GOOD, '+'),
            Way::Removed => (BAD, '-'),
            Way::Changed => (ODD, '~'),
        };
        writeln!(page, "  {style}{sign} {}{style:#}", change.subject)?;
        for (label, side) in [("before", &change.before), ("after", &change.after)] {
            if let Some(side) = side {
                writeln!(page, "      {label:<8}{}", tell(side))?;
            }
        }
    }
    Ok(())
}

fn access_text(access: &Access) -> String {
    match access {
        Access::User { username, groups } => named(username, groups),
        Access::Refused { refused } => format!("refused: {refused}"),
    }
}

fn written_text(written: &Written) -> String {
    let username = match &written.username_expression {
        Some(expression) => format!("username by `{expression}`"),
        None => written.username.clone(),
    };
    let mut text = named(&username, &written.groups);
    if let Some(expression) = &written.groups_expression {
        text.push_str(&format!(", groups by `{expression}`"));
    }
    if !written.groups_expression_may_add.is_empty() {
        let names: Vec<&str> = written
            .groups_expression_may_add
            .iter()
            .map(String::as_str)
            .collect();
        text.push_str(&format!(", which may give {}", names.join(", ")));
    }
    if let Some(condition) = &written.condition {
        text.push_str(&format!(", if `{condition}`"));
    }
    text
}

fn named(username: &impl Display, groups: &BTreeSet<String>) -> String {
    if groups.is_empty() {
        format!("{username}, no groups")
    } else {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        format!("{username}, in {}", groups.join(", "))
    }
}
