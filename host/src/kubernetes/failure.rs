//! Failures of requests to the API server, classified by the remedy.

use std::fmt;
use std::time::{Duration, Instant};

use kube::CustomResourceExt as _;
use kube::runtime::watcher::Error;

use crate::kubernetes::crd::mapping::RamIdentityMapping;

/// The reason why objects cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ApiFailure {
    /// The API server does not know the kind.
    NoDefinition,
    /// This server does not have the permission to read objects.
    Forbidden {
        /// The verb that is not permitted.
        verb: &'static str,
    },
    /// The API server rejects the credentials of this server.
    Unauthorized,
    /// The API server cannot be reached, or sends an unexpected answer.
    Unreachable(String),
}

impl ApiFailure {
    /// Classifies `error`. Returns `None` for the end of a watch that worked: the watch is resumed, and only a failure
    /// to resume it counts.
    pub(super) fn from_watch_error(error: &Error) -> Option<Self> {
        let (verb, error) = match error {
            Error::InitialListFailed(error) => ("list", error),
            Error::WatchStartFailed(error) => ("watch", error),
            Error::WatchError(status) if status.code == 403 => {
                return Some(Self::Forbidden { verb: "watch" });
            }
            Error::WatchError(_) | Error::WatchFailed(_) => return None,
            Error::NoResourceVersion => return Some(Self::Unreachable(error.to_string())),
        };
        Some(match error {
            kube::Error::Api(status) => match status.code {
                404 => Self::NoDefinition,
                403 => Self::Forbidden { verb },
                401 => Self::Unauthorized,
                // The next attempt lists all objects again.
                410 => return None,
                code => Self::Unreachable(format!("HTTP {code}: {}", status.message)),
            },
            error => Self::Unreachable(error_chain(error)),
        })
    }
}

/// Returns the pause before the next list or watch that the API server requests.
pub(super) fn requested_pause(error: &Error) -> Option<Duration> {
    match error {
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) => retry_after(error),
        Error::WatchError(_) | Error::WatchFailed(_) | Error::NoResourceVersion => None,
    }
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = RamIdentityMapping::crd_name();
        match self {
            Self::NoDefinition => write!(
                f,
                "the CustomResourceDefinition {kind} is not installed; apply deploy/ramidentitymapping.yaml, or start the server with --install-crd"
            ),
            Self::Forbidden { verb } => write!(
                f,
                "no permission to {verb} {kind}; bind the ClusterRole `ack-ram-authenticator` in deploy/example.yaml to this server"
            ),
            Self::Unauthorized => f.write_str(
                "the API server rejects the credentials of this server; check the service account token or the kubeconfig",
            ),
            Self::Unreachable(why) => {
                write!(f, "cannot read {kind} from the API server: {why}")
            }
        }
    }
}

/// Returns the text of an error with its causes. The outermost error alone says little about a connection.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// The maximum pause that the API server can request.
const MAX_REQUESTED_PAUSE: Duration = Duration::from_secs(60);

/// Returns the pause that the API server requests with `error`.
pub(super) fn retry_after(error: &kube::Error) -> Option<Duration> {
    match error {
        kube::Error::Api(status) => {
            let seconds = status.details.as_ref()?.retry_after_seconds;
            Some(Duration::from_secs(seconds.into()).min(MAX_REQUESTED_PAUSE))
        }
        _ => None,
    }
}

/// Detects a missing CustomResourceDefinition. An API server that is starting may answer 404 for a moment.
#[derive(Debug, Default)]
pub(super) struct MissingCrd {
    since: Option<Instant>,
    times: u32,
}

impl MissingCrd {
    const MIN_FAILURES: u32 = 3;
    const MIN_DURATION: Duration = Duration::from_secs(5);

    /// Records `failure`. Returns whether it is certain that there is no definition, and therefore no object.
    pub(super) fn is_certain(&mut self, failure: &ApiFailure, at: Instant) -> bool {
        if *failure != ApiFailure::NoDefinition {
            *self = Self::default();
            return false;
        }
        self.times = self.times.saturating_add(1);
        let since = *self.since.get_or_insert(at);
        self.times >= Self::MIN_FAILURES
            && at.saturating_duration_since(since) >= Self::MIN_DURATION
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn crd_is_missing_after_repeated_failures_over_time() {
        let missing = ApiFailure::NoDefinition;
        let down = ApiFailure::Unreachable("connection refused".to_owned());
        let start = Instant::now();
        for (case, failures, certain) in [
            ("once", vec![(0, &missing)], false),
            (
                "often",
                vec![(0, &missing), (1, &missing), (2, &missing)],
                false,
            ),
            ("long", vec![(0, &missing), (60, &missing)], false),
            (
                "both",
                vec![(0, &missing), (1, &missing), (5, &missing)],
                true,
            ),
            (
                "with another failure in between",
                vec![
                    (0, &missing),
                    (1, &missing),
                    (4, &down),
                    (5, &missing),
                    (6, &missing),
                ],
                false,
            ),
        ] {
            let mut missing_crd = MissingCrd::default();
            let mut last = false;
            for (second, failure) in failures {
                last = missing_crd.is_certain(failure, start + Duration::from_secs(second));
            }
            assert_eq!(last, certain, "{case}");
        }
    }

    #[test]
    fn watch_errors_are_classified_by_remedy() {
        let api = |code| kube::Error::Api(Status::failure("no", "Reason").with_code(code).boxed());
        let forbidden = |verb| Some(ApiFailure::Forbidden { verb });
        for (error, failure) in [
            (
                Error::InitialListFailed(api(404)),
                Some(ApiFailure::NoDefinition),
            ),
            (
                Error::WatchStartFailed(api(404)),
                Some(ApiFailure::NoDefinition),
            ),
            (Error::InitialListFailed(api(403)), forbidden("list")),
            (Error::WatchStartFailed(api(403)), forbidden("watch")),
            (
                Error::WatchStartFailed(api(401)),
                Some(ApiFailure::Unauthorized),
            ),
            (
                Error::InitialListFailed(api(500)),
                Some(ApiFailure::Unreachable("HTTP 500: no".to_owned())),
            ),
            (Error::WatchStartFailed(api(410)), None),
            (
                Error::WatchError(Status::failure("old", "Expired").with_code(410).boxed()),
                None,
            ),
            (Error::WatchFailed(api(500)), None),
        ] {
            assert_eq!(ApiFailure::from_watch_error(&error), failure, "{error:?}");
        }
    }
}
