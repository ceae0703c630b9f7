//! The trace of `explain` for people.

use std::fmt::{Display, Write as _};

use ack_ram_config::explain::{Answer, BackendAnswer, Trace, User, WrittenRule};
use ack_ram_core::identity::Identity;

use crate::cli::failure::Failure;
use crate::cli::output::{ASIDE, BAD, GOOD, HEADING, ODD, count};

pub(super) fn text(trace: &Trace) -> Result<String, Failure> {
    let mut page = String::new();
    let explanation = &trace.explanation;
    if explanation.scrubbed {
        writeln!(
            page,
            "{HEADING}identity{HEADING:#}\n  of a scrubbed account: logs and the user tell nothing of it"
        )?;
    }
    if let Some(identity) = &explanation.identity {
        identity_text(&mut page, identity)?;
    }
    heading(&mut page, "backends, in the order in which they are asked")?;
    for backend in &trace.backends {
        backend_text(&mut page, backend, trace)?;
    }
    if let Some(rule) = &trace.rule {
        rule_text(&mut page, rule)?;
    }
    list(
        &mut page,
        "about the identity, but not met",
        &explanation.passed_over,
    )?;
    list(
        &mut page,
        "would match, too, but come later",
        &explanation.outranked,
    )?;
    list(&mut page, "nearly match", &explanation.near_misses)?;
    if let Some(user) = &trace.user {
        user_text(&mut page, user)?;
    }
    if let Some(reason) = &trace.reason {
        writeln!(page, "\n{BAD}no user{BAD:#}: {reason}")?;
    }
    Ok(page)
}

fn identity_text(page: &mut String, identity: &Identity) -> Result<(), Failure> {
    heading(page, "identity")?;
    row(page, "type", identity.kind())?;
    row(page, "arn", &identity.arn)?;
    row(page, "canonical arn", identity.arn.canonical())?;
    row(page, "user id", &identity.user_id)?;
    row(page, "access key id", &identity.access_key_id)
}

fn backend_text(page: &mut String, backend: &BackendAnswer, trace: &Trace) -> Result<(), Failure> {
    let BackendAnswer {
        backend,
        rules,
        answer,
    } = backend;
    write!(
        page,
        "  {:<14}{:<10}",
        backend.to_string(),
        count(*rules, "rule")
    )?;
    match (answer, &trace.explanation.matched) {
        (Answer::Matched, Some(matched)) => writeln!(page, "{GOOD}matched by {matched}{GOOD:#}")?,
        (Answer::Matched | Answer::NoMatch, _) => writeln!(page, "no rule matches")?,
        (Answer::NotRead, _) => writeln!(page, "{ODD}not read{ODD:#}")?,
        (Answer::NotAsked, _) => writeln!(page, "{ASIDE}not asked{ASIDE:#}")?,
    }
    Ok(())
}

fn rule_text(page: &mut String, rule: &WrittenRule) -> Result<(), Failure> {
    heading(page, "the rule, as it is written")?;
    row(page, "at", &rule.place)?;
    row(page, "about", &rule.about)?;
    if !rule.username.is_empty() {
        row(page, "username", &rule.username)?;
    }
    if !rule.groups.is_empty() {
        row(page, "groups", rule.groups.join(", "))?;
    }
    let may_add = rule.groups_expression_may_add.join(", ");
    let may_add = Some(may_add).filter(|names| !names.is_empty());
    for (name, value) in [
        ("match", &rule.condition),
        ("usernameExpression", &rule.username_expression),
        ("groupsExpression", &rule.groups_expression),
        ("groupsExpressionMayAdd", &may_add),
    ] {
        if let Some(value) = value {
            row(page, name, value)?;
        }
    }
    if let Some(role) = &rule.every_session_of {
        writeln!(
            page,
            "  {ODD}its ARN names one session, and maps every session of `{role}`; write the role{ODD:#}"
        )?;
    }
    Ok(())
}

fn user_text(page: &mut String, user: &User) -> Result<(), Failure> {
    heading(page, "user")?;
    row(
        page,
        "username",
        format_args!("{GOOD}{}{GOOD:#}", user.username),
    )?;
    row(page, "groups", user.groups.join(", "))?;
    row(page, "uid", &user.uid)?;
    for (key, value) in &user.extra {
        row(page, key, value)?;
    }
    Ok(())
}

fn heading(page: &mut String, title: &str) -> Result<(), Failure> {
    let gap = if page.is_empty() { "" } else { "\n" };
    writeln!(page, "{gap}{HEADING}{title}{HEADING:#}")?;
    Ok(())
}

fn list<T: Display>(page: &mut String, title: &str, items: &[T]) -> Result<(), Failure> {
    if !items.is_empty() {
        heading(page, title)?;
    }
    for item in items {
        writeln!(page, "  {item}")?;
    }
    Ok(())
}

fn row(page: &mut String, name: &str, value: impl Display) -> Result<(), Failure> {
    writeln!(page, "  {name:<23}{value}")?;
    Ok(())
}
