//! The users, roles and keys that the emulator knows.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;

use super::principal::Principal;
use super::refusal::Refusal;

/// The accounts, users and roles of the emulator, with their keys.
///
/// Build a directory with [`super::Builder`], or parse it from JSON with [`Directory::parse`].
#[derive(Clone, Debug, Default)]
pub struct Directory {
    keys: BTreeMap<AccessKeyId, KeyRecord>,
    /// Role IDs by account and role name.
    roles: BTreeMap<(String, String), String>,
    /// Pairs of provider ARN and token.
    oidc_tokens: BTreeSet<(String, String)>,
    minted: u64,
}

#[derive(Clone, Debug)]
pub(super) struct KeyRecord {
    pub(super) key: AccessKey,
    pub(super) owner: Principal,
    /// When the security token expires; `None` for a permanent key.
    expires: Option<UnixTime>,
    active: bool,
}

impl Directory {
    /// Adds a permanent key. Returns `false` if it replaced a key with the same ID.
    pub(super) fn add_key(&mut self, owner: Principal, key: AccessKey) -> bool {
        self.insert(owner, key, None)
    }

    /// Adds a temporary key, whose security token expires at `expires`. Returns `false` if it replaced a key with the
    /// same ID.
    pub(super) fn add_temporary_key(
        &mut self,
        owner: Principal,
        key: AccessKey,
        expires: UnixTime,
    ) -> bool {
        self.insert(owner, key, Some(expires))
    }

    fn insert(&mut self, owner: Principal, key: AccessKey, expires: Option<UnixTime>) -> bool {
        let id = key.id.clone();
        let record = KeyRecord {
            key,
            owner,
            expires,
            active: true,
        };
        self.keys.insert(id, record).is_none()
    }

    /// Adds a role that users and sessions may assume.
    pub(super) fn add_role(&mut self, account: &str, name: &str, id: &str) {
        self.roles
            .insert((account.to_owned(), name.to_owned()), id.to_owned());
    }

    /// Adds a token that `AssumeRoleWithOIDC` accepts for a provider.
    pub(super) fn add_oidc_token(&mut self, provider_arn: &str, token: &str) {
        self.oidc_tokens
            .insert((provider_arn.to_owned(), token.to_owned()));
    }

    /// Removes a key. Returns whether it existed.
    pub(super) fn delete_key(&mut self, id: &AccessKeyId) -> bool {
        self.keys.remove(id).is_some()
    }

    /// Enables or disables a key. Returns whether it exists.
    pub(super) fn set_active(&mut self, id: &AccessKeyId, active: bool) -> bool {
        self.keys
            .get_mut(id)
            .map(|record| record.active = active)
            .is_some()
    }

    pub(super) fn knows_oidc_token(&self, provider_arn: &str, token: &str) -> bool {
        self.oidc_tokens
            .contains(&(provider_arn.to_owned(), token.to_owned()))
    }

    /// Returns the key of a request, if the key may sign now and the request has the security token of the key.
    pub(super) fn signing_key(
        &self,
        id: &AccessKeyId,
        security_token: Option<&str>,
        now: UnixTime,
    ) -> Result<&KeyRecord, Refusal> {
        let record = self.keys.get(id).ok_or(Refusal::UnknownKey)?;
        if !record.active {
            return Err(Refusal::InactiveKey);
        }
        let expected = record.key.security_token.as_ref().map(Secret::expose);
        match (expected, security_token) {
            (Some(_), None) => Err(Refusal::MissingSecurityToken),
            (expected, Some(given)) if expected != Some(given) => Err(self.foreign_token(given)),
            _ if record.expires.is_some_and(|expires| expires <= now) => {
                Err(Refusal::ExpiredSecurityToken)
            }
            _ => Ok(record),
        }
    }

    fn foreign_token(&self, given: &str) -> Refusal {
        let issued = self
            .keys
            .values()
            .filter_map(|record| record.key.security_token.as_ref())
            .any(|token| token.expose() == given);
        if issued {
            Refusal::MismatchedSecurityToken
        } else {
            Refusal::MalformedSecurityToken
        }
    }

    /// Returns the session of the role `arn` with the name `session`, if the role exists.
    pub(super) fn session(&self, arn: &str, session: &str) -> Result<Principal, Refusal> {
        let (account, role) = arn
            .strip_prefix("acs:ram::")
            .and_then(|rest| rest.split_once(":role/"))
            .ok_or(Refusal::InvalidParameter("RoleArn"))?;
        let role_id = self
            .roles
            .get(&(account.to_owned(), role.to_owned()))
            .ok_or(Refusal::UnknownRole)?;
        Ok(Principal::AssumedRole {
            account: account.to_owned(),
            role: role.to_owned(),
            role_id: role_id.clone(),
            session: session.to_owned(),
        })
    }

    /// Issues a temporary key to `owner`. The keys depend only on the order of calls, so that runs can be compared.
    pub(super) fn mint(&mut self, owner: Principal, expires: UnixTime) -> Option<AccessKey> {
        self.minted += 1;
        let derive = |part: &str| {
            Fingerprint::from_text(&format!("{part} {} {}", self.minted, owner.arn())).to_string()
        };
        let key = AccessKey {
            id: AccessKeyId::parse(&format!("STS.{}", derive("id")))?,
            secret: Secret::new(derive("secret")),
            // Real tokens are base64, whose `+`, `/` and `=` clients have to escape.
            security_token: Some(Secret::new(format!("CAIS+{}/==", derive("token")))),
        };
        self.add_temporary_key(owner, key.clone(), expires);
        Some(key)
    }
}
