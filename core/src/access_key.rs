//! Access key ids.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::protocol::grammar::is_word;
use crate::secret::Secret;

/// An access key id, such as `LTAI5t...` or, for a temporary key, `STS.N...`.
///
/// It names a key and is no secret: Alibaba Cloud's own logs show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    /// Takes 1 to 128 of `A-Z a-z 0-9 . _ -`, which covers every form that Alibaba Cloud issues and nothing that has
    /// a meaning in an `Authorization` header.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (1..=128)
            .contains(&text.len())
            .then_some(text)
            .filter(|text| is_word(text))
            .map(|text| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of an access key id and, for a temporary key, of its security token.
///
/// An access key id is public, but a security token is not: only its holder makes tokens with the credential id of a
/// temporary key. Anyone can make tokens with the credential id of a permanent key. `Debug` shows nothing of either.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId([u8; 32]);

impl CredentialId {
    /// Returns the id of the permanent key `id`, or of the temporary key that `security_token` belongs to.
    #[must_use]
    pub fn from_key(id: &AccessKeyId, security_token: Option<&Secret>) -> Self {
        let mut hash = Sha256::new_with_prefix(id.as_str());
        if let Some(token) = security_token {
            // No access key id contains a zero byte.
            hash.update([0]);
            hash.update(token.expose());
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_id_covers_key_and_token_and_debug_hides_both() {
        let key = |text| AccessKeyId::parse(text).unwrap();
        let (one, other) = (Secret::new("CANARY"), Secret::new("other"));
        let ids = [
            CredentialId::from_key(&key("STS.N1"), None),
            CredentialId::from_key(&key("STS.N1CANARY"), None),
            CredentialId::from_key(&key("STS.N1"), Some(&one)),
            CredentialId::from_key(&key("STS.N1"), Some(&other)),
            CredentialId::from_key(&key("STS.N2"), Some(&one)),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(ids.iter().position(|other| other == id), Some(index));
        }
        assert_eq!(ids[2], CredentialId::from_key(&key("STS.N1"), Some(&one)));
        assert_eq!(format!("{:?}", ids[2]), "CredentialId(..)");
    }
}
