//! Identities: what STS says of whoever signed a token.

use serde::Serialize;

use crate::access_key::AccessKeyId;
use crate::arn::{AccountId, Arn, Resource};

/// A RAM identity.
///
/// Anyone can make one to ask how it would fare. Only [`crate::login::VerifiedIdentity`] can be granted anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ARN as STS gives it.
    pub arn: Arn,
    /// The immutable id of the user, role or account: what `PrincipalId` holds before the colon.
    pub user_id: Box<str>,
    /// The key that signed.
    pub access_key_id: AccessKeyId,
}

impl Identity {
    /// The account that the identity belongs to.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        self.arn.account()
    }

    /// The session name of an assumed role, which whoever assumed it chose; empty for users and accounts.
    #[must_use]
    pub fn session_name(&self) -> &str {
        match self.arn.resource() {
            Resource::AssumedRole { session, .. } => session,
            Resource::Root | Resource::User(_) | Resource::Role(_) => "",
        }
    }

    /// STS's name for this kind of identity (STS API reference, GetCallerIdentity, `IdentityType`).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.arn.resource() {
            Resource::Root => "Account",
            Resource::User(_) => "RAMUser",
            Resource::AssumedRole { .. } | Resource::Role(_) => "AssumedRoleUser",
        }
    }
}

/// The names that Go's `verify` prints.
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
            kind: self.kind(),
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
