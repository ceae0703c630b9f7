//! Cluster IDs.

use std::fmt;

/// The ID of the cluster that a token is signed for.
///
/// In ACK, it is `c` and 32 hex digits. Administrators of other clusters choose the ID.
///
/// # Examples
///
/// ```
/// use ack_ram_core::cluster_id::ClusterId;
///
/// let cluster = ClusterId::parse("c0123456789abcdef0123456789abcdef");
/// assert!(cluster.is_some());
/// assert_eq!(ClusterId::parse("two words"), None);
/// assert_eq!(ClusterId::parse(""), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct ClusterId(Box<str>);

impl ClusterId {
    /// Parses 1 to 253 visible ASCII characters without spaces. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ((1..=253).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self(text.into()))
    }

    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
