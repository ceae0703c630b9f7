//! The checks of a token, and their results.

use ack_ram_core::token::TokenError;
use serde::Serialize;

/// A check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Which check.
    pub name: CheckName,
    /// The result.
    pub status: CheckStatus,
    /// The stable name of what is wrong, as in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Why it failed or was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckStatus {
    /// The token passes.
    Passed,
    /// The server would refuse the token.
    Failed,
    /// The check was not made.
    NotChecked,
}

/// The checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// The prefix says that it is ours.
    Prefix,
    /// It is not too long.
    Size,
    /// Its version is taken.
    Version,
    /// It is base64.
    Encoding,
    /// It is what clients write, and nothing else.
    Contents,
    /// It is signed for this cluster.
    Cluster,
    /// It signs no query key that this server does not send.
    Query,
    /// Its signature is well formed and covers what will be sent.
    Signature,
    /// It is dated inside STS's window.
    Freshness,
    /// STS knows the key, and the signature is right.
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

    /// The name, as it is serialised.
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
