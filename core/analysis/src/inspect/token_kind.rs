//! The kinds of tokens, which are recognized by their prefix.

use serde::Serialize;

use ack_ram_core::protocol::{FAMILY_PREFIX, v1, v2};

/// The maximum length of a token to inspect, in bytes. No valid token is longer.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenKind {
    /// A token v2, with the prefix `k8s-ack-v2.`.
    TokenV2,
    /// A token v1, with the prefix `k8s-ack-v1.`.
    TokenV1,
    /// A token with the prefix `k8s-ack-` and an unknown version.
    UnknownVersion,
    /// A JSON Web Token of a service account or an OIDC provider.
    Jwt,
    /// A token of aws-iam-authenticator, with the prefix `k8s-aws-v1.`.
    AwsIamAuthenticator,
    /// Anything else.
    Unknown,
}

impl TokenKind {
    /// Detects the kind of a text by its prefix.
    #[must_use]
    pub fn detect(token: &str) -> Self {
        if token.starts_with(v2::PREFIX) {
            Self::TokenV2
        } else if token.starts_with(v1::PREFIX) {
            Self::TokenV1
        } else if token.starts_with(FAMILY_PREFIX) {
            Self::UnknownVersion
        } else if token.starts_with("k8s-aws-v1.") {
            Self::AwsIamAuthenticator
        } else if token.starts_with("eyJ") && token.split('.').count() == 3 {
            Self::Jwt
        } else {
            Self::Unknown
        }
    }

    /// Returns a description of the kind, for messages.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::TokenV2 => "a token v2",
            Self::TokenV1 => "a token v1 (presigned URL)",
            Self::UnknownVersion => "a token of an unknown version",
            Self::Jwt => "a JSON Web Token, as used by service accounts and OIDC providers",
            Self::AwsIamAuthenticator => "a token of aws-iam-authenticator",
            Self::Unknown => "not a known kind of token",
        }
    }
}
