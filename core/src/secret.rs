//! Secrets, which code can use but not print.

use std::fmt;

use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::fingerprint::Fingerprint;

/// A string that must not appear in logs, errors or pages.
///
/// `Debug` shows the fingerprint of the text, and there is no `Display`. The text is cleared from memory on drop.
///
/// # Examples
///
/// ```
/// use ack_ram_core::secret::Secret;
///
/// let secret = Secret::new("FakeSecret");
/// let printed = format!("{secret:?}");
/// assert!(printed.starts_with("Secret("));
/// assert!(!printed.contains("FakeSecret"));
/// assert_eq!(secret.expose(), "FakeSecret");
/// ```
///
/// A secret has no `Display`, so this does not compile:
///
/// ```compile_fail,E0277
/// # use ack_ram_core::secret::Secret;
/// let message = format!("{}", Secret::new("FakeSecret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps `text` as a secret.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text. Call this method only to put the bytes on the wire or into a signature.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", Fingerprint::from_text(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_debug_shows_only_fingerprint() {
        let secret = Secret::new("CANARY");
        assert_eq!(
            format!("{secret:?}"),
            format!("Secret({})", Fingerprint::from_text("CANARY"))
        );
        assert!(!format!("{:?}", Some(secret)).contains("CANARY"));
    }
}
