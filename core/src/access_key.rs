//! Access key ids.

use std::fmt;

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
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=128)
            .contains(&text.len())
            .then_some(text)
            .filter(|text| text.bytes().all(allowed))
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
