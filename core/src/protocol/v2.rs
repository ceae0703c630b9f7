//! The wire format of token v2: JSON that describes a signed `POST /?ACKClusterId=...` request and its headers.

use serde::{Serialize, Serializer};

use crate::access_key::AccessKeyId;
use crate::protocol::acs3::{EMPTY_BODY_SHA256, Signature};
use crate::secret::Secret;
use crate::time::UnixTime;

/// The prefix of a token v2, followed by standard base64 with padding.
pub const PREFIX: &str = "k8s-ack-v2.";
/// The method of the signed request.
pub const METHOD: &str = "POST";
/// The path of the signed request.
pub const PATH: &str = "/";
/// The value of `x-acs-action` (STS API reference, GetCallerIdentity).
pub const ACTION: &str = "GetCallerIdentity";
/// The value of `x-acs-version` (STS API reference, version of the API).
pub const VERSION: &str = "2015-04-01";
/// The query key that carries the signed cluster ID.
pub const CLUSTER_ID_KEY: &str = "ACKClusterId";

/// The names of the members of the JSON.
pub mod member {
    /// The cluster ID. This member is not signed.
    pub const CLUSTER_ID: &str = "clusterId";
    /// The method of the signed request.
    pub const METHOD: &str = "method";
    /// The path of the signed request.
    pub const PATH: &str = "path";
    /// The query of the signed request, an object.
    pub const QUERY: &str = "query";
    /// The headers of the signed request, an object.
    pub const HEADERS: &str = "headers";
}

/// The names of all members of the JSON, in the order in which ack-ram-tool writes them.
pub(crate) const MEMBERS: [&str; 5] = [
    member::CLUSTER_ID,
    member::METHOD,
    member::PATH,
    member::QUERY,
    member::HEADERS,
];

/// The names of the headers, as clients write them.
pub mod header {
    /// The access key ID and the signature.
    pub const AUTHORIZATION: &str = "Authorization";
    /// The media type that the client accepts. The header is not signed, and the server ignores it.
    pub const ACCEPT: &str = "accept";
    /// The program that created the token. The header is not signed, and the server ignores it.
    pub const USER_AGENT: &str = "user-agent";
    /// The action of the STS API.
    pub const ACTION: &str = "x-acs-action";
    /// The SHA-256 of the body.
    pub const CONTENT_SHA256: &str = "x-acs-content-sha256";
    /// The date of the signature.
    pub const DATE: &str = "x-acs-date";
    /// The security token of a temporary key.
    pub const SECURITY_TOKEN: &str = "x-acs-security-token";
    /// The version of the STS API.
    pub const VERSION: &str = "x-acs-version";
}

/// The headers that a token v2 signs, in the order of `SignedHeaders`.
#[derive(Clone, Copy)]
pub struct SignedHeaders<'a> {
    /// The value of `x-acs-date`.
    pub date: &'a str,
    /// `x-acs-security-token`, for a temporary key.
    pub security_token: Option<&'a str>,
}

impl<'a> SignedHeaders<'a> {
    /// Returns the value of `SignedHeaders`.
    #[must_use]
    pub const fn names(self) -> &'static str {
        if self.security_token.is_some() {
            "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-version"
        } else {
            "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-version"
        }
    }

    /// Returns the names and values, as signed and as sent.
    #[must_use]
    pub fn pairs(self) -> Vec<(&'static str, &'a str)> {
        let mut pairs = vec![
            (header::ACTION, ACTION),
            (header::CONTENT_SHA256, EMPTY_BODY_SHA256),
            (header::DATE, self.date),
        ];
        pairs.extend(
            self.security_token
                .map(|token| (header::SECURITY_TOKEN, token)),
        );
        pairs.push((header::VERSION, VERSION));
        pairs
    }
}

/// Query keys and values, not escaped.
pub(crate) type QueryPairs = Vec<(Box<str>, Box<str>)>;

/// The parts of a token v2 that the client chooses. Each part has been checked.
#[derive(Clone, Debug)]
pub(crate) struct SignedCall {
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) date: UnixTime,
    pub(crate) security_token: Option<Secret>,
    pub(crate) signature: Signature,
    /// The signed query keys besides the cluster ID, all allowed by the policy.
    pub(crate) extra_query: QueryPairs,
}

/// The JSON of a token v2, with its members in the order in which ack-ram-tool writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenJson<'a> {
    pub(crate) cluster_id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    #[serde(serialize_with = "serialize_pairs")]
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Sorted by name, as ack-ram-tool writes them.
    #[serde(serialize_with = "serialize_pairs")]
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

fn serialize_pairs<S: Serializer>(
    pairs: &[(&str, &str)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_header_names_equal_names_of_pairs() {
        for security_token in [None, Some("CANARY")] {
            let signed = SignedHeaders {
                date: "2026-01-01T00:00:00Z",
                security_token,
            };
            let names: Vec<_> = signed.pairs().into_iter().map(|(name, _)| name).collect();
            assert_eq!(signed.names(), names.join(";"));
        }
    }
}
