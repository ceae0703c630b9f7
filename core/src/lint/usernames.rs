//! The usernames that a mapping can give, as sequences of characters and kinds of characters, and whether two mappings
//! can give the same.
//!
//! The caller chooses every character of a session name; of other variables, only the alphabet is known.

use crate::arn::Resource;
use crate::lint::Compiled;
use crate::lint::names::has_sessions;
use crate::rules::subject::{Subject, SubjectId};
use crate::rules::template::{Part, Template, Variable};

/// The most characters that a session name has (RAM's `RoleSessionName`).
const MAX_SESSION: usize = 64;

/// The usernames that a mapping can give.
#[derive(Clone, Debug)]
pub(super) struct Usernames {
    parts: Vec<Characters>,
    /// Whether they hold a session name, which the caller chooses.
    pub(super) is_chosen: bool,
}

/// One part of a username.
#[derive(Clone, Copy, Debug)]
enum Characters {
    /// This one.
    One(char),
    /// One of these, as often as one likes, and at least once unless `may_be_none`.
    Some {
        alphabet: Alphabet,
        may_be_none: bool,
    },
}

/// The characters that a variable may have.
#[derive(Clone, Copy, Debug)]
enum Alphabet {
    Digits,
    /// Letters, digits and `.-_`: names in RAM, ids, and session names without their `@`.
    Name,
    /// The same and `@`.
    Session,
}

impl Alphabet {
    fn has(self, character: char) -> bool {
        match self {
            Self::Digits => character.is_ascii_digit(),
            Self::Name => character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_'),
            Self::Session => character == '@' || Self::Name.has(character),
        }
    }
}

impl Usernames {
    /// The usernames that `compiled` gives; `None` when an expression gives them, or none at all.
    pub(super) fn of(compiled: &Compiled<'_>) -> Option<Self> {
        let mapping = &compiled.entry.mapping;
        if mapping.username_expression.is_some() {
            return None;
        }
        let template = Template::parse(&mapping.username).ok()?;
        let with_sessions = has_sessions(&compiled.rule);
        let mut usernames = Self {
            parts: Vec::new(),
            is_chosen: false,
        };
        for part in template.parts() {
            match part {
                Part::Literal(text) => usernames.literal(text),
                Part::Variable(variable) if variable.is_callers_choice() => {
                    if with_sessions {
                        usernames.is_chosen = true;
                        usernames.push(match variable {
                            Variable::SessionNameRaw => Alphabet::Session,
                            _ => Alphabet::Name,
                        });
                    }
                }
                Part::Variable(variable) => usernames.variable(*variable, compiled.rule.subject()),
            }
        }
        (!usernames.parts.is_empty()).then_some(usernames)
    }

    /// `text`, and after it a name as RAM has them.
    pub(super) fn named(text: &str) -> Self {
        let mut usernames = Self::exactly(text);
        usernames.push(Alphabet::Name);
        usernames
    }

    /// `text` alone.
    pub(super) fn exactly(text: &str) -> Self {
        Self {
            parts: text.chars().map(Characters::One).collect(),
            is_chosen: false,
        }
    }

    /// What all of them start with.
    pub(super) fn prefix(&self) -> String {
        self.parts.iter().map_while(|part| part.one()).collect()
    }

    /// What all of them end with, backwards.
    pub(super) fn suffix(&self) -> String {
        let parts = self.parts.iter().rev();
        parts.map_while(|part| part.one()).collect()
    }

    /// The only one, if there is but one.
    pub(super) fn only(&self) -> Option<String> {
        self.parts.iter().map(|part| part.one()).collect()
    }

    fn literal(&mut self, text: &str) {
        self.parts.extend(text.chars().map(Characters::One));
    }

    fn push(&mut self, alphabet: Alphabet) {
        self.parts.push(Characters::Some {
            alphabet,
            may_be_none: false,
        });
    }

