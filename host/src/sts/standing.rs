//! Which credentials the rules granted a login last.

use ack_ram_core::access_key::CredentialId;
use quick_cache::sync::Cache;

/// More credentials than this are seldom in use within the life of a security token.
const REMEMBERED: usize = 10_000;

/// What is known of a credential before STS is asked about a token of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The rules granted the last login that STS proved for the credential.
    Granted,
    /// They did not, or there was none.
    Unproven,
}

/// A caller of STS, as its token claims.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The credential that the token claims to be signed with.
    pub credential: CredentialId,
    /// What is known of the credential.
    pub standing: Standing,
}

/// The credentials that were granted a login, those of late; bounded.
pub struct Standings(Cache<CredentialId, ()>);

impl Standings {
    /// Describes the caller with a token of `credential`.
    #[must_use]
    pub fn caller(&self, credential: CredentialId) -> Caller {
        let standing = match self.0.get(&credential) {
            Some(()) => Standing::Granted,
            None => Standing::Unproven,
        };
        Caller {
            credential,
            standing,
        }
    }

    /// Notes that the rules granted a login of `credential`, or denied one. STS has to have proved the credential.
    pub fn note(&self, credential: CredentialId, is_granted: bool) {
        if !is_granted {
            self.0.remove(&credential);
        } else if self.0.get(&credential).is_none() {
            self.0.insert(credential, ());
        }
    }
}

impl Default for Standings {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}
