//! Subjects as keys. The last good form of an invalid entry is found only by its subject, never by its place.

use ack_ram_core::arn::{Arn, Resource};
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::{Subject, SubjectId};
use ack_ram_core::rules::{Mapping, Precedence, Rule, Source, WildcardMode};

use super::RetentionError;
use crate::partial_entry::{PartialEntry, PartialField, PartialSubject, SubjectField};

/// A subject in comparable form. ARNs and patterns are case-insensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKey(String);

impl SubjectKey {
    /// Returns the key of `subject`; `None` for a mapping with only a condition.
    #[must_use]
    pub fn from_subject(subject: &Subject) -> Option<Self> {
        Some(Self(match subject {
            Subject::Arn(arn) => format!("arn {}", arn.key().as_str()),
            Subject::Pattern(pattern) => {
                format!("pattern {}", pattern.to_string().to_ascii_lowercase())
            }
            Subject::Id(SubjectId::User(id)) => format!("user {id}"),
            Subject::Id(SubjectId::Role(id)) => format!("role {id}"),
            Subject::Anyone => return None,
        }))
    }

    /// Returns the key of an account in `mapAccounts`.
    pub(super) fn from_account(account: &str) -> Self {
        Self(format!("account {account}"))
    }
}

/// The subject of an invalid entry.
#[derive(Debug)]
pub enum NamedSubject {
    /// A valid subject.
    Subject(SubjectKey),
    /// No subject but a condition, by its text.
    Condition(String),
    /// An invalid subject. It is treated as an ARN or pattern with a single typo, if there is such a last good form.
    Typo(TypoText),
}

/// A text that may be an ARN or a pattern with a typo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypoText {
    /// Account and name, which must match exactly.
    pub(super) anchor: TypoAnchor,
    /// The text around the account and the name.
    rest: String,
    /// Whether the text may have wildcards and has one.
    is_pattern: bool,
}

/// The identifying parts of an ARN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TypoAnchor {
    account: String,
    name: String,
}

impl NamedSubject {
    /// Returns the subject of `entry`.
    ///
    /// # Errors
    /// Returns an error if the entry has no subject, or one that no last good form can have.
    pub fn from_entry(entry: &PartialEntry) -> Result<Self, RetentionError> {
        let (field, text) = match &entry.subject {
            PartialSubject::Blank => return Err(RetentionError::NoSubject),
            PartialSubject::Ambiguous => return Err(RetentionError::AmbiguousSubject),
            PartialSubject::Condition => {
                return match &entry.condition {
                    PartialField::Present(text) => Ok(Self::Condition(text.clone())),
                    _ => Err(RetentionError::Condition),
                };
            }
            PartialSubject::Named(field, text) => (*field, text),
        };
        let may_be_arn = matches!(field, SubjectField::Arn | SubjectField::Pattern);
        if may_be_arn && is_session(text) {
            return Err(RetentionError::Session);
        }
        let source = Source {
            backend: entry.backend,
            position: String::new(),
        };
        let mut mapping = Mapping::for_arn(source, Precedence::ListIndex(0), "", "x", Vec::new());
        mapping.wildcards = entry.globs;
        match field {
            SubjectField::Arn => mapping.spec.arn.clone_from(text),
            SubjectField::Pattern => mapping.spec.arn_pattern = Some(text.clone()),
            SubjectField::UserId => mapping.spec.user_id = Some(text.clone()),
            SubjectField::RoleId => mapping.spec.role_id = Some(text.clone()),
        }
        if let Ok(rule) = Rule::compile(mapping) {
            return SubjectKey::from_subject(rule.subject())
                .map(Self::Subject)
                .ok_or(RetentionError::AmbiguousSubject);
        }
        let has_globs = field == SubjectField::Pattern || entry.globs == WildcardMode::Enabled;
        match TypoText::new(text, has_globs) {
            // A valid ARN is another identity and not a typo, even if it is not a valid subject.
            Some(typo) if may_be_arn && Arn::parse(text).is_err() => Ok(Self::Typo(typo)),
            _ => Err(RetentionError::BrokenSubject),
        }
    }
}