    fn variable(&mut self, variable: Variable, subject: &Subject) {
        let arn = match subject {
            Subject::Arn(arn) => Some(arn),
            Subject::Id(_) | Subject::Pattern(_) | Subject::Anyone => None,
        };
        let name_of = |wanted: Variable, resource: &Resource| match (wanted, resource) {
            (Variable::RoleName, Resource::Role(name))
            | (Variable::UserName, Resource::User(name)) => name.to_string(),
            _ => String::new(),
        };
        match (variable, subject) {
            (Variable::AccountId, Subject::Arn(arn)) => self.literal(arn.account().as_str()),
            (Variable::AccountId, Subject::Pattern(pattern)) => {
                self.literal(pattern.account().as_str());
            }
            (Variable::UserId, Subject::Id(SubjectId::User(id) | SubjectId::Role(id))) => {
                self.literal(id);
            }
            (Variable::RoleName | Variable::UserName, _) => match arn {
                Some(arn) => self.literal(&name_of(variable, arn.resource())),
                // Of a pattern, some may be users and some roles.
                None => self.parts.push(Characters::Some {
                    alphabet: Alphabet::Name,
                    may_be_none: true,
                }),
            },
            (Variable::AccountId, _) => self.push(Alphabet::Digits),
            _ => self.push(Alphabet::Name),
        }
    }

    /// Returns a text that no other usernames have.
    pub(super) fn key(&self) -> String {
        let mut key = String::from(if self.is_chosen { "c" } else { "-" });
        for part in &self.parts {
            match part {
                // NUL is followed by what it stands for.
                Characters::One('\0') => key.push_str("\0\0"),
                Characters::One(character) => key.push(*character),
                Characters::Some {
                    alphabet,
                    may_be_none,
                } => {
                    let (least_one, maybe_none) = match alphabet {
                        Alphabet::Digits => ('1', '0'),
                        Alphabet::Name => ('N', 'n'),
                        Alphabet::Session => ('S', 's'),
                    };
                    key.push('\0');
                    key.push(if *may_be_none { maybe_none } else { least_one });
                }
            }
        }
        key
    }

    /// How long they are at least, and at most where that is known.
    fn length(&self) -> (usize, usize) {
        let mut length = (0, 0_usize);
        for part in &self.parts {
            match part {
                Characters::One(_) => length = (length.0 + 1, length.1.saturating_add(1)),
                Characters::Some { may_be_none, .. } => {
                    length.0 += usize::from(!may_be_none);
                    length.1 = length.1.saturating_add(MAX_SESSION);
                }
            }
        }
        length
    }

    /// Whether one of them is one of `other`, too.
    pub(super) fn overlap(&self, other: &Self) -> bool {
        self.may_overlap(other) && Both::new(self, other).meet()
    }

    /// How much [`Self::overlap`] does at most.
    pub(super) fn steps(&self, other: &Self) -> usize {
        if self.may_overlap(other) {
            (self.parts.len() + 1) * (other.parts.len() + 1)
        } else {
            1
        }
    }

