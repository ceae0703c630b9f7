//! Secrets: values that can be used but not printed.

use std::fmt;

use crate::fingerprint::Fingerprint;

/// A string that reaches no log, error or page: its `Debug` is the fingerprint of the text, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes `text` as a secret.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it where the bytes go on the wire or into a signature, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", Fingerprint::of(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_fingerprint_only() {
        let secret = Secret::new("CANARY");
        assert_eq!(
            format!("{secret:?}"),
            format!("Secret({})", Fingerprint::of("CANARY"))
        );
        assert!(!format!("{:?}", Some(secret)).contains("CANARY"));
    }
}
