//! The outcome of writing a status.

use std::time::Duration;

use crate::kubernetes::failure::{error_chain, retry_after};

/// The pause before a retry if the permission to write is missing.
const RETRY_REFUSED: Duration = Duration::from_secs(10);
/// The message of kube-apiserver, with HTTP 500, about a field that is missing in the definition
/// (structured-merge-diff, `typed`).
const UNKNOWN_FIELD: &str = "field not declared in schema";

/// The outcome of a write.
pub(super) enum WriteOutcome {
    Written,
    /// The object was deleted, or the API server rejects the status.
    Dropped,
    /// The object changed during the write; check it again.
    Changed,
    /// The API server accepts no writes now.
    Failed {
        /// The HTTP status; 0 if there was no answer.
        code: u16,
        error: String,
        pause: Option<Duration>,
    },
}

impl WriteOutcome {
    /// Classifies `error`, with which writing the status of the object `name` failed.
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
                tracing::warn!(
                    object = name,
                    "the API server rejects the status: {message}"
                );
                Self::Dropped
            }
            code @ (401 | 403) => Self::Failed {
                code,
                error: format!(
                    "{message}; bind the ClusterRole `ack-ram-authenticator` in deploy/example.yaml to this server"
                ),
                pause: Some(RETRY_REFUSED),
            },
            code if message.contains(UNKNOWN_FIELD) => Self::Failed {
                code,
                error: format!(
                    "the CustomResourceDefinition is older than this server; apply deploy/ramidentitymapping.yaml, or start the server with --install-crd ({message})"
                ),
                pause: Some(RETRY_REFUSED),
            },
            code => Self::Failed {
                code,
                error: format!("HTTP {code} from the API server: {message}"),
                pause: retry_after(error),
            },
        }
    }
}
