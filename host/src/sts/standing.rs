//! The standing of credentials: whether their last login was granted.

use ack_ram_core::access_key::CredentialId;
use quick_cache::sync::Cache;

/// Maximum number of stored credentials. More are seldom in use within the lifetime of a security token.
const REMEMBERED: usize = 10_000;

/// The standing of a credential before STS is called about its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStanding {
    /// The rules granted the last login of the credential that STS verified.
    Granted,
    /// The last login was denied, or there was none.
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

/// The credentials whose last login was granted. The number is limited; the least recently used are evicted.
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

    /// Records whether the rules granted a login of `credential`, after STS verified it.
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
