//! The outcome of a write of a status.

use std::time::Duration;

use crate::kubernetes::failure::{error_chain, retry_after};

/// How soon to go on when the right to write is missing.
const RETRY_REFUSED: Duration = Duration::from_secs(10);
/// What kube-apiserver says, with 500, of a field that the definition lacks (structured-merge-diff, `typed`).
const UNKNOWN_FIELD: &str = "field not declared in schema";

/// The outcome of a write.
pub(super) enum WriteOutcome {
    Written,
    /// The object is gone, or its status cannot be written as it is.
    Dropped,
    /// The object has changed meanwhile; check it again.
    Changed,
    /// The API server accepts no writes now.
    Failed {
        /// The HTTP status; 0 when there was no answer.
        code: u16,
        error: String,
        pause: Option<Duration>,
    },
}

impl WriteOutcome {
    /// Returns the outcome of a write of the status of the object `name` that failed with `error`.
    pub(super) fn from_error(name: &str, error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Failed {
                code: 0,
                error: error_chain(error),
                pause: None,
            };
        };
        let message = &status.message;
        match status.code {
            404 => Self::Dropped,
            409 => Self::Changed,
            400 | 413 | 422 => {
                tracing::warn!(object = name, "its status is not written: {message}");
                Self::Dropped
            }
            code @ (401 | 403) => Self::Failed {
                code,
                error: format!(
                    "{message}; bind the ClusterRole `ack-ram-authenticator` of deploy/ to this program"
                ),
                pause: Some(RETRY_REFUSED),
            },
            code if message.contains(UNKNOWN_FIELD) => Self::Failed {
                code,
                error: format!(
                    "the CustomResourceDefinition is older than this program: apply deploy/ramidentitymapping.yaml, or start with --install-crd ({message})"
                ),
                pause: Some(RETRY_REFUSED),
            },
            code => Self::Failed {
                code,
                error: format!("the API server answered {code}: {message}"),
                pause: retry_after(error),
            },
        }
    }
}
