//! The kinds of tokens, by their prefix.

use serde::Serialize;

use ack_ram_core::protocol::{FAMILY_PREFIX, v1, v2};

/// The most bytes of a text that is inspected; no token is longer.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenKind {
    /// `k8s-ack-v2.`
    TokenV2,
    /// `k8s-ack-v1.`
    TokenV1,
    /// `k8s-ack-`, and a version that does not exist.
    UnknownVersion,
    /// A JSON Web Token: of a service account, or of an OIDC provider.
    Jwt,
    /// `k8s-aws-v1.`: of aws-iam-authenticator.
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

    /// Returns the kind in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::TokenV2 => "a token v2",
            Self::TokenV1 => "a token v1 (presigned URL)",
            Self::UnknownVersion => "a token of an unknown version",
            Self::Jwt => "a JSON Web Token, as service accounts and OIDC providers have them",
            Self::AwsIamAuthenticator => "a token of aws-iam-authenticator",
            Self::Unknown => "no kind of token that is known here",
        }
    }
}
