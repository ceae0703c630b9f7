//! `diff`: what changes for whom between two configurations.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use ack_ram_analysis::compiled_config::CompiledConfig;
use ack_ram_analysis::diff::{Access, Change, ChangeKind, Diff};
use ack_ram_analysis::mapping_terms::MappingTerms;
use ack_ram_core::rules::MappingSpec;
use clap::Args;

use crate::cli::commands::explain;
use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, ERROR, HEADING, OutputFormat, SUCCESS, WARNING};
use crate::config::{self, ConfigFile, ConfigSources, ExternalMappings, Overrides};
use crate::environment;

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
pub(in crate::cli) struct DiffArgs {
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

pub(super) fn run(args: &DiffArgs) -> Result<(), CommandFailure> {
    let diff = compare(args).map_err(CommandFailure::into_failed_with_answer)?;
    let page = match args.output {
        OutputFormat::Json => output::json(&diff, "  "),
        OutputFormat::Text => text(&diff),
    };
    page.and_then(|page| output::print(&page))
        .map_err(CommandFailure::into_failed_with_answer)?;
    if diff.is_empty() {
        Ok(())
    } else {
        Err(CommandFailure::Negative)
    }
}

fn compare(args: &DiffArgs) -> Result<Diff, CommandFailure> {
    Ok(load_config(&args.old)?.compare(&load_config(&args.new)?))
}

/// A configuration, and its rules; the log tells what is left out.
fn load_config(file: &Path) -> Result<CompiledConfig, CommandFailure> {
    let overrides = Overrides::default();
    let config = config::load_without_cluster(&ConfigSources {
        file: Some(ConfigFile::Path(file)),
        overrides: &overrides,
        variables: &environment::variable,
    })?;
    let loaded = CompiledConfig::new(config, ExternalMappings::new());
    explain::warn_of_omitted_rules(&loaded.config, &loaded.compiled);
    Ok(loaded)
}

fn text(diff: &Diff) -> Result<String, CommandFailure> {
    let mut page = String::new();
    let Diff {
        identities,
        rules,
        accounts,
        scrubbed_accounts,
    } = diff;
    write_section(&mut page, "identities", identities, access_text)?;
    write_section(
        &mut page,
        "patterns, ids and conditions, as written",
        rules,
        |written| {
            let rules: Vec<String> = written.iter().map(mapping_text).collect();
            rules.join("; else ")
        },
    )?;
    write_section(&mut page, "whole accounts", accounts, |_| {
        "all may log in".to_owned()
    })?;
    write_section(&mut page, "scrubbed accounts", scrubbed_accounts, |_| {
        "nothing is told".to_owned()
    })?;
    if diff.is_empty() {
        writeln!(page, "{SUCCESS}nothing changes for anybody{SUCCESS:#}")?;
    }
    Ok(page)
}

fn write_section<T>(
    page: &mut String,
    title: &str,
    changes: &[Change<T>],
    describe: impl Fn(&T) -> String,
) -> Result<(), CommandFailure> {
    if changes.is_empty() {
        return Ok(());
    }
    let gap = if page.is_empty() { "" } else { "\n" };
    writeln!(page, "{gap}{HEADING}{title}{HEADING:#}")?;
    for change in changes {
        let (style, sign) = match change.change {
            ChangeKind::Added => (SUCCESS, '+'),
            ChangeKind::Removed => (ERROR, '-'),
            ChangeKind::Changed => (WARNING, '~'),
        };
        writeln!(page, "  {style}{sign} {}{style:#}", change.subject)?;
        for (label, side) in [("before", &change.before), ("after", &change.after)] {
            if let Some(side) = side {
                writeln!(page, "      {label:<8}{}", describe(side))?;
            }
        }
    }
    Ok(())
}

fn access_text(access: &Access) -> String {
    match access {
        Access::User { username, groups } => user_text(username, groups),
        Access::Refused { refused } => format!("refused: {refused}"),
    }
}

fn mapping_text(terms: &MappingTerms) -> String {
    // All fields are named, so that no change goes unseen.
    let MappingSpec {
        arn: _,
        arn_pattern: _,
        user_id: _,
        role_id: _,
        condition,
        username,
        username_expression,
        groups,
        groups_expression,
        groups_expression_may_add,
    } = terms.spec();
    let username = match username_expression {
        Some(expression) => format!("username by `{expression}`"),
        None => username.clone(),
    };
    let mut text = user_text(&username, groups);
    if let Some(expression) = groups_expression {
        text.push_str(&format!(", groups by `{expression}`"));
    }
    if !groups_expression_may_add.is_empty() {
        let names = groups_expression_may_add.join(", ");
        text.push_str(&format!(", which may give {names}"));
    }
    if let Some(condition) = condition {
        text.push_str(&format!(", if `{condition}`"));
    }
    text
}

fn user_text<'a>(username: &impl Display, groups: impl IntoIterator<Item = &'a String>) -> String {
    let groups: Vec<&str> = groups.into_iter().map(String::as_str).collect();
    if groups.is_empty() {
        format!("{username}, no groups")
    } else {
        format!("{username}, in {}", groups.join(", "))
    }
}
