//! Entries of the lists of mappings: which list, which place, and of a broken one what can still be read.

use std::fmt;

use ack_ram_core::arn::Arn;
use ack_ram_core::rules::subject::{Subject, SubjectId};
use ack_ram_core::rules::{Mapping, Rule};

use crate::config::error::Problem;
use crate::config::keys::{self, Keys};
use crate::config::yaml::{Node, Value};

/// What every ARN of an identity begins with.
const ARN: &str = "acs:ram::";

/// A list of mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    Roles,
    Users,
    Rules,
    Accounts,
}

impl List {
    /// In the order in which entries that tie answer.
    pub const ALL: [Self; 4] = [Self::Roles, Self::Users, Self::Rules, Self::Accounts];
    /// Those that Go knows, too.
    pub const GO: [Self; 3] = [Self::Roles, Self::Users, Self::Accounts];

    /// Its key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Roles => "mapRoles",
            Self::Users => "mapUsers",
            Self::Rules => "mapRules",
            Self::Accounts => "mapAccounts",
        }
    }

    /// The keys of its entries, if those are maps.
    pub(super) fn entry_keys(self) -> Option<Keys> {
        match self {
            Self::Roles => Some(keys::ROLE),
            Self::Users => Some(keys::USER),
            Self::Rules => Some(keys::RULE),
            Self::Accounts => None,
        }
    }
}

/// What stands at one place of a list.
#[derive(Debug)]
pub enum Slot {
    /// A mapping: its place among all mappings of the document.
    Mapping(usize),
    /// An account: its place among all accounts of the document.
    Account(usize),
    /// An entry that cannot be used.
    Broken(Box<Broken>),
}

/// An entry that cannot be used.
#[derive(Debug)]
pub struct Broken {
    /// The setting, such as `server.mapRoles[2]`.
    pub position: String,
    /// What is wrong with it.
    pub refusal: Refusal,
    /// What can be read of it.
    pub outline: Outline,
}

/// Why something cannot be used, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// File, line and column; empty when the reason tells.
    pub place: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            place: problem.place.to_string(),
            reason: problem.text,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.reason)
    }
}

/// What can be read of an entry that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Outline {
    /// Whom it is about.
    pub whom: Part<Whom>,
    /// Its username.
    pub username: Part<String>,
    /// Its groups.
    pub groups: Part<Vec<String>>,
}

/// One part of a broken entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<T> {
    /// It is not there, or was left blank.
    Absent,
    /// It can be read.
    Is(T),
    /// Something is there that cannot be read.
    Unreadable,
}

impl<T> Part<T> {
    /// Whether `other` can be what is meant.
    pub fn may_be(&self, other: &T) -> bool
    where
        T: PartialEq,
    {
        match self {
            Self::Absent => false,
            Self::Is(this) => this == other,
            Self::Unreadable => true,
        }
    }
}

/// Whom an entry is about, in a form that compares as identities do: canonical ARNs without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whom(String);

impl Whom {
    /// Whoever has this ARN, or matches this pattern.
    pub fn arn(text: &str) -> Self {
        let text = text.trim();
        match Arn::parse(text) {
            Ok(arn) => Self(arn.key().as_str().to_owned()),
            Err(_) => Self(text.to_ascii_lowercase()),
        }
    }

    /// Whoever is of this account.
    pub fn account(text: &str) -> Self {
        Self(format!("account {}", text.trim()))
    }

    fn id(key: &str, id: &str) -> Self {
        Self(format!("{key} {}", id.trim()))
    }

    /// Whom `rule` speaks for; `None` when a condition alone tells.
    pub fn of(rule: &Rule) -> Option<Self> {
        match rule.subject() {
            Subject::Arn(arn) => Some(Self(arn.key().as_str().to_owned())),
            Subject::Pattern(pattern) => Some(Self::arn(&pattern.to_string())),
            Subject::Id(SubjectId::User(id)) => Some(Self::id("userID", id)),
            Subject::Id(SubjectId::Role(id)) => Some(Self::id("roleID", id)),
            Subject::Anyone => None,
        }
    }
}

