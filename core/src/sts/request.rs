//! Builds the request to STS from the checked parts of a token. The client's own request is never forwarded.
//!
//! The reasons are in [`crate::manual::rebuilt_request`].

use crate::cluster_id::ClusterId;
use crate::protocol::acs3::Authorization;
use crate::protocol::percent;
use crate::protocol::v1::{self, PresignedCall};
use crate::protocol::v2::{self, SignedCall, SignedHeaders};
use crate::secret::Secret;

/// A `GetCallerIdentity` request with an empty body.
///
/// The host program adds the headers `host`, `user-agent` and `content-length: 0`. `Debug` shows no secret.
#[derive(Debug, PartialEq, Eq)]
pub struct StsRequest {
    method: &'static str,
    path_and_query: Secret,
    headers: Vec<(&'static str, Secret)>,
    may_be_resent: bool,
}

impl StsRequest {
    /// Builds the request of a token v2.
    pub(crate) fn from_signed_call(call: &SignedCall, cluster: &ClusterId) -> Self {
        let date = call.date.to_string();
        let signed = SignedHeaders {
            date: &date,
            security_token: call.security_token.as_ref().map(Secret::expose),
        };
        let authorization = Authorization {
            access_key_id: call.access_key_id.clone(),
            signed_headers: signed.names(),
            signature: call.signature.clone(),
        }
        .to_header();
        let mut headers = vec![
            ("accept", Secret::new("application/json")),
            ("authorization", authorization),
        ];
        headers.extend(
            signed
                .pairs()
                .into_iter()
                .map(|(name, value)| (name, Secret::new(value))),
        );
        let mut query = vec![(v2::CLUSTER_ID_KEY, cluster.as_str())];
        query.extend(
            call.extra_query
                .iter()
                .map(|(key, value)| (&**key, &**value)),
        );
        let query = percent::canonical_query(&query);
        Self {
            method: v2::METHOD,
            path_and_query: Secret::new(format!("{}?{query}", v2::PATH)),
            headers,
            may_be_resent: true,
        }
    }

    /// Builds the request of a token v1.
    pub(crate) fn from_presigned_call(call: &PresignedCall, cluster: &ClusterId) -> Self {
        let date = call.date.to_string();
        let mut query = v1::CONSTANTS.to_vec();
        query.extend([
            (v1::ACCESS_KEY_ID_KEY, call.access_key_id.as_str()),
            (v1::CLUSTER_ID_KEY, cluster.as_str()),
            (v1::SIGNATURE_KEY, call.signature.expose()),
            (v1::NONCE_KEY, &*call.nonce),
            (v1::TIMESTAMP_KEY, &date),
        ]);
        let security_token = call.security_token.as_ref().map(Secret::expose);
        query.extend(security_token.map(|token| (v1::SECURITY_TOKEN_KEY, token)));
        let query = percent::canonical_query(&query);
        Self {
            method: v1::METHOD,
            path_and_query: Secret::new(format!("/?{query}")),
            headers: vec![("accept", Secret::new("application/json"))],
            may_be_resent: false,
        }
    }

    /// Returns the method: `POST` for a token v2, `GET` for a token v1.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the path and the query, escaped. The query of a token v1 contains the signature.
    #[must_use]
    pub fn path_and_query(&self) -> &Secret {
        &self.path_and_query
    }

    /// Returns whether STS accepts the request more than once. STS accepts the nonce of a token v1 only once.
    #[must_use]
    pub fn may_be_resent(&self) -> bool {
        self.may_be_resent
    }

    /// Returns the names and values of all headers that the host program does not add. Names are in lower case. Values
    /// are secret.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        self.headers.iter().map(|(name, value)| (*name, value))
    }
}
