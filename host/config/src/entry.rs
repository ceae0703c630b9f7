//! Entries of the lists of mappings: their list, their place, and the errors of invalid entries.

use crate::diagnostic::Diagnostic;
use crate::keys::{self, KnownKeys};
use crate::partial_entry::PartialEntry;

/// A list of mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappingList {
    /// `mapRoles`.
    Roles,
    /// `mapUsers`.
    Users,
    /// `mapRules`.
    Rules,
    /// `mapAccounts`.
    Accounts,
}

impl MappingList {
    /// All lists, in order of precedence among entries that otherwise tie.
    pub const ALL: [Self; 4] = [Self::Roles, Self::Users, Self::Rules, Self::Accounts];
    /// The lists that the Go server also reads.
    pub const KNOWN_TO_GO: [Self; 3] = [Self::Roles, Self::Users, Self::Accounts];

    /// Returns the key of the list.
    pub fn key(self) -> &'static str {
        match self {
            Self::Roles => "mapRoles",
            Self::Users => "mapUsers",
            Self::Rules => "mapRules",
            Self::Accounts => "mapAccounts",
        }
    }

    /// Returns the known keys of the entries; `None` if the entries are not maps.
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
    /// A mapping, by its index in [`ParsedMappings::mappings`](crate::ParsedMappings::mappings).
    Mapping(usize),
    /// An account, by its index in [`ParsedMappings::accounts`](crate::ParsedMappings::accounts).
    Account(usize),
    /// An invalid entry.
    Invalid(Box<InvalidEntry>),
}

/// An invalid entry, which has no effect.
#[derive(Debug)]
pub struct InvalidEntry {
    /// Name of the entry, such as `server.mapRoles[2]`.
    pub position: String,
    /// Error that makes the entry invalid.
    pub refusal: Diagnostic,
    /// Readable parts of the entry; `None` for an account.
    pub partial: Option<PartialEntry>,
}
