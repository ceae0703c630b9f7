//! The parts of a last good form that are kept after an invalid edit.

use std::fmt;

use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Mapping, MappingSpec, Precedence, Rule};

use super::subject::{NamedSubject, SubjectKey, TypoText};
use crate::partial_entry::{PartialEntry, PartialField};

/// Returns the parts to keep of `last`, the last good form of an entry, when its newest text is `newest`.
///
/// The result is the newest text without its invalid parts. An invalid part is filled from `last` only if that cannot
/// grant more than the newest text says. The result never grants more than `last` did.
///
/// # Errors
/// Returns an error if nothing is kept, because the meaning of the newest text is in doubt.
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
        // A mapping with this list but without the expression is refused.
        None => Vec::new(),
    };
    // All fields are named, so that a new field is not kept by accident.
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

/// Reason why no part of a last good form is kept for an invalid entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetentionError {
    /// No last good form has the subject of the newest text.
    NoLastGood,
    /// The newest text has no subject.
    NoSubject,
    /// The newest text has several subjects, or one that is not text.
    AmbiguousSubject,
    /// The subject in the newest text is invalid, and is not a last good subject with a single typo.
    BrokenSubject,
    /// The newest text names one session of a role.
    Session,
    /// An unknown key may restrict the newest text.
    UnknownKey(String),
    /// The username in the newest text is invalid or changed, and is not a close match of the last good username.
    Username,
    /// The `match` in the newest text may restrict it.
    Condition,
    /// Another entry has the same subject.
    WrittenElsewhere,
    /// `*` in ARNs is no longer a wildcard.
    Globs,
    /// An invalid entry of `mapAccounts` keeps nothing.
    Account,
    /// `server.lastGoodTTL` is 0 or has passed.
    Expired,
}

impl fmt::Display for RetentionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLastGood => f.write_str("no last good form has this subject"),
            Self::NoSubject => f.write_str("the newest text has no subject"),
            Self::AmbiguousSubject => {
                f.write_str("the newest text has several subjects, or one that is not text")
            }
            Self::BrokenSubject => f.write_str(
                "the subject in the newest text is not a last good subject with a single typo",
            ),
            Self::Session => f.write_str("the newest text names one session of a role"),
            Self::UnknownKey(key) => write!(f, "the unknown key `{key}` may restrict the entry"),
            Self::Username => f.write_str(
                "the username in the newest text differs too much from the last good one",
            ),
            Self::Condition => f.write_str("the `match` in the newest text may restrict the entry"),
            Self::WrittenElsewhere => f.write_str("another entry is about the same subject"),
            Self::Globs => f.write_str("`*` in ARNs is no longer a wildcard"),
            Self::Account => f.write_str("an invalid account has no last good form"),
            Self::Expired => f.write_str("`server.lastGoodTTL` has passed, or is 0"),
        }
    }
}

/// Checks that the subject is unchanged, or is the last good subject with a single typo.
fn check_subject(last: &Mapping, newest: &PartialEntry) -> Result<(), RetentionError> {
    let rule = Rule::compile(last.clone()).map_err(|_| RetentionError::NoLastGood)?;
    let is_match = match NamedSubject::from_entry(newest)? {
        NamedSubject::Subject(key) => SubjectKey::from_subject(rule.subject()) == Some(key),
        NamedSubject::Condition(text) => {
            *rule.subject() == Subject::Anyone && last.spec.condition.as_ref() == Some(&text)
        }
        NamedSubject::Typo(typo) => {
            let last = TypoText::from_mapping(last).ok_or(RetentionError::BrokenSubject)?;
            if !typo.is_typo_of(&last) {
                return Err(RetentionError::BrokenSubject);
            }
            true
        }
    };
    is_match.then_some(()).ok_or(RetentionError::NoLastGood)
}

fn intersect(last: &[String], newest: &[String]) -> Vec<String> {
    let last = last.iter();
    last.filter(|name| newest.contains(name)).cloned().collect()
}

fn is_unchanged(newest: &PartialField<String>, last: &str) -> bool {
    matches!(newest, PartialField::Present(text) if text == last)
}

/// Returns the newest username, or the last good one if the newest is that with a typo.
///
/// A `usernameExpression` must be unchanged. Next to one, `username` lists the name that the expression may produce.
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
        // The username is unchanged except for its missing quotes.
        (PartialField::Unquoted(text), None) if *text == last.spec.username => Ok(text.clone()),
        (PartialField::Absent, Some(_)) => Ok(String::new()),
        // A `system:` name is kept only if it is unchanged.
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

/// Returns whether `text` is `last` with a typo.
///
/// One edit is allowed, or two if the text before the first variable is equal, because both braces may be missing. The
/// number of edits is at most a third of the length, because an edit of a short name makes a different name.
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

/// Returns a condition that requires the conditions of both texts. An unreadable condition is an error, because it may
/// restrict the entry.
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
            let requires_it = before
                .strip_prefix('(')
                .and_then(|text| text.strip_suffix(&conjunct(newest)))
                .is_some_and(|text| is_valid_condition(last, text));
            Ok(Some(if requires_it {
                before.clone()
            } else {
                format!("({before}{}", conjunct(newest))
            }))
        }
    }
}

/// Returns the end of a conjunction with `newest`. The newlines end comments in the conditions.
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
