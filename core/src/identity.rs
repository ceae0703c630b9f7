//! Identities: the signers of tokens, as STS reports them.

use serde::Serialize;

use crate::access_key::AccessKeyId;
use crate::arn::{AccountId, Arn, Resource};

/// A RAM identity.
///
/// Any code can build an identity to preview its mapping. Only a [`crate::login::VerifiedIdentity`] can get access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ARN as STS reports it.
    pub arn: Arn,
    /// The immutable ID of the user, role or account: the part of `PrincipalId` before the colon.
    pub user_id: Box<str>,
    /// The access key that signed the token.
    pub access_key_id: AccessKeyId,
}

impl Identity {
    /// Returns the account that the identity belongs to.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        self.arn.account()
    }

    /// Returns the session name of an assumed role, which the caller of `AssumeRole` chose. It is empty for users and
    /// accounts.
    #[must_use]
    pub fn session_name(&self) -> &str {
        match self.arn.resource() {
            Resource::AssumedRole { session, .. } => session,
            Resource::Root | Resource::User(_) | Resource::Role(_) => "",
        }
    }

    /// Returns STS's name for the type of the identity (STS API reference, GetCallerIdentity, `IdentityType`).
    #[must_use]
    pub fn identity_type(&self) -> &'static str {
        match self.arn.resource() {
            Resource::Root => "Account",
            Resource::User(_) => "RAMUser",
            Resource::AssumedRole { .. } | Resource::Role(_) => "AssumedRoleUser",
        }
    }
}

/// Serializes the identity with the field names that `verify` of the Go program prints.
impl Serialize for Identity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            arn: &'a Arn,
            canonical_arn: Arn,
            account_id: &'a AccountId,
            user_id: &'a str,
            session_name: &'a str,
            access_key_id: &'a AccessKeyId,
        }
        Fields {
            kind: self.identity_type(),
            arn: &self.arn,
            canonical_arn: self.arn.canonical(),
            account_id: self.account_id(),
            user_id: &self.user_id,
            session_name: self.session_name(),
            access_key_id: &self.access_key_id,
        }
        .serialize(serializer)
    }
}