impl Outline {
    /// Of an entry that was read, but cannot be a rule.
    pub fn of(mapping: &Mapping) -> Self {
        let subjects = [
            (!mapping.arn.is_empty()).then(|| Whom::arn(&mapping.arn)),
            mapping.arn_pattern.as_deref().map(Whom::arn),
            mapping.user_id.as_deref().map(|id| Whom::id("userID", id)),
            mapping.role_id.as_deref().map(|id| Whom::id("roleID", id)),
        ];
        let whom = subjects.into_iter().flatten().next();
        Self {
            whom: match (whom, &mapping.condition) {
                (Some(whom), _) => Part::Is(whom),
                (None, Some(_)) => Part::Unreadable,
                (None, None) => Part::Absent,
            },
            username: Part::Is(mapping.username.clone()),
            groups: Part::Is(mapping.groups.clone()),
        }
    }

    /// Of whatever stands in `list`.
    pub(super) fn read(value: &Value, list: List) -> Self {
        let entries = match (value, list) {
            (_, List::Accounts) => return Self::of_account(value),
            (Value::Map(entries), _) => entries.as_slice(),
            _ => {
                let blank = matches!(value, Value::Null);
                return Self {
                    whom: match whom_somewhere(value) {
                        Some(whom) => Part::Is(whom),
                        None if blank => Part::Absent,
                        None => Part::Unreadable,
                    },
                    username: Part::Unreadable,
                    groups: Part::Unreadable,
                };
            }
        };
        let find = |wanted: &str| {
            let mut entries = entries.iter();
            let found = entries.find(|(key, _)| key.name.eq_ignore_ascii_case(wanted));
            found.map(|(_, node)| &node.value)
        };
        Self {
            whom: whom(value, list, find),
            username: match find("username") {
                None | Some(Value::Null) => Part::Absent,
                Some(value) => scalar(value).map_or(Part::Unreadable, Part::Is),
            },
            groups: match find("groups") {
                None | Some(Value::Null) => Part::Is(Vec::new()),
                Some(Value::List(items)) => {
                    let texts: Option<Vec<String>> =
                        items.iter().map(|item| scalar(&item.value)).collect();
                    texts.map_or(Part::Unreadable, Part::Is)
                }
                Some(_) => Part::Unreadable,
            },
        }
    }

    fn of_account(value: &Value) -> Self {
        Self {
            whom: match value {
                Value::Null => Part::Absent,
                Value::Text(text) | Value::Number(text) if text.trim().is_empty() => Part::Absent,
                Value::Text(text) | Value::Number(text) => Part::Is(Whom::account(text)),
                Value::Bool(_) | Value::List(_) | Value::Map(_) => Part::Unreadable,
            },
            username: Part::Unreadable,
            groups: Part::Unreadable,
        }
    }
}

/// Whom a map is about. A key that is there and blank says: nobody.
fn whom<'a>(entry: &Value, list: List, find: impl Fn(&str) -> Option<&'a Value>) -> Part<Whom> {
    let keys: &[&str] = match list {
        List::Roles => &["roleARN"],
        List::Users => &["userARN"],
        List::Rules => &["arn", "arnPattern", "userID", "roleID"],
        List::Accounts => &[],
    };
    let written = keys
        .iter()
        .find_map(|key| find(key).map(|value| (*key, value)));
    match written {
        Some((_, Value::Null)) => Part::Absent,
        Some((key, Value::Text(text))) => match text.trim() {
            "" => Part::Absent,
            id if key.ends_with("ID") => Part::Is(Whom::id(key, id)),
            arn => Part::Is(Whom::arn(arn)),
        },
        Some(_) => whom_somewhere(entry).map_or(Part::Unreadable, Part::Is),
        None => match whom_somewhere(entry) {
            Some(whom) => Part::Is(whom),
            None if list == List::Rules && find("match").is_some() => Part::Unreadable,
            None => Part::Absent,
        },
    }
}

/// The first ARN anywhere in `value`: below a key that is misspelt, or where a space is missing after a colon.
fn whom_somewhere(value: &Value) -> Option<Whom> {
    let in_text = |text: &str| {
        let start = text.to_ascii_lowercase().find(ARN)?;
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'' | ']' | '}');
        text.get(start..)?.split(ends).next().map(Whom::arn)
    };
    let in_node = |node: &Node| whom_somewhere(&node.value);
    match value {
        Value::Text(text) => in_text(text),
        Value::List(items) => items.iter().find_map(in_node),
        Value::Map(entries) => entries
            .iter()
            .find_map(|(key, node)| in_node(node).or_else(|| in_text(&key.name))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}
