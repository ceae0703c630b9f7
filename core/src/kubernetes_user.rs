//! Kubernetes users, as the rules give them and the API server receives them.

use crate::identity::Identity;

/// A user as Kubernetes knows it (TokenReview, `status.user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesUser {
    /// `username`; never empty.
    pub username: String,
    /// `uid`.
    pub uid: String,
    /// `groups`.
    pub groups: Vec<String>,
    /// `extra`: keys and their one value each, in byte order.
    pub extra: Vec<(&'static str, String)>,
}

impl KubernetesUser {
    /// The keys that `extra` may have.
    pub const EXTRA_KEYS: [&'static str; 3] = ["arn", "canonicalArn", "sessionName"];

    /// Builds the user of a grant. For a scrubbed account, nothing in it identifies the RAM identity. A user alone grants
    /// nothing: only a `Decision` does.
    #[must_use]
    pub(crate) fn new(
        identity: &Identity,
        username: String,
        groups: Vec<String>,
        is_scrubbed: bool,
    ) -> Self {
        if is_scrubbed {
            return Self {
                uid: format!("ack-ram-authenticator:administrative:{username}"),
                username,
                groups,
                extra: Vec::new(),
            };
        }
        Self {
            username,
            uid: format!(
                "ack-ram-authenticator:{}:{}",
                identity.account_id(),
                identity.user_id
            ),
            groups,
            extra: {
                let [arn, canonical, session_name] = Self::EXTRA_KEYS;
                vec![
                    (arn, identity.arn.to_string()),
                    (canonical, identity.arn.canonical().to_string()),
                    (session_name, identity.session_name().to_owned()),
                ]
            },
        }
    }
}
