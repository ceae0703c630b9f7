//! What a server takes.

use crate::cluster_id::ClusterId;

/// What tokens must be to be looked at further.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The cluster that tokens must be signed for.
    pub cluster_id: ClusterId,
    /// Longer tokens are refused unread.
    pub max_token_bytes: usize,
}

impl Policy {
    /// 16 KiB. Go stopped at 4,096 bytes, which long security tokens pass.
    pub const DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;

    /// The default policy for `cluster_id`.
    #[must_use]
    pub fn new(cluster_id: ClusterId) -> Self {
        Self {
            cluster_id,
            max_token_bytes: Self::DEFAULT_MAX_TOKEN_BYTES,
        }
    }
}
