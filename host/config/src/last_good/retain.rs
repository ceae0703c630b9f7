//! What stays in effect of an entry that an edit broke.

use std::fmt;

use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Age, Mapping, Rule};

use super::subject::{Named, SlipText, SubjectKey};
use crate::config::partial::{Part, PartialEntry};

/// Returns what stays of `last`, the last good form of an entry whose newest text is `newest`: the newest text without
/// its broken parts. A broken part is filled from `last` only where that cannot give more than the newest text says.
/// Nothing is given that `last` did not give.
///
/// # Errors
/// Why nothing stays: there is a doubt what the newest text means.
pub fn retain(last: &Mapping, newest: &PartialEntry) -> Result<Mapping, KeptOut> {
    if let Some(key) = &newest.unknown_key {
        return Err(KeptOut::UnknownKey(key.clone()));
    }
    check_subject(last, newest)?;
    let condition = condition(last, newest)?;
    let groups_expression = last
        .groups_expression
        .clone()
        .filter(|text| is_same(&newest.groups_expression, text));
    let may_add = match groups_expression {
        Some(_) => in_both(
            &last.groups_expression_may_add,
            &newest.groups_expression_may_add,
        ),
        // Without the expression, the list is refused.
        None => Vec::new(),
    };
    // All fields are named, so that none is kept unseen.
    let retained = Mapping {
        source: last.source.clone(),
        age: last.age,
        arn: last.arn.clone(),
        globs: last.globs,
        arn_pattern: last.arn_pattern.clone(),
        user_id: last.user_id.clone(),
        role_id: last.role_id.clone(),
        condition,
        username: username(last, newest)?,
        username_expression: last.username_expression.clone(),
        groups: in_both(&last.groups, &newest.groups),
        groups_expression,
        groups_expression_may_add: may_add,
        session_arns: last.session_arns,
    };
    match Rule::compile(retained.clone()) {
        Ok(_) => Ok(retained),
        Err(_) => Err(KeptOut::Condition),
    }
}

/// Why nothing stays of a broken entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptOut {
    /// There is no last good form with the subject that the newest text names.
    NoLastGood,
    /// The newest text names nobody.
    Nobody,
    /// The newest text names its subject in several ways, or not as text.
    AmbiguousSubject,
    /// The subject in the newest text is none, and not a last good one with a single slip.
    BrokenSubject,
    /// The newest text names one session of a role.
    Session,
    /// A key that nobody knows may narrow the newest text.
    UnknownKey(String),
    /// The username in the newest text is none, and not nearly the last good one.
    Username,
    /// The `match` in the newest text may narrow it.
    Condition,
    /// Another entry is about the same subject.
    WrittenElsewhere,
    /// `*` in ARNs is no longer a wildcard.
    Globs,
    /// Of `mapAccounts`, nothing broken stays.
    Account,
    /// `server.lastGoodTTL` is 0, or over.
    Over,
}

impl fmt::Display for KeptOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLastGood => f.write_str("there is no last good form with this subject"),
            Self::Nobody => f.write_str("the newest text names nobody"),
            Self::AmbiguousSubject => {
                f.write_str("the newest text names its subject in several ways, or not as text")
            }
            Self::BrokenSubject => f.write_str(
                "the subject in the newest text is not a last good one with a single slip",
            ),
            Self::Session => f.write_str("the newest text names one session of a role"),
            Self::UnknownKey(key) => write!(f, "the unknown key `{key}` may narrow it"),
            Self::Username => {
                f.write_str("the username in the newest text is not nearly the last good one")
            }
            Self::Condition => f.write_str("the `match` in the newest text may narrow it"),
            Self::WrittenElsewhere => f.write_str("another entry is about the same subject"),
            Self::Globs => f.write_str("`*` in ARNs is no longer a wildcard"),
            Self::Account => f.write_str("a broken account maps nobody"),
            Self::Over => f.write_str("the time of `server.lastGoodTTL` is over, or it is 0"),
        }
    }
}

/// The subject must be the same, or the same with a single slip.
fn check_subject(last: &Mapping, newest: &PartialEntry) -> Result<(), KeptOut> {
    let rule = Rule::compile(last.clone()).map_err(|_| KeptOut::NoLastGood)?;
    let is_it = match Named::by(newest)? {
        Named::Subject(key) => SubjectKey::of(rule.subject()) == Some(key),
        Named::Condition(text) => {
            *rule.subject() == Subject::Anyone && last.condition.as_ref() == Some(&text)
        }
        Named::Slip(slip) => {
            let last = SlipText::of(last).ok_or(KeptOut::BrokenSubject)?;
            if !slip.is_slip_of(&last) {
                return Err(KeptOut::BrokenSubject);
            }
            true
        }
    };
    is_it.then_some(()).ok_or(KeptOut::NoLastGood)
}

