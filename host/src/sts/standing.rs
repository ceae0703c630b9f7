//! The standing of credentials: whether their last login was granted.

use ack_ram_core::access_key::CredentialId;
use quick_cache::sync::Cache;

/// More credentials than this are seldom in use within the life of a security token.
const REMEMBERED: usize = 10_000;

/// The standing of a credential before STS is called about its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStanding {
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
    /// The standing of the credential.
    pub standing: CredentialStanding,
}

/// The credentials whose last login was granted; bounded, the least recent are evicted.
pub struct CredentialStandings(Cache<CredentialId, ()>);

impl CredentialStandings {
    /// Describes the caller with a token of `credential`.
    #[must_use]
    pub fn caller(&self, credential: CredentialId) -> Caller {
        let standing = match self.0.get(&credential) {
            Some(()) => CredentialStanding::Granted,
            None => CredentialStanding::Unproven,
        };
        Caller {
            credential,
            standing,
        }
    }

    /// Records that the rules granted or denied a login of `credential`, which STS has proved.
    pub fn note(&self, credential: CredentialId, is_granted: bool) {
        if !is_granted {
            self.0.remove(&credential);
        } else if self.0.get(&credential).is_none() {
            self.0.insert(credential, ());
        }
    }
}

impl Default for CredentialStandings {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}
