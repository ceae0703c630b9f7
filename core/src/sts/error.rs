//! The errors of calls to STS: refusals of the caller, and failures to get an answer.

use std::fmt;

use serde::Serialize;

use crate::time::UnixTime;

/// The reason why a call to STS returned no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// STS refused the call, so the caller is denied.
    #[error("{0}")]
    Refused(StsRefusal),
    /// STS gave no answer about the caller. The caller is neither granted nor denied access, and a retry may succeed.
    #[error("{0}")]
    Unavailable(StsUnavailable),
}

/// A refusal by STS.
///
/// It does not contain the message of STS: for a wrong signature, that message repeats the signed text with the
/// security token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StsRefusal {
    /// The error code, for example `SignatureDoesNotMatch`.
    pub code: Box<str>,
    /// The `RequestId`; empty if STS returned none.
    pub request_id: Box<str>,
    /// The HTTP status.
    pub status: u16,
}

/// The reason why STS gave no answer about the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StsUnavailable {
    /// The connection failed or was interrupted.
    #[error("STS could not be reached")]
    Unreachable,
    /// The call timed out.
    #[error("STS did not answer in time")]
    TimedOut,
    /// STS throttled the call with `Throttling` or `Throttling.*`.
    #[error("STS throttled the request with {}", code_with_id(code, request_id))]
    Throttled {
        /// The error code.
        code: Box<str>,
        /// The `RequestId`; empty if STS returned none.
        request_id: Box<str>,
    },
    /// STS returned a server error, such as 500 or 503.
    #[error("STS returned HTTP status {status}")]
    Failing {
        /// The HTTP status.
        status: u16,
    },
    /// The reply of STS is malformed.
    #[serde(rename = "odd")]
    #[error("STS returned a malformed reply: {detail}")]
    Malformed {
        /// The malformed part.
        #[serde(rename = "what")]
        detail: MalformedReply,
    },
    /// The token expired while the call to STS was in flight.
    #[serde(rename = "too_late")]
    #[error("STS answered after the token had expired at {expired}")]
    ExpiredInFlight {
        /// The time at which the token expired.
        expired: UnixTime,
    },
}

/// The malformed part of a reply, which must be an identity or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum MalformedReply {
    /// The body is not a strict JSON object, or is too large.
    #[error("the body is not a JSON object, or is too large")]
    NotJson,
    /// The HTTP status is unexpected, such as a redirect.
    #[error("unexpected HTTP status")]
    Status,
    /// The error has no usable code.
    #[error("the error has no valid `Code`")]
    NoCode,
    /// A required field is missing.
    #[error("`{0}` is missing")]
    MissingField(&'static str),
    /// A field is not a string.
    #[error("`{0}` is not text")]
    NotText(&'static str),
    /// `IdentityType` is unknown.
    #[error("unknown `IdentityType`")]
    IdentityType,
    /// `Arn` is not a valid ARN.
    #[error("`Arn` is not a valid ARN")]
    Arn,
    /// `Arn` does not match `IdentityType`.
    #[error("`Arn` does not match `IdentityType`")]
    ArnKind,
    /// The account in `Arn` differs from `AccountId`.
    #[error("the account in `Arn` differs from `AccountId`")]
    Account,
    /// `PrincipalId` does not match the other fields.
    #[error("`PrincipalId` does not match the other fields")]
    PrincipalId,
}

/// Returns an error code in backticks, with the request ID if there is one.
fn code_with_id(code: &str, request_id: &str) -> String {
    match request_id {
        "" => format!("`{code}`"),
        id => format!("`{code}` (STS request ID {id})"),
    }
}

impl StsRefusal {
    /// Returns the error code in backticks, with the request ID if there is one.
    #[must_use]
    pub fn code_with_request_id(&self) -> String {
        code_with_id(&self.code, &self.request_id)
    }

    /// Returns what the user can do about the refusal.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &*self.code {
            "InvalidTimeStamp.Expired" => {
                "create a new token; if the token is new, correct the clock of the machine that signed it"
            }
            "SignatureDoesNotMatch" => {
                "check that the access key secret belongs to the access key ID"
            }
            "SignatureNonceUsed" => {
                "create a new token: a token of version 1 is valid for one login only"
            }
            "MissingSecurityToken" => {
                "set the security token that came with the temporary access key"
            }
            "InvalidAccessKeyId.Inactive" => {
                "the access key is disabled: use another key, or enable this key in the RAM console"
            }
            "InvalidAccessKeyId.NotFound" => {
                "the access key does not exist or was deleted: use another key"
            }
            "InvalidSecurityToken.Expired" => "the temporary access key has expired: get a new one",
            code if code.starts_with("InvalidSecurityToken.") => {
                "use the security token that came with the temporary access key"
            }
            code if code.starts_with("InvalidAccessKeyId.") => "check the access key ID",
            _ => "look up the code in the STS API reference",
        }
    }
}

impl fmt::Display for StsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "STS refused the token with {}",
            self.code_with_request_id()
        )
    }
}

impl StsUnavailable {
    /// Returns what the user can do about the failure.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        self.advice_and_wait().0
    }

    /// Returns the delay before a retry, in seconds. It agrees with the text of [`Self::advice`].
    #[must_use]
    pub fn retry_after_seconds(&self) -> u32 {
        self.advice_and_wait().1
    }

    /// Returns the advice and the delay in seconds. Keep the two in one place, because they must agree.
    fn advice_and_wait(&self) -> (&'static str, u32) {
        match self {
            Self::Unreachable | Self::TimedOut | Self::Malformed { .. } => (
                "try again; if the problem persists, ask an administrator of the cluster",
                1,
            ),
            Self::Throttled { .. } => ("try again in a minute, and log in less often", 60),
            Self::Failing { .. } => ("try again in a moment", 1),
            Self::ExpiredInFlight { .. } => ("create a new token", 1),
        }
    }

    /// Returns the stable result code, for logs, metrics and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "sts_unreachable",
            Self::TimedOut => "sts_timed_out",
            Self::Throttled { .. } => "sts_throttled",
            Self::Failing { .. } => "sts_failing",
            Self::Malformed { .. } => "sts_odd_answer",
            Self::ExpiredInFlight { .. } => "sts_too_late",
        }
    }
}
