//! What stays in effect of an entry that an edit broke.

use std::fmt;

use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Mapping, MappingSpec, Precedence, Rule};

use super::subject::{NamedSubject, SubjectKey, TypoText};
use crate::partial_entry::{PartialEntry, PartialField};

/// Returns what stays of `last`, the last good form of an entry whose newest text is `newest`: the newest text without
/// its broken parts. A broken part is filled from `last` only where that cannot give more than the newest text says.
/// Nothing is given that `last` did not give.
///
/// # Errors
/// Why nothing stays: there is a doubt what the newest text means.
pub fn retain(last: &Mapping, newest: &PartialEntry) -> Result<Mapping, RetentionError> {
    if let Some(key) = &newest.unknown_key {
        return Err(RetentionError::UnknownKey(key.clone()));
    }
    check_subject(last, newest)?;
    let condition = retain_condition(last, newest)?;
    let groups_expression = last
        .spec
        .groups_expression
        .clone()
        .filter(|text| is_unchanged(&newest.groups_expression, text));
    let may_add = match groups_expression {
        Some(_) => intersect(
            &last.spec.groups_expression_may_add,
            &newest.groups_expression_may_add,
        ),
        // Without the expression, the list is refused.
        None => Vec::new(),
    };
    // All fields are named, so that none is kept unseen.
    let retained = Mapping {
        source: last.source.clone(),
        precedence: last.precedence,
        wildcards: last.wildcards,
        session_arn_mode: last.session_arn_mode,
        spec: MappingSpec {
            arn: last.spec.arn.clone(),
            arn_pattern: last.spec.arn_pattern.clone(),
            user_id: last.spec.user_id.clone(),
            role_id: last.spec.role_id.clone(),
            condition,
            username: retain_username(last, newest)?,
            username_expression: last.spec.username_expression.clone(),
            groups: intersect(&last.spec.groups, &newest.groups),
            groups_expression,
            groups_expression_may_add: may_add,
        },
    };
    match Rule::compile(retained.clone()) {
        Ok(_) => Ok(retained),
        Err(_) => Err(RetentionError::Condition),
    }
}

/// Why nothing of a broken entry is retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetentionError {
    /// There is no last good form with the subject that the newest text names.
    NoLastGood,
    /// The newest text names nobody.
    NoSubject,
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
    Expired,
}

impl fmt::Display for RetentionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLastGood => f.write_str("there is no last good form with this subject"),
            Self::NoSubject => f.write_str("the newest text names nobody"),
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
            Self::Expired => f.write_str("the time of `server.lastGoodTTL` is over, or it is 0"),
        }
    }
}

/// The subject must be the same, or the same with a single slip.
fn check_subject(last: &Mapping, newest: &PartialEntry) -> Result<(), RetentionError> {
    let rule = Rule::compile(last.clone()).map_err(|_| RetentionError::NoLastGood)?;
    let is_it = match NamedSubject::from_entry(newest)? {
        NamedSubject::Subject(key) => SubjectKey::from_subject(rule.subject()) == Some(key),
        NamedSubject::Condition(text) => {
            *rule.subject() == Subject::Anyone && last.spec.condition.as_ref() == Some(&text)
        }
        NamedSubject::Typo(slip) => {
            let last = TypoText::from_mapping(last).ok_or(RetentionError::BrokenSubject)?;
            if !slip.is_typo_of(&last) {
                return Err(RetentionError::BrokenSubject);
            }
            true
        }
    };
    is_it.then_some(()).ok_or(RetentionError::NoLastGood)
}

fn intersect(last: &[String], newest: &[String]) -> Vec<String> {
    let last = last.iter();
    last.filter(|name| newest.contains(name)).cloned().collect()
}

fn is_unchanged(newest: &PartialField<String>, last: &str) -> bool {
    matches!(newest, PartialField::Present(text) if text == last)
}

/// The newest username, or the last good one if the newest is that with a slip. Beside an expression, which must be as it
/// was, the username is what that may give.
fn retain_username(last: &Mapping, newest: &PartialEntry) -> Result<String, RetentionError> {
    let is_expression_same = match &last.spec.username_expression {
        Some(text) => is_unchanged(&newest.username_expression, text),
        None => newest.username_expression == PartialField::Absent,
    };
    if !is_expression_same {
        return Err(RetentionError::Username);
    }
    match (&newest.username, &last.spec.username_expression) {
        (PartialField::Present(text), _) if *text == last.spec.username => Ok(text.clone()),
        // It is as it was, but for its quotes.
        (PartialField::Unquoted(text), None) if *text == last.spec.username => Ok(text.clone()),
        (PartialField::Absent, Some(_)) => Ok(String::new()),
        // A name of Kubernetes' own is as it was, or none.
        (PartialField::Present(text), None) if is_reserved(text) => Err(RetentionError::Username),
        (PartialField::Present(text), None) if is_valid_username(last, text) => Ok(text.clone()),
        (PartialField::Present(text), None)
            if !is_reserved(&last.spec.username) && is_username_typo(text, &last.spec.username) =>
        {
            Ok(last.spec.username.clone())
        }
        _ => Err(RetentionError::Username),
    }
}

fn is_valid_username(last: &Mapping, text: &str) -> bool {
    let source = last.source.clone();
    let alone = Mapping::for_arn(
        source,
        Precedence::ListIndex(0),
        "acs:ram::1:root",
        text,
        Vec::new(),
    );
    Rule::compile(alone).is_ok()
}

/// Whether `text` is `last` within one edit, or within two where the text before the first variable is equal: both braces
/// may be missing. Of a short name, an edit makes another: a third of its length is the most.
fn is_username_typo(text: &str, last: &str) -> bool {
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
fn retain_condition(
    last: &Mapping,
    newest: &PartialEntry,
) -> Result<Option<String>, RetentionError> {
    match (&last.spec.condition, &newest.condition) {
        (_, PartialField::Unquoted(_) | PartialField::Unreadable) => Err(RetentionError::Condition),
        (last, PartialField::Absent) => Ok(last.clone()),
        (Some(last), PartialField::Present(newest)) if last == newest => Ok(Some(last.clone())),
        (_, PartialField::Present(newest)) if !is_valid_condition(last, newest) => {
            Err(RetentionError::Condition)
        }
        (None, PartialField::Present(newest)) => Ok(Some(newest.clone())),
        (Some(before), PartialField::Present(newest)) => {
            let demands_it = before
                .strip_prefix('(')
                .and_then(|text| text.strip_suffix(&conjunct(newest)))
                .is_some_and(|text| is_valid_condition(last, text));
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

fn is_valid_condition(last: &Mapping, text: &str) -> bool {
    let source = last.source.clone();
    let mut alone = Mapping::for_arn(
        source,
        Precedence::ListIndex(0),
        "acs:ram::1:root",
        "x",
        Vec::new(),
    );
    alone.spec.condition = Some(text.to_owned());
    Rule::compile(alone).is_ok()
}
