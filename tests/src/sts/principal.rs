//! The owners of keys.

use serde_json::{Value, json};

/// The owner of a key, as `GetCallerIdentity` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account itself.
    Root {
        /// The account ID, 16 digits.
        account: String,
    },
    /// A RAM user.
    User {
        /// The account ID.
        account: String,
        /// The name of the user.
        name: String,
        /// The immutable ID of the user.
        id: String,
    },
    /// A session of a RAM role.
    AssumedRole {
        /// The account ID.
        account: String,
        /// The name of the role.
        role: String,
        /// The immutable ID of the role.
        role_id: String,
        /// The name of the session, which the caller of `AssumeRole` chooses.
        session: String,
    },
}

impl Principal {
    /// Returns the `Arn` in the reply of STS.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Root { account } => format!("acs:ram::{account}:root"),
            Self::User { account, name, .. } => format!("acs:ram::{account}:user/{name}"),
            Self::AssumedRole {
                account,
                role,
                session,
                ..
            } => format!("acs:ram::{account}:assumed-role/{role}/{session}"),
        }
    }

    /// Returns the `PrincipalId` in the reply of STS.
    #[must_use]
    pub fn principal_id(&self) -> String {
        match self {
            Self::Root { account } => account.clone(),
            Self::User { id, .. } => id.clone(),
            Self::AssumedRole {
                role_id, session, ..
            } => format!("{role_id}:{session}"),
        }
    }

    /// Returns the reply to `GetCallerIdentity`, without its `RequestId`.
    pub(super) fn caller_identity(&self) -> Value {
        let (identity_type, account, id_field, id) = match self {
            Self::Root { account } => ("Account", account, "UserId", account),
            Self::User { account, id, .. } => ("RAMUser", account, "UserId", id),
            Self::AssumedRole {
                account, role_id, ..
            } => ("AssumedRoleUser", account, "RoleId", role_id),
        };
        json!({
            "IdentityType": identity_type,
            "AccountId": account,
            "PrincipalId": self.principal_id(),
            id_field: id,
            "Arn": self.arn(),
        })
    }
}
