//! The errors of STS, by who is to blame.

use std::fmt;

use serde::Serialize;

use crate::time::UnixTime;

/// Why a call to STS gave no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// STS refused the call: the caller is denied.
    #[error("{0}")]
    Refused(StsRefusal),
    /// STS gave no answer about the caller, who is neither granted nor denied. A retry may succeed.
    #[error("{0}")]
    Unavailable(StsUnavailable),
}

/// A refusal by STS: its error code and the request id. STS's message is left out, because for a wrong signature it
/// repeats the signed text with the security token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StsRefusal {
    /// For example `SignatureDoesNotMatch`.
    pub code: Box<str>,
    /// STS's `RequestId`, empty when it gave none.
    pub request_id: Box<str>,
    /// The HTTP status.
    pub status: u16,
}

/// Why STS gave no answer about the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StsUnavailable {
    /// No connection, or a connection that was interrupted.
    #[error("STS could not be reached")]
    Unreachable,
    /// The deadline passed.
    #[error("STS did not answer in time")]
    TimedOut,
    /// `Throttling.*`.
    #[error("STS throttles with `{code}` (STS request id {request_id})")]
    Throttled {
        /// STS's code.
        code: Box<str>,
        /// STS's `RequestId`.
        request_id: Box<str>,
    },
    /// A server error of STS, such as 500 or 503.
    #[error("STS is failing with HTTP status {status}")]
    Failing {
        /// The HTTP status.
        status: u16,
    },
    /// STS's reply is malformed.
    #[serde(rename = "odd")]
    #[error("STS's answer was not understood: {detail}")]
    Malformed {
        /// The malformed part.
        #[serde(rename = "what")]
        detail: MalformedReply,
    },
    /// The token expired while the call to STS was in flight.
    #[serde(rename = "too_late")]
    #[error("STS answered after the token had expired at {expired}")]
    ExpiredInFlight {
        /// When the token expired.
        expired: UnixTime,
    },
}

/// What is malformed in a reply that should be an identity or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum MalformedReply {
    /// The body is not a strict JSON object.
    #[error("it is not JSON")]
    NotJson,
    /// An unexpected status, such as a redirect.
    #[error("STS does not use its HTTP status")]
    Status,
    /// An error without a code.
    #[error("it is an error without a code")]
    NoCode,
    /// A required field is missing.
    #[error("it has no `{0}`")]
    MissingField(&'static str),
    /// A field is not a string.
    #[error("its `{0}` is not text")]
    NotText(&'static str),
    /// `IdentityType` is unknown.
    #[error("its `IdentityType` is unknown")]
    IdentityType,
    /// `Arn` is not a valid ARN.
    #[error("its `Arn` cannot be read")]
    Arn,
    /// `Arn` does not match `IdentityType`.
    #[error("its `Arn` is not of the kind that `IdentityType` says")]
    ArnKind,
    /// The account in `Arn` differs from `AccountId`.
    #[error("the account in its `Arn` is not its `AccountId`")]
    Account,
    /// `PrincipalId` does not match the other fields.
    #[error("its `PrincipalId` does not fit its other fields")]
    PrincipalId,
}

impl StsRefusal {
    /// Returns what the user who made the token can do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &*self.code {
            "InvalidTimeStamp.Expired" => {
                "make a new token; if it is new, set the clock of the machine that made it"
            }
            "SignatureDoesNotMatch" => {
                "check that the access key secret belongs to the access key id"
            }
            "SignatureNonceUsed" => "make a new token: one of this kind is good for one login",
            "MissingSecurityToken" => {
                "set the security token that came with the temporary access key"
            }
            "InvalidAccessKeyId.Inactive" => {
                "the access key is disabled: use another, or enable it in the RAM console"
            }
            "InvalidAccessKeyId.NotFound" => {
                "the access key does not exist, or was deleted: use another"
            }
            "InvalidSecurityToken.Expired" => "the temporary access key has expired: get a new one",
            code if code.starts_with("InvalidSecurityToken.") => {
                "use the security token that came with the temporary access key"
            }
            code if code.starts_with("InvalidAccessKeyId.") => "check the access key id",
            _ => "look the code up in the STS API reference",
        }
    }
}

impl fmt::Display for StsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "STS refused the token with `{}`", self.code)?;
        if self.request_id.is_empty() {
            return Ok(());
        }
        write!(f, " (STS request id {})", self.request_id)
    }
}

impl StsUnavailable {
    /// Returns what the user who logs in can do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        self.advice_and_wait().0
    }

    /// Returns the delay before the next retry, in seconds, which [`Self::advice`] describes.
    #[must_use]
    pub fn retry_after_seconds(&self) -> u32 {
        self.advice_and_wait().1
    }

    /// Returns the advice and the delay in seconds, which must agree.
    fn advice_and_wait(&self) -> (&'static str, u32) {
        match self {
            Self::Unreachable | Self::TimedOut | Self::Malformed { .. } => (
                "try again, and if it goes on, ask an administrator of the cluster",
                1,
            ),
            Self::Throttled { .. } => ("try again in a minute, and log in less often", 60),
            Self::Failing { .. } => ("try again in a moment", 1),
            Self::ExpiredInFlight { .. } => ("make a new token", 1),
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
