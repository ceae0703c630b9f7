//! The digest of a content.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The digest of a document's content, for the log and for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// SHA-256 of `parts`, each with its length.
    pub(crate) fn from_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// SHA-256 of one content, as `sha256sum` gives it.
    pub(crate) fn from_content(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// Enough of it to compare by eye.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(6)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
