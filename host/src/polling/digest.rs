//! Digests of documents.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The digest of the content of a document, for the log and for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Returns the SHA-256 digest of `parts`, each preceded by its length.
    pub(crate) fn from_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// Returns the SHA-256 digest of `content`, as `sha256sum` prints it.
    pub(crate) fn from_content(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// Formats the start of the digest, which is enough for a comparison by eye.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(6)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
