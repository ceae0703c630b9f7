//! Roles, and who may assume them.

use std::ops::RangeInclusive;

use super::principal::Principal;
use super::refusal::Refusal;

/// The lifetime of a session in seconds if a request has none, and its maximum if the role has none.
pub(super) const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 900;
/// The values that the maximum of a role may have.
pub(super) const ROLE_MAXIMUM: RangeInclusive<i64> = 3600..=43_200;

/// A role with its trust policy.
#[derive(Clone, Debug)]
#[must_use]
pub struct Role {
    account: String,
    name: String,
    id: String,
    max_seconds: i64,
    /// The ARNs that the trust policy names; `None` if it trusts every caller.
    trusted: Option<Vec<String>>,
    external_id: Option<String>,
    /// The lifetime of each session in seconds, whatever a request asks for.
    fixed_seconds: Option<i64>,
}

impl Role {
    /// Creates a role with the immutable ID `id` that trusts every caller, and whose sessions last an hour at most.
    pub fn new(account: &str, name: &str, id: &str) -> Self {
        Self {
            account: account.to_owned(),
            name: name.to_owned(),
            id: id.to_owned(),
            max_seconds: DEFAULT_SECONDS,
            trusted: None,
            external_id: None,
            fixed_seconds: None,
        }
    }

    /// Trusts only these ARNs: of a user, of a role for all its sessions, of an account (`...:root`) for all its
    /// identities, or of an OIDC provider.
    pub fn trusts(mut self, arns: &[&str]) -> Self {
        self.trusted = Some(arns.iter().map(|&arn| arn.to_owned()).collect());
        self
    }

    /// Requires this external ID from callers with a key.
    pub fn requires_external_id(mut self, id: &str) -> Self {
        self.external_id = Some(id.to_owned());
        self
    }

    /// Sets the maximum lifetime of sessions.
    ///
    /// # Panics
    /// If RAM refuses the value.
    pub fn max_session_seconds(mut self, seconds: i64) -> Self {
        assert!(ROLE_MAXIMUM.contains(&seconds), "{seconds}");
        self.max_seconds = seconds;
        self
    }

    /// Ends each session after this number of seconds, whatever lifetime a request asks for. Real sessions last for 15
    /// minutes at least, and a test does not wait that long.
    pub fn sessions_last(mut self, seconds: i64) -> Self {
        self.fixed_seconds = Some(seconds);
        self
    }

    pub(super) fn arn(&self) -> String {
        role_arn(&self.account, &self.name)
    }

    /// Returns a session of the role.
    pub(super) fn session(&self, name: &str) -> Principal {
        Principal::AssumedRole {
            account: self.account.clone(),
            role: self.name.clone(),
            role_id: self.id.clone(),
            session: name.to_owned(),
        }
    }

    /// Checks that the trust policy names the holder of a key.
    pub(super) fn check_key_owner(
        &self,
        owner: &Principal,
        external_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let names = match owner {
            Principal::Root { .. } => return Err(Refusal::RootMayNotAssume),
            Principal::User { account, .. } => [owner.arn(), account_arn(account)],
            Principal::AssumedRole { account, role, .. } => {
                [role_arn(account, role), account_arn(account)]
            }
        };
        let has_id = self.external_id.is_none() || self.external_id.as_deref() == external_id;
        if has_id && self.is_trusted(&names) {
            Ok(())
        } else {
            Err(Refusal::NotTrusted)
        }
    }

    /// Checks that the trust policy names an OIDC provider.
    pub(super) fn check_oidc_provider(&self, provider_arn: &str) -> Result<(), Refusal> {
        if self.is_trusted(&[provider_arn.to_owned()]) {
            Ok(())
        } else {
            Err(Refusal::OidcNotTrusted)
        }
    }

    /// Returns the lifetime of a session for which a request asks for `seconds`.
    pub(super) fn session_seconds(&self, seconds: i64) -> Result<i64, Refusal> {
        if (MIN_SECONDS..=self.max_seconds).contains(&seconds) {
            Ok(self.fixed_seconds.unwrap_or(seconds))
        } else {
            Err(Refusal::InvalidParameter("DurationSeconds"))
        }
    }

    fn is_trusted(&self, names: &[String]) -> bool {
        let trusted = self.trusted.as_ref();
        trusted.is_none_or(|trusted| trusted.iter().any(|arn| names.contains(arn)))
    }
}

/// Returns the ARN of a role.
pub(super) fn role_arn(account: &str, name: &str) -> String {
    format!("acs:ram::{account}:role/{name}")
}

fn account_arn(account: &str) -> String {
    format!("acs:ram::{account}:root")
}
