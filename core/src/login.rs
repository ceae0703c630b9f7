//! A login as a sequence of states: a token, an in-flight call to STS, a verified identity, and a decision.
//!
//! Each state is a type. Only [`AwaitingSts::resume`] creates a [`VerifiedIdentity`], and only
//! [`VerifiedIdentity::decide`] grants access.
//!
//! The reasons are in [`crate::manual::path_to_a_grant`].

use crate::access_key::{AccessKeyId, CredentialId};
use crate::decision::{Decision, Denial};
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::policy::TokenPolicy;
use crate::protocol::{FAMILY_PREFIX, STS_WINDOW_SECONDS};
use crate::rules::RuleSet;
use crate::secret::Secret;
use crate::sts::{self, StsError, StsReply, StsRequest, StsUnavailable};
use crate::time::UnixTime;
use crate::token::{self, CLOCK_MARGIN_SECONDS};

/// The next step after the checks of a token.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// The host sends [`AwaitingSts::request`] and calls [`AwaitingSts::resume`] with the result.
    CallSts(AwaitingSts),
    /// The login is decided without a call to STS.
    Decided(Decision),
}

/// Checks the format, the cluster ID and the date of a token at the time `now`.
///
/// # Examples
///
/// `token` is signed for the cluster `c1` at the time `now`:
///
/// ```
/// use ack_ram_core::login::{Step, begin};
/// use ack_ram_core::policy::TokenPolicy;
///
/// # use ack_ram_core::access_key::AccessKeyId;
/// # use ack_ram_core::cluster_id::ClusterId;
/// # use ack_ram_core::secret::Secret;
/// # use ack_ram_core::sign::{AccessKey, sign_token_v2};
/// # use ack_ram_core::time::UnixTime;
/// # let now = UnixTime::from_seconds(1_780_000_000);
/// # let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
/// # let key = AccessKey {
/// #     id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
/// #     secret: Secret::new("FakeSecret"),
/// #     security_token: None,
/// # };
/// # let token = sign_token_v2(&key, &cluster, "kubectl", now).ok_or("not signed")?;
/// let policy = TokenPolicy::new(cluster);
///
/// // The token is valid: the next step is a call to STS.
/// let Step::CallSts(awaiting) = begin(token.expose(), &policy, now) else {
///     return Err("the token was refused".into());
/// };
/// assert_eq!(awaiting.access_key_id().as_str(), "LTAI5tFakeAccessKeyId001");
/// assert_eq!(awaiting.request().method(), "POST");
///
/// // An hour later, the token is refused without a call.
/// let Step::Decided(decision) = begin(token.expose(), &policy, now.plus_seconds(3600)) else {
///     return Err("the token was not refused".into());
/// };
/// assert_eq!(decision.code(), "token_expired");
///
/// // A token of another authenticator is not an error.
/// let Step::Decided(decision) = begin("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", &policy, now) else {
///     return Err("the token was not recognized as another type".into());
/// };
/// assert_eq!(decision.code(), "not_ours");
/// assert_eq!(decision.public_message(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn begin(token: &str, policy: &TokenPolicy, now: UnixTime) -> Step {
    match RecognizedToken::recognize(token) {
        Some(token) => token.begin(policy, now),
        None => Step::Decided(Decision::unrecognized_token()),
    }
}

/// A token that starts with [`FAMILY_PREFIX`]. The rest of the token has not been checked.
pub struct RecognizedToken<'a> {
    token: &'a str,
    fingerprint: Fingerprint,
}

impl<'a> RecognizedToken<'a> {
    /// Recognizes a token of this program by its prefix. Returns `None` for any other token.
    #[must_use]
    pub fn recognize(token: &'a str) -> Option<Self> {
        token.starts_with(FAMILY_PREFIX).then(|| Self {
            token,
            fingerprint: Fingerprint::from_text(token),
        })
    }

