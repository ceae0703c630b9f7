//! The sets of usernames that mappings can give, and whether two sets overlap.
//!
//! A set is a sequence of literal characters and of repeated alphabets. The caller can choose every character of a
//! session name. For other variables, only the alphabet is known.

mod overlap;

use ack_ram_core::arn::Resource;
use ack_ram_core::rules::subject::{Subject, SubjectId};
use ack_ram_core::rules::template::{Template, TemplatePart, TemplateVariable};

use crate::lint::CompiledMapping;
use crate::lint::names::may_have_session;
use overlap::OverlapSearch;

/// The maximum length of a session name in characters (`RoleSessionName` in RAM).
const MAX_SESSION: usize = 64;

/// The set of usernames that a mapping can give.
#[derive(Clone, Debug)]
pub(super) struct UsernameSet {
    parts: Vec<UsernamePart>,
    /// Whether the usernames contain a session name, which the caller chooses.
    pub(super) is_caller_chosen: bool,
}

/// One part of a username.
#[derive(Clone, Copy, Debug)]
enum UsernamePart {
    /// A fixed character.
    Literal(char),
    /// Any number of characters of the alphabet, at least one unless `may_be_empty`.
    Repeated {
        alphabet: Alphabet,
        may_be_empty: bool,
    },
}

/// The characters that a variable may have.
#[derive(Clone, Copy, Debug)]
enum Alphabet {
    Digits,
    /// Letters, digits and `.-_`: names in RAM, IDs, and session names without `@`.
    Name,
    /// The characters of `Name`, and `@`.
    Session,
}

impl Alphabet {
    fn contains(self, character: char) -> bool {
        match self {
            Self::Digits => character.is_ascii_digit(),
            Self::Name => character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_'),
            Self::Session => character == '@' || Self::Name.contains(character),
        }
    }
}

impl UsernameSet {
    /// Returns the usernames that `compiled` gives; `None` if an expression gives the username, or if it is always
    /// empty.
    pub(super) fn for_mapping(compiled: &CompiledMapping<'_>) -> Option<Self> {
        let mapping = &compiled.entry.mapping;
        if mapping.spec.username_expression.is_some() {
            return None;
        }
        let template = Template::parse(&mapping.spec.username).ok()?;
        let with_sessions = may_have_session(&compiled.rule);
        let mut usernames = Self {
            parts: Vec::new(),
            is_caller_chosen: false,
        };
        for part in template.parts() {
            match part {
                TemplatePart::Literal(text) => usernames.literal(text),
                TemplatePart::Variable(variable) if variable.is_caller_controlled() => {
                    if with_sessions {
                        usernames.is_caller_chosen = true;
                        usernames.push(match variable {
                            TemplateVariable::SessionNameRaw => Alphabet::Session,
                            _ => Alphabet::Name,
                        });
                    }
                }
                TemplatePart::Variable(variable) => {
                    usernames.variable(*variable, compiled.rule.subject())
                }
            }
        }
        (!usernames.parts.is_empty()).then_some(usernames)
    }

    /// Returns the set of `text` followed by any name in RAM.
    pub(super) fn with_ram_name(text: &str) -> Self {
        let mut usernames = Self::exact(text);
        usernames.push(Alphabet::Name);
        usernames
    }

    /// Returns the set that contains only `text`.
    pub(super) fn exact(text: &str) -> Self {
        Self {
            parts: text.chars().map(UsernamePart::Literal).collect(),
            is_caller_chosen: false,
        }
    }

    /// Returns the common prefix of all usernames in the set.
    pub(super) fn prefix(&self) -> String {
        self.parts.iter().map_while(|part| part.one()).collect()
    }

    /// Returns the common suffix of all usernames in the set, reversed.
    pub(super) fn suffix(&self) -> String {
        let parts = self.parts.iter().rev();
        parts.map_while(|part| part.one()).collect()
    }

    /// Returns the username, if the set has exactly one.
    pub(super) fn single(&self) -> Option<String> {
        self.parts.iter().map(|part| part.one()).collect()
    }

    fn literal(&mut self, text: &str) {
        self.parts.extend(text.chars().map(UsernamePart::Literal));
    }

    fn push(&mut self, alphabet: Alphabet) {
        self.parts.push(UsernamePart::Repeated {
            alphabet,
            may_be_empty: false,
        });
    }

