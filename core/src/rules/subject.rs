//! Subjects: the identities that a rule matches.

use std::fmt;

use crate::arn::{Arn, Resource};
use crate::identity::Identity;
use crate::rules::pattern::Pattern;

/// The identities that a rule matches. The variants are ordered from the most to the least exact; within one backend,
/// the more exact subject takes precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One user or role by its immutable ID, independent of its name.
    Id(SubjectId),
    /// One identity by its ARN.
    Arn(Arn),
    /// All identities whose canonical ARN matches a pattern.
    Pattern(Pattern),
    /// All identities that meet the rule's condition.
    Anyone,
}

/// The immutable ID of a user or a role (STS API reference, GetCallerIdentity, `UserId` and `RoleId`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectId {
    /// The ID of a RAM user.
    User(Box<str>),
    /// The ID of a role.
    Role(Box<str>),
}

impl SubjectId {
    /// Returns the ID of `identity` for lookups; `None` for an account.
    pub(crate) fn from_identity(identity: &Identity) -> Option<Self> {
        match identity.arn.resource() {
            Resource::Root => None,
            Resource::User(_) => Some(Self::User(identity.user_id.clone())),
            Resource::Role(_) | Resource::AssumedRole { .. } => {
                Some(Self::Role(identity.user_id.clone()))
            }
        }
    }

    /// Returns the key of the ID in the index.
    pub(crate) fn index_key(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Role(id) => format!("role:{id}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(SubjectId::User(id)) => write!(f, "user ID {id}"),
            Self::Id(SubjectId::Role(id)) => write!(f, "role ID {id}"),
            Self::Arn(arn) => arn.fmt(f),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Anyone => f.write_str("any identity that matches the condition"),
        }
    }
}
