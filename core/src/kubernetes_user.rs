//! Kubernetes users, which the rules produce and the API server receives.

use crate::identity::Identity;

/// A user as Kubernetes knows it (TokenReview, `status.user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesUser {
    /// The `username`; never empty.
    pub username: String,
    /// The `uid`.
    pub uid: String,
    /// The `groups`.
    pub groups: Vec<String>,
    /// The keys of `extra`, in byte order, each with one value.
    pub extra: Vec<(&'static str, String)>,
}

impl KubernetesUser {
    /// The keys that `extra` can have, in byte order.
    pub const EXTRA_KEYS: [&'static str; 3] = ["arn", "canonicalArn", "sessionName"];

    /// Builds the user for `identity`. For a scrubbed account, no field identifies the RAM identity.
    ///
    /// A user alone grants no access; only a `Decision` does.
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
