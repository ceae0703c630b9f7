//! The users, roles and keys that the emulator knows.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;

use super::oidc::OidcProvider;
use super::principal::Principal;
use super::refusal::Refusal;
use super::role::{Role, role_arn};

/// The accounts, users and roles of the emulator, with their keys.
///
/// Build a directory with [`super::Builder`], or parse it from JSON with [`Directory::parse`].
#[derive(Clone, Debug, Default)]
pub struct Directory {
    keys: BTreeMap<AccessKeyId, KeyRecord>,
    /// Roles by ARN.
    roles: BTreeMap<String, Role>,
    /// OIDC providers by ARN.
    oidc_providers: BTreeMap<String, OidcProvider>,
    /// The ARNs of the users without a policy that allows `sts:AssumeRole`.
    users_without_policy: BTreeSet<String>,
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

    /// Takes the policy `AliyunSTSAssumeRoleAccess` from a user.
    pub(super) fn detach_policy(&mut self, user: &Principal) {
        self.users_without_policy.insert(user.arn());
    }

    /// Returns whether a policy of `caller` allows `sts:AssumeRole`.
    pub(super) fn may_assume_roles(&self, caller: &Principal) -> bool {
        !self.users_without_policy.contains(&caller.arn())
    }

    /// Adds a role.
    pub(super) fn add_role(&mut self, role: Role) {
        self.roles.insert(role.arn(), role);
    }

    /// Adds an OIDC provider, or changes its issuer and audiences.
    pub(super) fn add_oidc_provider(&mut self, arn: &str, issuer: &str, audiences: &[&str]) {
        let provider = self.oidc_providers.entry(arn.to_owned()).or_default();
        issuer.clone_into(&mut provider.issuer);
        provider.audiences = audiences.iter().map(|&audience| audience.into()).collect();
    }

    /// Adds a token that `AssumeRoleWithOIDC` accepts for a provider, whatever the token contains.
    pub(super) fn add_oidc_token(&mut self, provider_arn: &str, token: &str) {
        let provider = self.oidc_providers.entry(provider_arn.to_owned());
        provider.or_default().known_tokens.insert(token.to_owned());
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

    /// Ends the temporary keys of the session `arn`, or of all sessions of the role `arn`. Returns their number.
    pub(super) fn revoke_sessions(&mut self, arn: &str, now: UnixTime) -> usize {
        let mut count = 0;
        for record in self.keys.values_mut() {
            let is_of_role = matches!(
                &record.owner,
                Principal::AssumedRole { account, role, .. } if role_arn(account, role) == arn
            );
            if record.expires.is_some() && (is_of_role || record.owner.arn() == arn) {
                record.expires = Some(now);
                count += 1;
            }
        }
        count
    }

    pub(super) fn oidc_provider(&self, arn: &str) -> Result<&OidcProvider, Refusal> {
        self.oidc_providers.get(arn).ok_or(Refusal::OidcNotTrusted)
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

    pub(super) fn role(&self, arn: &str) -> Result<&Role, Refusal> {
        let is_role = arn
            .strip_prefix("acs:ram::")
            .is_some_and(|rest| rest.contains(":role/"));
        if !is_role {
            return Err(Refusal::InvalidParameter("RoleArn"));
        }
        self.roles.get(arn).ok_or(Refusal::UnknownRole)
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
