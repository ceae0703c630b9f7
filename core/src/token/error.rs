//! Why a token was refused before any call.

use crate::protocol::Quoted;
use crate::protocol::acs3::AuthorizationError;
use crate::protocol::json::JsonError;
use crate::time::UnixTime;

/// Why a token was refused. Every variant is the caller's fault, and none holds a secret part of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than the policy's limit.
    #[error("the token has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Length of the token.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The token starts with `k8s-ack-`, but its version is unknown.
    #[error("the token has no version that this server takes")]
    UnknownVersion,
    /// The token is of version 1, which the policy does not accept.
    #[error("the token is of version 1, which this server does not take")]
    V1NotAccepted,
    /// The payload of a token v1 is not a URL.
    #[error("the token does not hold a URL")]
    Url,
    /// The URL of a token v1 is not one of STS.
    #[error("the URL in the token is not `https://` to STS")]
    NotSts,
    /// The URL of a token v1 has a duplicate parameter.
    #[error("the token's `{name}` stands there twice")]
    DuplicateParameter {
        /// Its name.
        name: &'static str,
    },
    /// The payload is not standard base64 with padding.
    #[error("the token is not standard base64 with padding")]
    Base64,
    /// The payload is not strict JSON.
    #[error("the token is not what clients write: {0}")]
    Json(JsonError),
    /// An unknown member.
    #[error("the token's {object} has an unknown member {name}")]
    UnknownField {
        /// The object that has the member: `token`, `query` or `headers`.
        object: &'static str,
        /// Its name.
        name: Quoted,
    },
    /// A member is missing or of the wrong type.
    #[error("the token's `{name}` is missing or of the wrong type")]
    MissingField {
        /// Its name.
        name: &'static str,
    },
    /// A member with a fixed value has another one.
    #[error("the token's `{name}` is {found}, not `{expected}`")]
    UnexpectedValue {
        /// Its name.
        name: &'static str,
        /// The fixed value.
        expected: &'static str,
        /// The value in the token.
        found: Quoted,
    },
    /// The signed query has a key besides the cluster id, and a request with it would not be what this server sends.
    #[error("the token signs the query key {name}, which this server does not send")]
    ExtraQueryKey {
        /// The key.
        name: Quoted,
    },
    /// The signed cluster id is not this server's.
    #[error("the token was made for cluster {found}, not for this one")]
    WrongCluster {
        /// The cluster id in the token.
        found: Quoted,
    },
    /// The unsigned `clusterId` differs from the signed one.
    #[error("the token's `clusterId` is not the cluster id that it signs")]
    ClusterIdMismatch,
    /// The `Authorization` header does not follow its grammar.
    #[error("the token's `Authorization` header was not understood: {0}")]
    Authorization(AuthorizationError),
    /// The signature covers other headers than those that will be sent.
    #[error("the token's signature does not cover exactly `{expected}`")]
    SignedHeaders {
        /// The headers that it must cover.
        expected: &'static str,
    },
    /// A header's value has a character that may not go on the wire.
    #[error("the token's `{name}` has a character that may not be sent")]
    HeaderValue {
        /// The header.
        name: &'static str,
    },
    /// `x-acs-date` is not `YYYY-MM-DDTHH:MM:SSZ`.
    #[error("the token's `x-acs-date` is not of the form `YYYY-MM-DDTHH:MM:SSZ`")]
    Date,
    /// Signed too long ago.
    #[error("the token was signed at {date} and has expired; it is {now} here")]
    Expired {
        /// When it was signed.
        date: UnixTime,
        /// This server's time.
        now: UnixTime,
    },
    /// Signed too far in the future.
    #[error("the token is dated {date}, in the future; it is {now} here")]
    NotYetValid {
        /// When it claims to have been signed.
        date: UnixTime,
        /// This server's time.
        now: UnixTime,
    },
}

impl TokenError {
    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "token_too_large",
            Self::UnknownVersion => "token_version",
            Self::V1NotAccepted => "token_v1",
            Self::Url => "token_url",
            Self::NotSts => "token_not_sts",
            Self::DuplicateParameter { .. } => "token_repeated",
            Self::Base64 => "token_base64",
            Self::Json(_) => "token_json",
            Self::UnknownField { .. } => "token_unknown_field",
            Self::MissingField { .. } => "token_missing_field",
            Self::UnexpectedValue { .. } => "token_constant",
            Self::ExtraQueryKey { .. } => "token_extra_query_key",
            Self::WrongCluster { .. } => "token_other_cluster",
            Self::ClusterIdMismatch => "token_cluster_ids_differ",
            Self::Authorization(_) => "token_authorization",
            Self::SignedHeaders { .. } => "token_signed_headers",
            Self::HeaderValue { .. } => "token_header_value",
            Self::Date => "token_date",
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid { .. } => "token_not_yet_valid",
        }
    }

    /// Returns what the user who made the token can do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => {
                "use a credential with a shorter security token, or raise the server's token limit"
            }
            Self::UnknownVersion => {
                "update the client; this server takes tokens that start `k8s-ack-v2.`"
            }
            Self::V1NotAccepted => {
                "update the client to one that makes tokens v2, or set `server.acceptTokenV1`"
            }
            Self::ExtraQueryKey { .. } => {
                "unset `ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` where the client runs"
            }
            Self::WrongCluster { .. } | Self::ClusterIdMismatch => {
                "make the token for this cluster: check `--cluster-id` in the kubeconfig's exec plugin"
            }
            Self::Expired { .. } => {
                "make a new token; if it is new, set the clock of the machine that made it"
            }
            Self::NotYetValid { .. } => "set the clock of the machine that made the token",
            Self::Url
            | Self::NotSts
            | Self::DuplicateParameter { .. }
            | Self::Base64
            | Self::Json(_)
            | Self::UnknownField { .. }
            | Self::MissingField { .. }
            | Self::UnexpectedValue { .. }
            | Self::Authorization(_)
            | Self::SignedHeaders { .. }
            | Self::HeaderValue { .. }
            | Self::Date => "make a new token with `ack-ram-authenticator token` or ack-ram-tool",
        }
    }
}