    /// Whether lengths, starts and ends agree.
    fn may_overlap(&self, other: &Self) -> bool {
        let ((shortest, longest), (others_shortest, others_longest)) =
            (self.length(), other.length());
        let do_agree = |(one, other): (&Characters, &Characters)| match (one, other) {
            (Characters::One(one), Characters::One(other)) => Some(one == other),
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

impl Characters {
    fn one(&self) -> Option<char> {
        match self {
            Self::One(character) => Some(*character),
            Self::Some { .. } => None,
        }
    }

    /// Whether both may have the same character.
    fn share(self, other: Self) -> bool {
        match (self, other) {
            (Self::One(one), Self::One(other)) => one == other,
            (Self::One(one), Self::Some { alphabet, .. })
            | (Self::Some { alphabet, .. }, Self::One(one)) => alphabet.has(one),
            // Each alphabet has digits.
            (Self::Some { .. }, Self::Some { .. }) => true,
        }
    }
}

/// A place in one of two sequences: so many parts are complete, and the next has begun or not.
type Place = (usize, bool);

/// Two sequences that are read at once.
struct Both<'a> {
    one: &'a [Characters],
    other: &'a [Characters],
    seen: Vec<bool>,
    rest: Vec<(Place, Place)>,
}

impl<'a> Both<'a> {
    fn new(one: &'a Usernames, other: &'a Usernames) -> Self {
        let (one, other) = (&*one.parts, &*other.parts);
        Self {
            seen: vec![false; 4 * (one.len() + 1) * (other.len() + 1)],
            rest: Vec::new(),
            one,
            other,
        }
    }

    /// Whether some text is one of both.
    fn meet(mut self) -> bool {
        self.visit((0, false), (0, false));
        while let Some((one, other)) = self.rest.pop() {
            if one.0 == self.one.len() && other.0 == self.other.len() {
                return true;
            }
            if let Some(next) = skip(self.one, one) {
                self.visit(next, other);
            }
            if let Some(next) = skip(self.other, other) {
                self.visit(one, next);
            }
            let (Some(left), Some(right)) = (self.one.get(one.0), self.other.get(other.0)) else {
                continue;
            };
            if left.share(*right) {
                self.visit(step(*left, one), step(*right, other));
            }
        }
        false
    }

    fn visit(&mut self, one: Place, other: Place) {
        let row = 2 * one.0 + usize::from(one.1);
        let column = 2 * other.0 + usize::from(other.1);
        let index = row * 2 * (self.other.len() + 1) + column;
        if let Some(seen) = self.seen.get_mut(index)
            && !std::mem::replace(seen, true)
        {
            self.rest.push((one, other));
        }
    }
}

/// The place after a part that may end here.
fn skip(parts: &[Characters], (index, has_begun): Place) -> Option<Place> {
    match parts.get(index)? {
        Characters::Some { may_be_none, .. } if has_begun || *may_be_none => {
            Some((index + 1, false))
        }
        Characters::One(_) | Characters::Some { .. } => None,
    }
}

/// The place after a character of `part`.
fn step(part: Characters, (index, _): Place) -> Place {
    match part {
        Characters::One(_) => (index + 1, false),
        Characters::Some { .. } => (index, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `*` stands for a name, `#` for digits, `%` for a session with `@`.
    fn usernames(text: &str) -> Usernames {
        let mut usernames = Usernames::exactly("");
        for character in text.chars() {
            match character {
                '*' => usernames.push(Alphabet::Name),
                '#' => usernames.push(Alphabet::Digits),
                '%' => usernames.push(Alphabet::Session),
                '~' => usernames.parts.push(Characters::Some {
                    alphabet: Alphabet::Name,
                    may_be_none: true,
                }),
                other => usernames.parts.push(Characters::One(other)),
            }
        }
        usernames
    }

    #[test]
    fn usernames_overlap_where_one_text_is_both() {
        let long = "a".repeat(65);
        for (one, other, expected) in [
            ("admin", "admin", true),
            ("admin", "Admin", false),
            ("*", "admin", true),
            ("*", "a", true),
            ("*", "dev:admin", false),
            ("*", "a@b", false),
            ("%", "a@b", true),
            ("*", "a b", false),
            ("*", "\u{e9}", false),
            ("*", &long, false),
            ("a*", &long, true),
            ("dev:*", "dev:", false),
            ("dev:~", "dev:", true),
            ("dev:*", "dev:bob", true),
            ("dev:*", "ops:*", false),
            ("dev:*", "dev:bob:x", false),
            ("*", "*", true),
            ("*-x", "y-*", true),
            ("*-x", "*-y", false),
            ("#", "*", true),
            ("#:*", "*:#", true),
            ("#a", "*b", false),
            ("acs:ram::1:user/*", "acs:ram::1:user/alice", true),
            ("acs:ram::#:user/*", "acs:ram::1:user/*", true),
            ("acs:ram::1:user/*", "acs:ram::2:user/*", false),
            ("acs:ram::1:*", "acs:ram::1:root", true),
            ("acs:ram::1:*", "acs:ram::1:user/*", false),
            ("**", "a", false),
            ("**", "ab", true),
            ("*x*x*x*x*", "axbxcxdxe", true),
            ("*x*x*x*x*", "axbxcxde", false),
        ] {
            let (one, other) = (usernames(one), usernames(other));
            assert_eq!(one.overlap(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.overlap(&one), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn what_all_have_is_the_start_and_the_end() {
        let one = usernames("dev:*-x");
        assert_eq!((&*one.prefix(), &*one.suffix()), ("dev:", "x-"));
        assert_eq!(one.only(), None);
        assert_eq!(usernames("bob").only().as_deref(), Some("bob"));
    }
}
