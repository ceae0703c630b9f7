//! The text form of the trace that `explain` prints.

use std::fmt::{Display, Write as _};

use ack_ram_analysis::explain::{BackendOutcome, BackendTrace, MatchedRule, Trace, TracedUser};
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::FieldValue;

use crate::cli::failure::CommandFailure;
use crate::cli::output::{DIM, ERROR, HEADING, SUCCESS, WARNING, pluralize};

pub(super) fn text(trace: &Trace) -> Result<String, CommandFailure> {
    let mut page = String::new();
    let explanation = &trace.explanation;
    if explanation.scrubbed {
        writeln!(
            page,
            "{HEADING}identity{HEADING:#}\n  belongs to a scrubbed account: left out of logs and of the user's extra values"
        )?;
    }
    if let Some(identity) = &explanation.identity {
        identity_text(&mut page, identity)?;
    }
    add_mapping(&mut page, trace)?;
    Ok(page)
}

/// Returns the trace without the identity.
pub(super) fn mapping_text(trace: &Trace) -> Result<String, CommandFailure> {
    let mut page = String::new();
    add_mapping(&mut page, trace)?;
    Ok(page)
}

fn add_mapping(page: &mut String, trace: &Trace) -> Result<(), CommandFailure> {
    let explanation = &trace.explanation;
    heading(page, "backends, in order of precedence")?;
    for backend in &trace.backends {
        backend_text(page, backend, trace)?;
    }
    if let Some(rule) = &trace.rule {
        rule_text(page, rule)?;
    }
    list(
        page,
        "rules whose condition is not met",
        &explanation.skipped_rules,
    )?;
    list(
        page,
        "rules with lower precedence that also match",
        &explanation.outranked,
    )?;
    list(page, "rules that nearly match", &explanation.near_misses)?;
    if let Some(user) = &trace.user {
        user_text(page, user)?;
    }
    if let Some(reason) = &trace.reason {
        writeln!(page, "\n{ERROR}no user{ERROR:#}: {reason}")?;
    }
    Ok(())
}

fn identity_text(page: &mut String, identity: &Identity) -> Result<(), CommandFailure> {
    heading(page, "identity")?;
    row(page, "type", identity.identity_type())?;
    row(page, "ARN", &identity.arn)?;
    row(page, "canonical ARN", identity.arn.canonical())?;
    row(page, "user ID", &identity.user_id)?;
    row(page, "access key ID", &identity.access_key_id)
}

fn backend_text(
    page: &mut String,
    backend: &BackendTrace,
    trace: &Trace,
) -> Result<(), CommandFailure> {
    let BackendTrace {
        backend,
        rules,
        answer,
    } = backend;
    write!(
        page,
        "  {:<14}{:<10}",
        backend.to_string(),
        pluralize(*rules, "rule")
    )?;
    match (answer, &trace.explanation.matched) {
        (BackendOutcome::Matched, Some(matched)) => {
            writeln!(page, "{SUCCESS}matched by {matched}{SUCCESS:#}")?
        }
        (BackendOutcome::Matched | BackendOutcome::NoMatch, _) => {
            writeln!(page, "no rule matches")?
        }
        (BackendOutcome::NotReady, _) => writeln!(page, "{WARNING}not loaded{WARNING:#}")?,
        (BackendOutcome::NotAsked, _) => writeln!(page, "{DIM}not evaluated{DIM:#}")?,
    }
    Ok(())
}

fn rule_text(page: &mut String, rule: &MatchedRule) -> Result<(), CommandFailure> {
    heading(page, "matching rule")?;
    row(page, "location", &rule.place)?;
    row(page, "subject", &rule.about)?;
    let mut fields: Vec<_> = rule.terms.fields().collect();
    // Shows the username and the groups before the fields that extend Go's format.
    fields.sort_by_key(|(field, _)| field.is_extension());
    for (field, value) in fields {
        match value {
            FieldValue::Text(text) if !text.is_empty() => row(page, field.name(), text)?,
            FieldValue::OptionalText(Some(text)) => row(page, field.name(), text)?,
            FieldValue::Texts(texts) if !texts.is_empty() => {
                row(page, field.name(), texts.join(", "))?;
            }
            FieldValue::Text(_) | FieldValue::OptionalText(None) | FieldValue::Texts(_) => {}
        }
    }
    if let Some(role) = &rule.every_session_of {
        writeln!(
            page,
            "  {WARNING}the ARN names one session, but the rule maps every session of `{role}`; write the ARN of the role{WARNING:#}"
        )?;
    }
    Ok(())
}

fn user_text(page: &mut String, user: &TracedUser) -> Result<(), CommandFailure> {
    heading(page, "user")?;
    row(
        page,
        "username",
        format_args!("{SUCCESS}{}{SUCCESS:#}", user.username),
    )?;
    row(page, "groups", user.groups.join(", "))?;
    row(page, "UID", &user.uid)?;
    for (key, value) in &user.extra {
        row(page, key, value)?;
    }
    Ok(())
}

fn heading(page: &mut String, title: &str) -> Result<(), CommandFailure> {
    let gap = if page.is_empty() { "" } else { "\n" };
    writeln!(page, "{gap}{HEADING}{title}{HEADING:#}")?;
    Ok(())
}

fn list<T: Display>(page: &mut String, title: &str, items: &[T]) -> Result<(), CommandFailure> {
    if !items.is_empty() {
        heading(page, title)?;
    }
    for item in items {
        writeln!(page, "  {item}")?;
    }
    Ok(())
}

fn row(page: &mut String, name: &str, value: impl Display) -> Result<(), CommandFailure> {
    writeln!(page, "  {name:<23}{value}")?;
    Ok(())
}
