//! The signing side: making a token from a key, and the signature schemes underneath.
//!
//! Pure functions of a key, a cluster and a time. The client uses [`sign_token_v2`]; the STS emulator of the tests uses
//! [`acs3`] and [`rpc`] to verify.

pub mod acs3;
pub mod percent;
pub mod rpc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::access_key::AccessKeyId;
use crate::cluster_id::ClusterId;
use crate::secret::Secret;
use crate::sign::acs3::{Authorization, CanonicalRequest, EMPTY_BODY_SHA256, Signature};
use crate::time::UnixTime;
use crate::token::v2::{self, SignedHeaders};

/// The lifetime of a token that the client reports, in seconds. STS accepts it for
/// [`crate::token::STS_WINDOW_SECONDS`]; the difference leaves time for an in-flight login.
pub const TOKEN_LIFETIME_SECONDS: i64 = 600;

/// An access key to sign with.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: Secret,
    /// The security token of a temporary key.
    pub security_token: Option<Secret>,
}

/// Signs a token v2: a `GetCallerIdentity` request for `cluster`, dated `now`, signed with `key` and not sent.
///
/// The same inputs give the same token, to the byte what ack-ram-tool prints. `user_agent` is not signed, and
/// this server does not read it. `None` never happens (HMAC takes keys of any length).
#[must_use]
pub fn sign_token_v2(
    key: &AccessKey,
    cluster: &ClusterId,
    user_agent: &str,
    now: UnixTime,
) -> Option<Secret> {
    sign_token_v2_in_steps(key, cluster, user_agent, now).map(|steps| steps.token)
}

/// The intermediate results of signing a token v2, for authors of clients.
#[derive(Clone, Debug)]
pub struct SigningSteps {
    /// The canonical request (request signature V3, step 1).
    pub canonical_request: Secret,
    /// The string to sign (step 2).
    pub string_to_sign: String,
    /// Its signature (step 3).
    pub signature: Signature,
    /// The `Authorization` header (step 4).
    pub authorization: Secret,
    /// The signed request as JSON.
    pub json: Secret,
    /// The token: the prefix, and the JSON in base64.
    pub token: Secret,
}

/// Signs a token v2, as [`sign_token_v2`] does, and returns the result of each step.
#[must_use]
pub fn sign_token_v2_in_steps(
    key: &AccessKey,
    cluster: &ClusterId,
    user_agent: &str,
    now: UnixTime,
) -> Option<SigningSteps> {
    let date = now.to_string();
    let signed = SignedHeaders {
        date: &date,
        security_token: key.security_token.as_ref().map(Secret::expose),
    };
    let headers = signed.pairs();
    let query = [(v2::CLUSTER_ID_KEY, cluster.as_str())];
    let request = CanonicalRequest {
        method: v2::METHOD,
        path: v2::PATH,
        query: &query,
        headers: &headers,
        body_sha256: EMPTY_BODY_SHA256,
    };
    let signature = request.sign(&key.secret)?;
    let authorization = Authorization {
        access_key_id: key.id.clone(),
        signed_headers: signed.names(),
        signature: signature.clone(),
    }
    .to_header();

    let wire = WireToken {
        cluster_id: cluster.as_str(),
        method: v2::METHOD,
        path: v2::PATH,
        query: WireQuery {
            cluster_id: cluster.as_str(),
        },
        headers: WireHeaders {
            authorization: authorization.expose(),
            user_agent,
            action: v2::ACTION,
            content_sha256: EMPTY_BODY_SHA256,
            date: &date,
            security_token: signed.security_token,
            version: v2::VERSION,
        },
    };
    let json = escape_like_go(&serde_json::to_string(&wire).ok()?);
    let token = format!("{}{}", v2::PREFIX, STANDARD.encode(&json));
    Some(SigningSteps {
        canonical_request: Secret::new(request.text()),
        string_to_sign: request.string_to_sign(),
        signature,
        authorization,
        json: Secret::new(json),
        token: Secret::new(token),
    })
}

/// Field order is the sorted order in which ack-ram-tool writes map keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireToken<'a> {
    cluster_id: &'a str,
    method: &'a str,
    path: &'a str,
    query: WireQuery<'a>,
    headers: WireHeaders<'a>,
}

#[derive(Serialize)]
struct WireQuery<'a> {
    #[serde(rename = "ACKClusterId")]
    cluster_id: &'a str,
}

#[derive(Serialize)]
struct WireHeaders<'a> {
    #[serde(rename = "Authorization")]
    authorization: &'a str,
    #[serde(rename = "user-agent")]
    user_agent: &'a str,
    #[serde(rename = "x-acs-action")]
    action: &'a str,
    #[serde(rename = "x-acs-content-sha256")]
    content_sha256: &'a str,
    #[serde(rename = "x-acs-date")]
    date: &'a str,
    #[serde(
        rename = "x-acs-security-token",
        skip_serializing_if = "Option::is_none"
    )]
    security_token: Option<&'a str>,
    #[serde(rename = "x-acs-version")]
    version: &'a str,
}

/// Go's encoder escapes these three inside strings, and JSON has them nowhere else.
fn escape_like_go(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            other => out.push(other),
        }
    }
    out
}
