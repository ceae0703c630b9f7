//! Why a token was refused before any call.

use std::fmt;

use crate::json::JsonError;
use crate::sign::acs3::AuthorizationError;
use crate::time::UnixTime;

/// A name or value from a token that a message may quote: at most 64 visible ASCII characters, else only the length.
///
/// It holds no secret: only member names, cluster ids and methods are quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(Result<Box<str>, usize>);

impl Quoted {
    pub(crate) fn new(text: &str) -> Self {
        let quotable = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'`');
        Self(if quotable {
            Ok(text.into())
        } else {
            Err(text.len())
        })
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(text) => write!(f, "`{text}`"),
            Err(length) => write!(f, "({length} bytes that cannot be shown)"),
        }
    }
}

/// Why a token was refused. Every variant is the caller's fault, and none holds a secret part of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Longer than the policy's limit.
    TooLarge {
        /// Length of the token.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The token starts with `k8s-ack-`, but its version is unknown.
    UnknownVersion,
    /// The token is of version 1, which the policy does not accept.
    V1NotAccepted,
    /// The payload of a token v1 is not a URL.
    Url,
    /// The URL of a token v1 is not one of STS.
    NotSts,
    /// The URL of a token v1 has a duplicate parameter.
    DuplicateParameter {
        /// Its name.
        name: &'static str,
    },
    /// The payload is not standard base64 with padding.
    Base64,
    /// The payload is not strict JSON.
    Json(JsonError),
    /// An unknown member.
    UnknownField {
        /// The object that has the member: `token`, `query` or `headers`.
        object: &'static str,
        /// Its name.
        name: Quoted,
    },
    /// A member is missing or of the wrong type.
    MissingField {
        /// Its name.
        name: &'static str,
    },
    /// A member with a fixed value has another one.
    UnexpectedValue {
        /// Its name.
        name: &'static str,
        /// The fixed value.
        expected: &'static str,
        /// The value in the token.
        found: Quoted,
    },
    /// The signed query has a key besides the cluster id, and a request with it would not be what this server sends.
    ExtraQueryKey {
        /// The key.
        name: Quoted,
    },
    /// The signed cluster id is not this server's.
    WrongCluster {
        /// The cluster id in the token.
        found: Quoted,
    },
    /// The unsigned `clusterId` differs from the signed one.
    ClusterIdMismatch,
    /// The `Authorization` header does not follow its grammar.
    Authorization(AuthorizationError),
    /// The signature covers other headers than those that will be sent.
    SignedHeaders {
        /// The headers that it must cover.
        expected: &'static str,
    },
    /// A header's value has a character that may not go on the wire.
    HeaderValue {
        /// The header.
        name: &'static str,
    },
    /// `x-acs-date` is not `YYYY-MM-DDTHH:MM:SSZ`.
    Date,
    /// Signed too long ago.
    Expired {
        /// When it was signed.
        date: UnixTime,
        /// This server's time.
        now: UnixTime,
    },
    /// Signed too far in the future.
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

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, limit } => {
                write!(f, "the token has {bytes} bytes, the limit is {limit}")
            }
            Self::UnknownVersion => f.write_str("the token has no version that this server takes"),
            Self::V1NotAccepted => {
                f.write_str("the token is of version 1, which this server does not take")
            }
            Self::Url => f.write_str("the token does not hold a URL"),
            Self::NotSts => f.write_str("the URL in the token is not `https://` to STS"),
            Self::DuplicateParameter { name } => {
                write!(f, "the token's `{name}` stands there twice")
            }
            Self::Base64 => f.write_str("the token is not standard base64 with padding"),
            Self::Json(error) => write!(f, "the token is not what clients write: {error}"),
            Self::UnknownField {
                object: place,
                name,
            } => {
                write!(f, "the token's {place} has an unknown member {name}")
            }
            Self::MissingField { name } => {
                write!(f, "the token's `{name}` is missing or of the wrong type")
            }
            Self::UnexpectedValue {
                name,
                expected,
                found,
            } => write!(f, "the token's `{name}` is {found}, not `{expected}`"),
            Self::ExtraQueryKey { name } => {
                write!(
                    f,
                    "the token signs the query key {name}, which this server does not send"
                )
            }
            Self::WrongCluster { found } => {
                write!(
                    f,
                    "the token was made for cluster {found}, not for this one"
                )
            }
            Self::ClusterIdMismatch => {
                f.write_str("the token's `clusterId` is not the cluster id that it signs")
            }
            Self::Authorization(error) => {
                write!(
                    f,
                    "the token's `Authorization` header was not understood: {error}"
                )
            }
            Self::SignedHeaders { expected } => {
                write!(
                    f,
                    "the token's signature does not cover exactly `{expected}`"
                )
            }
            Self::HeaderValue { name } => {
                write!(
                    f,
                    "the token's `{name}` has a character that may not be sent"
                )
            }
            Self::Date => {
                f.write_str("the token's `x-acs-date` is not of the form `YYYY-MM-DDTHH:MM:SSZ`")
            }
            Self::Expired { date, now } => {
                write!(
                    f,
                    "the token was signed at {date} and has expired; it is {now} here"
                )
            }
            Self::NotYetValid { date, now } => {
                write!(
                    f,
                    "the token is dated {date}, in the future; it is {now} here"
                )
            }
        }
    }
}

impl std::error::Error for TokenError {}
