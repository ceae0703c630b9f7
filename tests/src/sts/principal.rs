//! Whom a key belongs to.

use serde_json::{Value, json};

/// The owner of a key, as `GetCallerIdentity` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account itself.
    Root {
        /// The account id, 16 digits.
        account: String,
    },
    /// A RAM user.
    User {
        /// The account id.
        account: String,
        /// The user's name.
        name: String,
        /// The user's immutable id.
        id: String,
    },
    /// A session of a RAM role.
    AssumedRole {
        /// The account id.
        account: String,
        /// The role's name.
        role: String,
        /// The role's immutable id.
        role_id: String,
        /// The name that the caller gave the session.
        session: String,
    },
}

impl Principal {
    /// The `Arn` that STS answers.
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

    /// The `PrincipalId` that STS answers.
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

    /// The reply to `GetCallerIdentity`, without its `RequestId`.
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
