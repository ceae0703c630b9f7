//! `diff`: shows whose access changes between two configurations.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use ack_ram_analysis::compiled_config::CompiledConfig;
use ack_ram_analysis::diff::{Access, Change, ChangeKind, Diff};
use ack_ram_analysis::mapping_terms::MappingTerms;
use ack_ram_core::rules::MappingSpec;
use clap::Args;

use super::explain;
use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, ERROR, HEADING, OutputFormat, SUCCESS, WARNING};
use crate::config::{self, ConfigFile, ConfigSources, ExternalMappings, Overrides};
use crate::environment;

/// Show whose access changes between two configurations
///
/// Takes every identity that either configuration names, maps it with both, and compares the resulting users. The same
/// user from a different rule is not a change. `<session@name>`, `<user-id>` and `ACCESS-KEY-ID` are placeholders for
/// values that are known only at a login. Patterns, IDs and conditions are compared as text.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator diff config.yaml new.yaml
  ack-ram-authenticator diff config.yaml new.yaml --output json

Exit codes:
  0  No access changes.
  1  Some access changes.
  2  The command line is wrong, or a configuration cannot be used.")]
pub(in crate::cli) struct DiffArgs {
    /// Current configuration
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// New configuration
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Output format
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

/// Loads a configuration and compiles its rules. Logs the entries that are left out.
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
        "patterns, IDs and conditions, as text",
        rules,
        |written| {
            let rules: Vec<String> = written.iter().map(mapping_text).collect();
            rules.join("; otherwise ")
        },
    )?;
    write_section(&mut page, "whole accounts", accounts, |_| {
        "every identity may log in".to_owned()
    })?;
    write_section(&mut page, "scrubbed accounts", scrubbed_accounts, |_| {
        "identities are left out of logs and extra values".to_owned()
    })?;
    if diff.is_empty() {
        writeln!(page, "{SUCCESS}no access changes{SUCCESS:#}")?;
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
    // Names every field, so that a new field cannot be forgotten here.
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
        Some(expression) => format!("username from `{expression}`"),
        None => username.clone(),
    };
    let mut text = user_text(&username, groups);
    if let Some(expression) = groups_expression {
        text.push_str(&format!(", groups from `{expression}`"));
    }
    if !groups_expression_may_add.is_empty() {
        let names = groups_expression_may_add.join(", ");
        text.push_str(&format!(", which may produce {names}"));
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
