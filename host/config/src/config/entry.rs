//! Entries of the lists of mappings: which list, which place, and of a broken one why.

use std::fmt;

use crate::config::error::Problem;
use crate::config::keys::{self, Keys};
use crate::config::partial::PartialEntry;

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
    /// The parts that can be read; none of an account.
    pub partial: Option<PartialEntry>,
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
