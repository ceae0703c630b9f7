//! The policy for tokens: which tokens a server accepts.

use std::collections::BTreeSet;

use crate::cluster_id::ClusterId;

/// The requirements that a token must meet.
///
/// # Examples
///
/// ```
/// use ack_ram_core::cluster_id::ClusterId;
/// use ack_ram_core::policy::TokenPolicy;
///
/// let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
/// let policy = TokenPolicy {
///     accept_v1: true,
///     ..TokenPolicy::new(cluster)
/// };
/// assert_eq!(policy.max_token_bytes, TokenPolicy::DEFAULT_MAX_TOKEN_BYTES);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// The cluster that tokens must be signed for.
    pub cluster_id: ClusterId,
    /// The size limit in bytes. Longer tokens are refused before they are parsed.
    pub max_token_bytes: usize,
    /// Whether tokens of version 1 (presigned URLs of older clients) are accepted.
    pub accept_v1: bool,
    /// The query keys that a token v2 may sign besides the cluster ID. The request to STS contains them, too.
    pub extra_query_keys: BTreeSet<String>,
}

impl TokenPolicy {
    /// The default size limit: 16 KiB. The limit of the Go server, 4,096 bytes, is too low for long security tokens.
    pub const DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;

    /// Returns the default policy for `cluster_id`.
    #[must_use]
    pub fn new(cluster_id: ClusterId) -> Self {
        Self {
            cluster_id,
            max_token_bytes: Self::DEFAULT_MAX_TOKEN_BYTES,
            accept_v1: false,
            extra_query_keys: BTreeSet::new(),
        }
    }
}
