//! What the API server did not do, for people.

use kube::Error;

use crate::cli::failure::CommandFailure;
use crate::kubernetes::failure::error_chain;

/// `what` was to be done, such as `read the ConfigMap kube-system/x`.
pub(super) fn to_failure(what: &str, error: &Error) -> CommandFailure {
    let why = match error {
        Error::Api(status) => match status.code {
            401 => {
                "the API server does not accept your credentials; look at the kubeconfig".to_owned()
            }
            _ => format!("the API server says: {}", status.message),
        },
        error => format!("the API server cannot be asked: {}", error_chain(error)),
    };
    CommandFailure::Failed(format!("cannot {what}: {why}"))
}

/// The status that the API server answered with, if it did.
pub(super) fn status_code(error: &Error) -> Option<u16> {
    match error {
        Error::Api(status) => Some(status.code),
        _ => None,
    }
}