    /// Returns the fingerprint of the token, the key of cached STS outcomes.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Checks the token, as [`begin`] does.
    pub fn begin(self, policy: &TokenPolicy, now: UnixTime) -> Step {
        let Self { token, fingerprint } = self;
        match token::parse(token, policy, now) {
            Err(error) => Step::Decided(Decision::denied(fingerprint, Denial::Token(error))),
            Ok(checked) => Step::CallSts(AwaitingSts {
                fingerprint,
                request: checked.request,
                expires: checked.date.plus_seconds(STS_WINDOW_SECONDS),
                access_key_id: checked.access_key_id,
                security_token: checked.security_token,
            }),
        }
    }
}

/// A token that passed all checks except the check of the signature, which STS makes.
///
/// The type is not `Clone`, so that each token has at most one pending call.
#[derive(Debug)]
pub struct AwaitingSts {
    fingerprint: Fingerprint,
    request: StsRequest,
    expires: UnixTime,
    access_key_id: AccessKeyId,
    security_token: Option<Secret>,
}

impl AwaitingSts {
    /// Returns the fingerprint of the token, which is the key of caches and identifies the token in logs.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the request to send. If STS [accepts it again](StsRequest::may_be_resent), send the same bytes.
    #[must_use]
    pub fn request(&self) -> &StsRequest {
        &self.request
    }

    /// Returns the time at which the signature expires by the rules of STS. Do not use a cached identity after this
    /// time.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Returns the ID of the key that the token claims to be signed with. The claim is unproven until STS answers.
    #[must_use]
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.access_key_id
    }

    /// Returns the ID of the credential that the token claims to be signed with. The claim is unproven until STS
    /// answers.
    #[must_use]
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::from_key(&self.access_key_id, self.security_token.as_ref())
    }

    /// Parses the reply of STS, which arrived at the time `now`.
    ///
    /// # Errors
    /// Returns the refusal of the caller by STS, or the reason why STS gave no answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use ack_ram_core::login::{Step, begin};
    /// use ack_ram_core::sts::{StsError, StsReply};
    ///
    /// # use ack_ram_core::policy::TokenPolicy;
    /// # use ack_ram_core::access_key::AccessKeyId;
    /// # use ack_ram_core::cluster_id::ClusterId;
    /// # use ack_ram_core::secret::Secret;
    /// # use ack_ram_core::sign::{AccessKey, sign_token_v2};
    /// # use ack_ram_core::time::UnixTime;
    /// # let now = UnixTime::from_seconds(1_780_000_000);
    /// # let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
    /// # let key = AccessKey {
    /// #     id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
    /// #     secret: Secret::new("FakeSecret"),
    /// #     security_token: None,
    /// # };
    /// # let token = sign_token_v2(&key, &cluster, "kubectl", now).ok_or("not signed")?;
    /// # let policy = TokenPolicy::new(cluster);
    /// # let awaiting = |now| match begin(token.expose(), &policy, now) {
    /// #     Step::CallSts(awaiting) => Ok(awaiting),
    /// #     Step::Decided(decision) => Err(decision.code()),
    /// # };
    /// let body = br#"{"IdentityType":"AssumedRoleUser","AccountId":"123","RoleId":"300",
    ///     "PrincipalId":"300:alice","Arn":"acs:ram::123:assumed-role/dev/alice"}"#;
    /// let verified = awaiting(now)?.resume(StsReply::Response { status: 200, body }, now)?;
    /// assert_eq!(verified.identity().arn.canonical().to_string(), "acs:ram::123:role/dev");
    /// assert_eq!(verified.identity().session_name(), "alice");
    ///
    /// // STS refuses the caller.
    /// let body = br#"{"Code":"SignatureDoesNotMatch","RequestId":"6B2F4C0A-1D3E"}"#;
    /// let refused = awaiting(now)?.resume(StsReply::Response { status: 400, body }, now);
    /// assert!(matches!(refused, Err(StsError::Refused(_))));
    ///
    /// // STS gave no answer: the caller is neither granted nor denied.
    /// let unknown = awaiting(now)?.resume(StsReply::TimedOut, now);
    /// assert!(matches!(unknown, Err(StsError::Unavailable(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(self, reply: StsReply<'_>, now: UnixTime) -> Result<VerifiedIdentity, StsError> {
        if now > self.expires.plus_seconds(CLOCK_MARGIN_SECONDS) {
            let expired = self.expires;
            return Err(StsError::Unavailable(StsUnavailable::ExpiredInFlight {
                expired,
            }));
        }
        let identity = sts::read_reply(reply, self.access_key_id)?;
        Ok(VerifiedIdentity {
            identity,
            fingerprint: self.fingerprint,
            expires: self.expires,
        })
    }
}