impl TypoText {
    /// Splits `text` at its first `/`, or at its last `:` if there is no `/`.
    fn new(text: &str, has_globs: bool) -> Option<Self> {
        let (head, kind, name) = match text.split_once('/') {
            Some((head, name)) => {
                let (head, kind) = head.rsplit_once(':')?;
                (head, format!("{kind}/"), name)
            }
            None => {
                let (head, name) = text.rsplit_once(':')?;
                (head, String::new(), name)
            }
        };
        let (prefix, account) = head.rsplit_once(':')?;
        Some(Self {
            anchor: TypoAnchor {
                account: account.to_owned(),
                name: name.to_owned(),
            },
            rest: format!("{prefix}::{kind}"),
            is_pattern: has_globs && Pattern::has_wildcard(text),
        })
    }

    /// Splits the subject of `mapping`, a last good form; `None` if the subject is not a single ARN or pattern.
    pub(super) fn from_mapping(mapping: &Mapping) -> Option<Self> {
        let (text, has_globs) = match &mapping.spec.arn_pattern {
            Some(pattern) => (pattern.as_str(), true),
            None => (
                mapping.spec.arn.as_str(),
                mapping.wildcards == WildcardMode::Enabled,
            ),
        };
        Self::new(text, has_globs).filter(|_| !is_session(text))
    }

    /// Returns whether this is `last` with one character inserted, omitted or replaced, or with two characters swapped.
    ///
    /// A text that does not start with `a`, as ARNs do, counts as commented out.
    pub(super) fn is_typo_of(&self, last: &Self) -> bool {
        self.anchor == last.anchor
            && self.is_pattern == last.is_pattern
            && self.rest.starts_with('a')
            && self.rest.len().abs_diff(last.rest.len()) <= 4
            && strsim::osa_distance(&self.rest, &last.rest) <= 1
    }
}

fn is_session(text: &str) -> bool {
    Arn::parse(text).is_ok_and(|arn| matches!(arn.resource(), Resource::AssumedRole { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typo_keeps_account_and_name() {
        let last = "acs:ram::123:role/Dev/a";
        for (text, expected) in [
            ("acs:ram:123:role/Dev/a", true),
            ("acs:ram:::123:role/Dev/a", true),
            ("asc:ram::123:role/Dev/a", true),
            ("acs:ram::123:rol/Dev/a", true),
            ("acs:ram::123:roles/Dev/a", true),
            ("acs;ram::123:role/Dev/a", true),
            ("acsram::123:role/Dev/a", true),
            ("acs:ram::123:user/Dev/a", false),
            ("acs:ram::123:usr/Dev/a", false),
            ("acs:ram:123:rol/Dev/a", false),
            ("acs:ram:123:role/dev/a", false),
            ("acs:ram:123:role/Dev/b", false),
            ("acs:ram:123:role/Dev//a", false),
            ("acs:ram:123:role/a", false),
            ("acs:ram:124:role/Dev/a", false),
            ("acs:ram:1234:role/Dev/a", false),
            ("acs:ram::x123:role/Dev/a", false),
            ("acs:ram::123role/Dev/a", false),
            ("#acs:ram::123:role/Dev/a", false),
            ("xacs:ram::123:role/Dev/a", false),
            ("cs:ram::123:role/Dev/a", false),
            (" acs:ram::123:role/Dev/a", false),
            ("acs:ram::123:role/Dev/a ", false),
            ("arn:aws:iam::123:role/Dev/a", false),
            ("DISABLED-acs:ram::123:role/Dev/a", false),
            ("-", false),
            ("none", false),
            ("x", false),
            ("", false),
        ] {
            let typo = TypoText::new(text, false);
            let last = TypoText::new(last, false).unwrap();
            let is_typo = typo.is_some_and(|typo| typo.is_typo_of(&last));
            assert_eq!(is_typo, expected, "{text}");
        }
    }
}
