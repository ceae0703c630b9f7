//! A login, one state after the other: a token, a call to STS under way, a verified identity.
//!
//! Each state is a type, and a transition consumes it. Only [`AwaitingSts::resume`] makes a [`VerifiedIdentity`], and
//! only [`crate::rules::RuleSet::decide`] on one makes a grant.

use crate::access_key::{AccessKeyId, CredentialId};
use crate::decision::{Decision, Denial};
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::sts::{self, StsError, StsReply, StsRequest, StsUnable};
use crate::time::UnixTime;
use crate::token::{self, CLOCK_MARGIN_SECONDS, FAMILY_PREFIX, STS_WINDOW_SECONDS};

/// What comes after looking at a token.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// The host is to send [`AwaitingSts::request`] and to call [`AwaitingSts::resume`] with what came of it.
    Send(AwaitingSts),
    /// Nothing needs to be sent.
    Done(Decision),
}

/// Looks at a token at the time `now`: is it ours, is it whole, is it for this cluster, is it fresh?
pub fn begin(token: &str, policy: &Policy, now: UnixTime) -> Step {
    match OurToken::of(token) {
        Some(token) => token.begin(policy, now),
        None => Step::Done(Decision::not_ours()),
    }
}

/// A token that is meant for this program, by how it starts. Nothing else of it has been looked at.
pub struct OurToken<'a> {
    token: &'a str,
    fingerprint: Fingerprint,
}

impl<'a> OurToken<'a> {
    /// None when `token` is of another kind, and may be anybody's.
    #[must_use]
    pub fn of(token: &'a str) -> Option<Self> {
        token.starts_with(FAMILY_PREFIX).then(|| Self {
            token,
            fingerprint: Fingerprint::of(token),
        })
    }

    /// Names the token. What STS said of one with this name, it said of this one.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Looks at the token as [`begin`] does.
    pub fn begin(self, policy: &Policy, now: UnixTime) -> Step {
        let Self { token, fingerprint } = self;
        match token::parse(token, policy, now) {
            Err(error) => Step::Done(Decision::denied(fingerprint, Denial::Token(error))),
            Ok(checked) => Step::Send(AwaitingSts {
                fingerprint,
                request: checked.request,
                expires: checked.date.plus_seconds(STS_WINDOW_SECONDS),
                access_key_id: checked.access_key_id,
                security_token: checked.security_token,
            }),
        }
    }
}

/// A token that passed every check that needs no secret. Not `Clone`: one token, one pending call.
#[derive(Debug)]
pub struct AwaitingSts {
    fingerprint: Fingerprint,
    request: StsRequest,
    expires: UnixTime,
    access_key_id: AccessKeyId,
    security_token: Option<Secret>,
}

impl AwaitingSts {
    /// Names the token: the key of caches, and what logs show.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The call to make. Where it [may be sent again](StsRequest::may_be_resent), the bytes are the same.
    #[must_use]
    pub fn request(&self) -> &StsRequest {
        &self.request
    }

    /// When the signature ends by STS's rules. No cached identity outlives it.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// The key that the token claims to be signed with. Not proven before STS has answered.
    #[must_use]
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.access_key_id
    }

    /// Returns the id of the credential that the token claims to be signed with. Not proven before STS has answered.
    #[must_use]
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::of(&self.access_key_id, self.security_token.as_ref())
    }

    /// Reads STS's reply, at the time `now`.
    ///
    /// # Errors
    /// When STS refused the caller, or could not tell.
    pub fn resume(self, reply: StsReply<'_>, now: UnixTime) -> Result<VerifiedIdentity, StsError> {
        if now > self.expires.plus_seconds(CLOCK_MARGIN_SECONDS) {
            let expired = self.expires;
            return Err(StsError::Unable(StsUnable::TooLate { expired }));
        }
        let identity = sts::read(reply, self.access_key_id)?;
        Ok(VerifiedIdentity {
            identity,
            fingerprint: self.fingerprint,
            expires: self.expires,
        })
    }
}

/// Who signed a token, by STS's word. It cannot be made in any other way than by [`AwaitingSts::resume`].
#[derive(Debug)]
pub struct VerifiedIdentity {
    identity: Identity,
    fingerprint: Fingerprint,
    expires: UnixTime,
}

impl VerifiedIdentity {
    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Names the token that proved it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// When the proof ends; nothing may be granted by it later.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }
}

#[cfg(test)]
mod tests;
