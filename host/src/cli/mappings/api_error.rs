//! Error messages for failed calls to the API server.

use kube::Error;

use crate::cli::failure::CommandFailure;
use crate::kubernetes::failure::error_chain;

/// Returns the failure of `what`, an action such as `read the ConfigMap kube-system/x`.
pub(super) fn to_failure(what: &str, error: &Error) -> CommandFailure {
    let why = match error {
        Error::Api(status) => match status.code {
            401 => {
                "the API server does not accept your credentials; check the kubeconfig".to_owned()
            }
            _ => format!("the API server returned an error: {}", status.message),
        },
        error => format!("cannot call the API server: {}", error_chain(error)),
    };
    CommandFailure::Failed(format!("cannot {what}: {why}"))
}

/// Returns the HTTP status of the API server's answer, if there was an answer.
pub(super) fn status_code(error: &Error) -> Option<u16> {
    match error {
        Error::Api(status) => Some(status.code),
        _ => None,
    }
}
