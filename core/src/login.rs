//! A login as a sequence of states: a token, an in-flight call to STS, a verified identity, and a decision.
//!
//! Each state is a type. Only [`AwaitingSts::resume`] creates a [`VerifiedIdentity`], and only
//! [`VerifiedIdentity::decide`] grants access.

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
    pub fn decide(&self, rules: &RuleSet) -> Decision {
        let (explanation, result) = rules.explain(&self.identity);
        Decision::from_rules(self.fingerprint, result, explanation)
    }
}

#[cfg(test)]
mod tests;
