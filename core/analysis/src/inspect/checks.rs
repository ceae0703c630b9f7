//! The checks of a token, and their results.

use ack_ram_core::token::TokenError;
use serde::Serialize;

/// A check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The check.
    pub name: CheckName,
    /// The result.
    pub status: CheckStatus,
    /// The code of the failure, as in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The reason that the check failed or was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Advice on how to fix the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckStatus {
    /// The token passes the check.
    Passed,
    /// The server would refuse the token.
    Failed,
    /// The check was not made.
    NotChecked,
}

/// The checks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The prefix is the prefix of this authenticator.
    Prefix,
    /// The token is not too long.
    Size,
    /// The version is accepted.
    Version,
    /// The payload is valid Base64.
    Encoding,
    /// The contents are exactly what clients write.
    Contents,
    /// The token is signed for this cluster.
    Cluster,
    /// The token signs no query key that this server does not send.
    Query,
    /// The signature is well formed and covers the request that the server would send.
    Signature,
    /// The date is inside the time window of STS.
    Freshness,
    /// STS knows the key, and the signature is correct.
    Sts,
}

impl CheckName {
    pub(super) const ALL: [Self; 10] = [
        Self::Prefix,
        Self::Size,
        Self::Version,
        Self::Encoding,
        Self::Contents,
        Self::Cluster,
        Self::Query,
        Self::Signature,
        Self::Freshness,
        Self::Sts,
    ];

    /// Returns the serialized name of the check.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Size => "size",
            Self::Version => "version",
            Self::Encoding => "encoding",
            Self::Contents => "contents",
            Self::Cluster => "cluster",
            Self::Query => "query",
            Self::Signature => "signature",
            Self::Freshness => "freshness",
            Self::Sts => "sts",
        }
    }

    /// Returns the check that failed with `error`.
    pub(super) fn failed_by(error: &TokenError) -> Self {
        match error {
            TokenError::TooLarge { .. } => Self::Size,
            TokenError::UnknownVersion | TokenError::V1NotAccepted => Self::Version,
            TokenError::Base64 => Self::Encoding,
            TokenError::Url
            | TokenError::NotSts
            | TokenError::DuplicateParameter { .. }
            | TokenError::Json(_)
            | TokenError::UnknownField { .. }
            | TokenError::MissingField { .. }
            | TokenError::UnexpectedValue { .. }
            | TokenError::HeaderValue { .. }
            | TokenError::Date => Self::Contents,
            TokenError::WrongCluster { .. } | TokenError::ClusterIdMismatch => Self::Cluster,
            TokenError::ExtraQueryKey { .. } => Self::Query,
            TokenError::Authorization(_) | TokenError::SignedHeaders { .. } => Self::Signature,
            TokenError::Expired { .. } | TokenError::NotYetValid { .. } => Self::Freshness,
        }
    }
}
