//! The request that goes to STS, built here and never forwarded.

use crate::cluster_id::ClusterId;
use crate::secret::Secret;
use crate::sign::acs3::Authorization;
use crate::sign::percent;
use crate::token::v2::{self, SignedCall, SignedHeaders};

/// A `GetCallerIdentity` call, ready for the wire but for host and user agent, which are the host program's own.
///
/// The body is empty. `Debug` shows no secret.
#[derive(Debug, PartialEq, Eq)]
pub struct StsRequest {
    method: &'static str,
    path_and_query: String,
    headers: Vec<(&'static str, Secret)>,
}

impl StsRequest {
    pub(crate) fn v2(call: &SignedCall, cluster: &ClusterId) -> Self {
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
        let query = percent::canonical_query(&[(v2::CLUSTER_ID_KEY, cluster.as_str())]);
        Self {
            method: v2::METHOD,
            path_and_query: format!("{}?{query}", v2::PATH),
            headers,
        }
    }

    /// `POST`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Path and query, escaped.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// All headers but `host`, `user-agent` and `content-length: 0`. Values are secret; names are lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        self.headers.iter().map(|(name, value)| (*name, value))
    }
}
