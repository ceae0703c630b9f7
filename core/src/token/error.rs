//! The errors of tokens that are refused before STS is called.

use crate::protocol::Quoted;
use crate::protocol::acs3::AuthorizationError;
use crate::protocol::json::JsonError;
use crate::time::UnixTime;

/// The reason why a token is refused. The cause is always on the caller's side. No variant contains a secret part
/// of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than the policy allows.
    #[error("the token has {bytes} bytes, but the limit is {limit} bytes")]
    TooLarge {
        /// The length of the token in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The token starts with `k8s-ack-`, but its version is unknown.
    #[error("the version of the token is unknown")]
    UnknownVersion,
    /// The token is of version 1, which the policy does not accept.
    #[error("this server does not accept tokens of version 1")]
    V1NotAccepted,
    /// The payload of a token v1 is not a URL.
    #[error("the token does not contain a URL")]
    Url,
    /// The URL of a token v1 is not an STS URL.
    #[error("the URL in the token is not an `https://` URL of STS")]
    NotSts,
    /// The URL of a token v1 has a duplicate parameter.
    #[error("duplicate parameter `{name}` in the token")]
    DuplicateParameter {
        /// The name of the parameter.
        name: &'static str,
    },
    /// The payload is not standard base64 with padding.
    #[error("the token is not standard base64 with padding")]
    Base64,
    /// The payload is not strict JSON.
    #[error("malformed token: {0}")]
    Json(JsonError),
    /// The token has an unknown field.
    #[error("malformed token: unknown field {name} in the {object}")]
    UnknownField {
        /// The object that contains the field: `token`, `query` or `headers`.
        object: &'static str,
        /// The name of the field.
        name: Quoted,
    },
    /// A field is missing or has the wrong type.
    #[error("malformed token: `{name}` is missing or has the wrong type")]
    MissingField {
        /// The name of the field.
        name: &'static str,
    },
    /// A field that must have a fixed value has another value.
    #[error("malformed token: expected `{expected}` as `{name}`, found {found}")]
    UnexpectedValue {
        /// The name of the field.
        name: &'static str,
        /// The fixed value.
        expected: &'static str,
        /// The value in the token.
        found: Quoted,
    },
    /// The signed query has a key besides the cluster ID, and the policy does not allow the key.
    #[error("the token signs the query key {name}, which this server does not allow")]
    ExtraQueryKey {
        /// The key.
        name: Quoted,
    },
    /// The signed cluster ID is not the cluster ID of this server.
    #[error("the token is for cluster {found}, not for this cluster")]
    WrongCluster {
        /// The cluster ID in the token.
        found: Quoted,
    },
    /// The unsigned `clusterId` differs from the signed cluster ID.
    #[error("`clusterId` in the token differs from the cluster ID that the token signs")]
    ClusterIdMismatch,
    /// The `Authorization` header is malformed.
    #[error("malformed `Authorization` header in the token: {0}")]
    Authorization(AuthorizationError),
    /// The signature covers headers other than the headers that this server sends.
    #[error("the signature of the token must cover exactly the headers `{expected}`")]
    SignedHeaders {
        /// The headers that the signature must cover.
        expected: &'static str,
    },
    /// The value of a header or parameter contains a character that this server does not send.
    #[error("malformed token: `{name}` contains a character that is not allowed")]
    HeaderValue {
        /// The name of the header or parameter.
        name: &'static str,
    },
    /// The date does not have the format `YYYY-MM-DDTHH:MM:SSZ`.
    #[error("malformed token: the signing date does not have the format `YYYY-MM-DDTHH:MM:SSZ`")]
    Date,
    /// The token was signed too long ago.
    #[error("the token was signed at {date} and has expired; the server's time is {now}")]
    Expired {
        /// The time at which the token was signed.
        date: UnixTime,
        /// The time of this server.
        now: UnixTime,
    },
    /// The date of the token is too far in the future.
    #[error("the date of the token, {date}, is in the future; the server's time is {now}")]
    NotYetValid {
        /// The time at which the token claims to be signed.
        date: UnixTime,
        /// The time of this server.
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

    /// Returns what the user can do about the error.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => {
                "use a credential with a shorter security token, or raise the server's token limit"
            }
            Self::UnknownVersion => {
                "update the client: this server accepts tokens that start with `k8s-ack-v2.`"
            }
            Self::V1NotAccepted => {
                "update the client so that it creates tokens of version 2, or set `server.acceptTokenV1`"
            }
            Self::ExtraQueryKey { .. } => {
                "unset `ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` in the environment of the client"
            }
            Self::WrongCluster { .. } | Self::ClusterIdMismatch => {
                "create a token for this cluster: check `--cluster-id` of the exec plugin in the kubeconfig"
            }
            Self::Expired { .. } => {
                "create a new token; if the token is new, correct the clock of the machine that signed it"
            }
            Self::NotYetValid { .. } => "correct the clock of the machine that signed the token",
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
            | Self::Date => {
                "create a new token with `ack-ram-authenticator token` or `ack-ram-tool`"
            }
        }
    }
}
