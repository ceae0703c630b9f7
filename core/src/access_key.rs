//! Access key IDs.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::protocol::grammar::is_word;
use crate::secret::Secret;

/// The ID of an access key, such as `LTAI5t...`, or `STS.N...` for a temporary key.
///
/// It is not a secret: logs of Alibaba Cloud show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    /// Parses 1 to 128 characters of `A-Z a-z 0-9 . _ -`. Returns `None` for any other text.
    ///
    /// All IDs that Alibaba Cloud issues have this format. None of the characters has a special meaning in an
    /// `Authorization` header.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (1..=128)
            .contains(&text.len())
            .then_some(text)
            .filter(|text| is_word(text))
            .map(|text| Self(text.into()))
    }

    /// Returns the ID as text.
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

/// The SHA-256 of an access key ID and, for a temporary key, of its security token.
///
/// An access key ID is public, so anyone can create tokens with the credential ID of a permanent key. A security token
/// is not public, so only its holder can create tokens with the credential ID of a temporary key. `Debug` does not show
/// the credential ID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId([u8; 32]);

impl CredentialId {
    /// Returns the credential ID of the key `id`, which is a temporary key if it has a `security_token`.
    #[must_use]
    pub fn from_key(id: &AccessKeyId, security_token: Option<&Secret>) -> Self {
        let mut hash = Sha256::new_with_prefix(id.as_str());
        if let Some(token) = security_token {
            // The zero byte separates the two: no access key ID contains one.
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
