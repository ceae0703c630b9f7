//! Entries of the lists of mappings: which list, which place, and of a broken one why.

use crate::diagnostic::Diagnostic;
use crate::keys::{self, KnownKeys};
use crate::partial_entry::PartialEntry;

/// A list of mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappingList {
    Roles,
    Users,
    Rules,
    Accounts,
}

impl MappingList {
    /// In the order in which entries that tie answer.
    pub const ALL: [Self; 4] = [Self::Roles, Self::Users, Self::Rules, Self::Accounts];
    /// The lists that Go knows, too.
    pub const KNOWN_TO_GO: [Self; 3] = [Self::Roles, Self::Users, Self::Accounts];

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
    pub(super) fn entry_keys(self) -> Option<KnownKeys> {
        match self {
            Self::Roles => Some(keys::ROLE),
            Self::Users => Some(keys::USER),
            Self::Rules => Some(keys::RULE),
            Self::Accounts => None,
        }
    }
}

/// An item of a list of mappings.
#[derive(Debug)]
pub enum ListItem {
    /// A mapping: its place among all mappings of the document.
    Mapping(usize),
    /// An account: its place among all accounts of the document.
    Account(usize),
    /// An entry that cannot be used.
    Invalid(Box<InvalidEntry>),
}

/// An entry that cannot be used.
#[derive(Debug)]
pub struct InvalidEntry {
    /// The setting, such as `server.mapRoles[2]`.
    pub position: String,
    /// What is wrong with it.
    pub refusal: Diagnostic,
    /// The parts that can be read; none of an account.
    pub partial: Option<PartialEntry>,
}