    fn variable(&mut self, variable: TemplateVariable, subject: &Subject) {
        let arn = match subject {
            Subject::Arn(arn) => Some(arn),
            Subject::Id(_) | Subject::Pattern(_) | Subject::Anyone => None,
        };
        let name_of = |variable: TemplateVariable, resource: &Resource| match (variable, resource) {
            (TemplateVariable::RoleName, Resource::Role(name))
            | (TemplateVariable::UserName, Resource::User(name)) => name.to_string(),
            _ => String::new(),
        };
        match (variable, subject) {
            (TemplateVariable::AccountId, Subject::Arn(arn)) => {
                self.literal(arn.account().as_str())
            }
            (TemplateVariable::AccountId, Subject::Pattern(pattern)) => {
                self.literal(pattern.account().as_str());
            }
            (TemplateVariable::UserId, Subject::Id(SubjectId::User(id) | SubjectId::Role(id))) => {
                self.literal(id);
            }
            (TemplateVariable::RoleName | TemplateVariable::UserName, _) => match arn {
                Some(arn) => self.literal(&name_of(variable, arn.resource())),
                // A pattern may match both users and roles, and each has only one of the two names.
                None => self.parts.push(UsernamePart::Repeated {
                    alphabet: Alphabet::Name,
                    may_be_empty: true,
                }),
            },
            (TemplateVariable::AccountId, _) => self.push(Alphabet::Digits),
            _ => self.push(Alphabet::Name),
        }
    }

    /// Returns a key that is unique to this set.
    pub(super) fn key(&self) -> String {
        let mut key = String::from(if self.is_caller_chosen { "c" } else { "-" });
        for part in &self.parts {
            match part {
                // NUL is the escape character.
                UsernamePart::Literal('\0') => key.push_str("\0\0"),
                UsernamePart::Literal(character) => key.push(*character),
                UsernamePart::Repeated {
                    alphabet,
                    may_be_empty,
                } => {
                    let (at_least_one, possibly_empty) = match alphabet {
                        Alphabet::Digits => ('1', '0'),
                        Alphabet::Name => ('N', 'n'),
                        Alphabet::Session => ('S', 's'),
                    };
                    key.push('\0');
                    key.push(if *may_be_empty {
                        possibly_empty
                    } else {
                        at_least_one
                    });
                }
            }
        }
        key
    }

    /// Returns the minimum length, and an upper bound of the length.
    fn length(&self) -> (usize, usize) {
        let mut length = (0, 0_usize);
        for part in &self.parts {
            match part {
                UsernamePart::Literal(_) => length = (length.0 + 1, length.1.saturating_add(1)),
                UsernamePart::Repeated { may_be_empty, .. } => {
                    length.0 += usize::from(!may_be_empty);
                    length.1 = length.1.saturating_add(MAX_SESSION);
                }
            }
        }
        length
    }

    /// Returns whether both sets have a common username.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.may_overlap(other) && OverlapSearch::new(self, other).has_common_text()
    }

    /// Returns the maximum number of steps of [`Self::overlaps`].
    pub(super) fn steps(&self, other: &Self) -> usize {
        if self.may_overlap(other) {
            (self.parts.len() + 1) * (other.parts.len() + 1)
        } else {
            1
        }
    }

    /// Returns whether the lengths, prefixes and suffixes of both sets are compatible.
    fn may_overlap(&self, other: &Self) -> bool {
        let ((shortest, longest), (others_shortest, others_longest)) =
            (self.length(), other.length());
        let do_agree = |(one, other): (&UsernamePart, &UsernamePart)| match (one, other) {
            (UsernamePart::Literal(one), UsernamePart::Literal(other)) => Some(one == other),
            _ => None,
        };
        let starts = self.parts.iter().zip(&other.parts).map(do_agree);
        let ends = self.parts.iter().rev().zip(other.parts.iter().rev());
        let ends = ends.map(do_agree);
        let known = |agree: &Option<bool>| agree.is_some();
        shortest <= others_longest
            && others_shortest <= longest
            && starts.take_while(known).flatten().all(|agree| agree)
            && ends.take_while(known).flatten().all(|agree| agree)
    }
}

impl UsernamePart {
    fn one(&self) -> Option<char> {
        match self {
            Self::Literal(character) => Some(*character),
            Self::Repeated { .. } => None,
        }
    }

    /// Returns whether both parts may have the same character.
    fn intersects(self, other: Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one == other,
            (Self::Literal(one), Self::Repeated { alphabet, .. })
            | (Self::Repeated { alphabet, .. }, Self::Literal(one)) => alphabet.contains(one),
            // All alphabets contain digits.
            (Self::Repeated { .. }, Self::Repeated { .. }) => true,
        }
    }
}

#[cfg(test)]
mod tests;
