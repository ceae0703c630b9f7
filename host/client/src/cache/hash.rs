//! A hash of parts.

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use sha2::{Digest as _, Sha256};

/// A hash of parts. Each part has its length before it, so that no two lists of parts have the same bytes.
pub(super) struct PartHash(Sha256);

impl PartHash {
    /// Starts a hash. `purpose` separates the hashes of different purposes.
    pub(super) fn new(purpose: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.text(purpose);
        hash
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    pub(super) fn optional(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "some" } else { "none" });
        self.text(text.unwrap_or_default());
    }

    pub(super) fn key(&mut self, key: &AccessKey) {
        self.text(key.id.as_str());
        self.text(key.secret.expose());
        self.optional(key.security_token.as_ref().map(Secret::expose));
    }

    /// Returns the hash as 64 hexadecimal digits.
    pub(super) fn finish(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