/// The identity that signed a token, as STS reports it. Only [`AwaitingSts::resume`] creates one.
#[derive(Debug)]
pub struct VerifiedIdentity {
    identity: Identity,
    fingerprint: Fingerprint,
    expires: UnixTime,
}

impl VerifiedIdentity {
    /// Returns the identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the fingerprint of the token that proves the identity.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the time at which the proof expires. Do not grant access on this proof after this time.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Decides the login by `rules`. This is the only function that grants access.
    ///
    /// # Examples
    ///
    /// ```
    /// use ack_ram_core::decision::Outcome;
    ///
    /// # use ack_ram_core::login::{Step, begin};
    /// # use ack_ram_core::policy::TokenPolicy;
    /// # use ack_ram_core::sts::StsReply;
    /// # use ack_ram_core::access_key::AccessKeyId;
    /// # use ack_ram_core::cluster_id::ClusterId;
    /// # use ack_ram_core::secret::Secret;
    /// # use ack_ram_core::sign::{AccessKey, sign_token_v2};
    /// # use ack_ram_core::time::UnixTime;
    /// # let now = UnixTime::from_seconds(1_780_000_000);
    /// # let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
    /// # let key = AccessKey {
    /// #     id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
    /// #     secret: Secret::new("FakeSecret"),
    /// #     security_token: None,
    /// # };
    /// # let token = sign_token_v2(&key, &cluster, "kubectl", now).ok_or("not signed")?;
    /// # let policy = TokenPolicy::new(cluster);
    /// # let Step::CallSts(awaiting) = begin(token.expose(), &policy, now) else {
    /// #     return Err("the token was refused".into());
    /// # };
    /// # let body = br#"{"IdentityType":"AssumedRoleUser","AccountId":"123","PrincipalId":"300:alice",
    /// #     "Arn":"acs:ram::123:assumed-role/dev/alice"}"#;
    /// # let verified = awaiting.resume(StsReply::Response { status: 200, body }, now)?;
    /// # use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
    /// # let source = Source { backend: Backend::MountedFile, position: "server.mapRoles[0]".to_owned() };
    /// # let precedence = Precedence::ListIndex(0);
    /// // `verified` is a session of the role `dev` with the name `alice`.
    /// let groups = vec!["developers".to_owned()];
    /// let mapping = Mapping::for_arn(source, precedence, "acs:ram::123:role/dev", "dev:{{SessionName}}", groups);
    /// let mut rules = BackendRules::new(Backend::MountedFile);
    /// rules.apply(Rule::compile(mapping)?);
    ///
    /// let decision = verified.decide(&RuleSet::new(vec![rules], []));
    /// let Outcome::Granted(user) = decision.outcome() else {
    ///     return Err(decision.code().into());
    /// };
    /// assert_eq!(user.username, "dev:alice");
    /// assert_eq!(user.groups, ["developers"]);
    ///
    /// // Without rules, the identity is not mapped.
    /// let decision = verified.decide(&RuleSet::default());
    /// assert_eq!(decision.code(), "not_mapped");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide(&self, rules: &RuleSet) -> Decision {
        let (explanation, result) = rules.explain(&self.identity);
        Decision::from_rules(self.fingerprint, result, explanation)
    }
}

#[cfg(test)]
mod tests;