fn in_both(last: &[String], newest: &[String]) -> Vec<String> {
    let last = last.iter();
    last.filter(|name| newest.contains(name)).cloned().collect()
}

fn is_same(newest: &Part<String>, last: &str) -> bool {
    matches!(newest, Part::Is(text) if text == last)
}

/// The newest username, or the last good one if the newest is that with a slip. Beside an expression, which must be as it
/// was, the username is what that may give.
fn username(last: &Mapping, newest: &PartialEntry) -> Result<String, KeptOut> {
    let is_expression_same = match &last.username_expression {
        Some(text) => is_same(&newest.username_expression, text),
        None => newest.username_expression == Part::Absent,
    };
    if !is_expression_same {
        return Err(KeptOut::Username);
    }
    match (&newest.username, &last.username_expression) {
        (Part::Is(text), _) if *text == last.username => Ok(text.clone()),
        // It is as it was, but for its quotes.
        (Part::Unquoted(text), None) if *text == last.username => Ok(text.clone()),
        (Part::Absent, Some(_)) => Ok(String::new()),
        // A name of Kubernetes' own is as it was, or none.
        (Part::Is(text), None) if is_reserved(text) => Err(KeptOut::Username),
        (Part::Is(text), None) if is_username(last, text) => Ok(text.clone()),
        (Part::Is(text), None)
            if !is_reserved(&last.username) && is_username_slip(text, &last.username) =>
        {
            Ok(last.username.clone())
        }
        _ => Err(KeptOut::Username),
    }
}

fn is_username(last: &Mapping, text: &str) -> bool {
    let source = last.source.clone();
    let alone = Mapping::exact(source, Age::Place(0), "acs:ram::1:root", text, Vec::new());
    Rule::compile(alone).is_ok()
}

/// Whether `text` is `last` within one edit, or within two where the text before the first variable is equal: both braces
/// may be missing. Of a short name, an edit makes another: a third of its length is the most.
fn is_username_slip(text: &str, last: &str) -> bool {
    let start = |name: &str| {
        name.find('{')
            .and_then(|end| name.get(..end).map(str::to_owned))
    };
    let edits = match (start(text), start(last)) {
        (Some(text), Some(last)) if text == last => 2,
        _ => 1,
    };
    text.len().abs_diff(last.len()) <= 4 * edits
        && strsim::osa_distance(text, last) <= edits.min(last.chars().count() / 3)
}

fn is_reserved(name: &str) -> bool {
    name.trim_start()
        .to_ascii_lowercase()
        .starts_with("system:")
}

/// What both texts demand. A condition that cannot be read may narrow.
fn condition(last: &Mapping, newest: &PartialEntry) -> Result<Option<String>, KeptOut> {
    match (&last.condition, &newest.condition) {
        (_, Part::Unquoted(_) | Part::Unreadable) => Err(KeptOut::Condition),
        (last, Part::Absent) => Ok(last.clone()),
        (Some(last), Part::Is(newest)) if last == newest => Ok(Some(last.clone())),
        (_, Part::Is(newest)) if !is_condition(last, newest) => Err(KeptOut::Condition),
        (None, Part::Is(newest)) => Ok(Some(newest.clone())),
        (Some(before), Part::Is(newest)) => {
            let demands_it = before
                .strip_prefix('(')
                .and_then(|text| text.strip_suffix(&conjunct(newest)))
                .is_some_and(|text| is_condition(last, text));
            Ok(Some(if demands_it {
                before.clone()
            } else {
                format!("({before}{}", conjunct(newest))
            }))
        }
    }
}

/// The end of a conjunction. The newlines end comments.
fn conjunct(newest: &str) -> String {
    format!("\n) && ({newest}\n)")
}

fn is_condition(last: &Mapping, text: &str) -> bool {
    let source = last.source.clone();
    let alone = Mapping {
        condition: Some(text.to_owned()),
        ..Mapping::exact(source, Age::Place(0), "acs:ram::1:root", "x", Vec::new())
    };
    Rule::compile(alone).is_ok()
}
