//! Signs tokens, for clients. Start with [`sign_token_v2`].
//!
//! The functions depend only on their arguments: a key, a cluster and a time. The signature schemes are in
//! [`crate::protocol`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::access_key::AccessKeyId;
use crate::cluster_id::ClusterId;
use crate::protocol::acs3::{Authorization, CanonicalRequest, EMPTY_BODY_SHA256, Signature};
use crate::protocol::v2::{self, SignedHeaders, TokenJson, header};
use crate::secret::Secret;
use crate::time::UnixTime;

/// The lifetime of a token that the client reports, in seconds.
///
/// STS accepts a token longer, for [`crate::protocol::STS_WINDOW_SECONDS`]. The difference leaves time for an in-flight
/// login.
pub const TOKEN_LIFETIME_SECONDS: i64 = 600;

/// An access key to sign with.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The ID, which is public.
    pub id: AccessKeyId,
    /// The secret.
    pub secret: Secret,
    /// The security token of a temporary key.
    pub security_token: Option<Secret>,
}

/// Signs a token v2: a `GetCallerIdentity` request for `cluster` with the date `now`, signed with `key` and not sent.
///
/// The result depends only on the arguments, and is byte for byte the token that ack-ram-tool prints. `user_agent` is
/// not signed, and this server ignores it. Never returns `None`, because HMAC accepts keys of any length.
///
/// # Examples
///
/// ```
/// use ack_ram_core::access_key::AccessKeyId;
/// use ack_ram_core::cluster_id::ClusterId;
/// use ack_ram_core::secret::Secret;
/// use ack_ram_core::sign::{AccessKey, sign_token_v2};
/// use ack_ram_core::time::UnixTime;
///
/// let key = AccessKey {
///     id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
///     secret: Secret::new("FakeSecret"),
///     security_token: None,
/// };
/// let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
/// let now = UnixTime::from_seconds(1_780_000_000);
///
/// let token = sign_token_v2(&key, &cluster, "kubectl", now).ok_or("not signed")?;
/// assert!(token.expose().starts_with("k8s-ack-v2."));
///
/// // The token depends on nothing but the arguments.
/// assert_eq!(sign_token_v2(&key, &cluster, "kubectl", now), Some(token));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn sign_token_v2(
    key: &AccessKey,
    cluster: &ClusterId,
    user_agent: &str,
    now: UnixTime,
) -> Option<Secret> {
    sign_token_v2_in_steps(key, cluster, user_agent, now).map(|steps| steps.token)
}

/// Signs a token v2 as [`sign_token_v2`] does, with more keys and values in the query, which the signature also covers.
///
/// A server refuses such a token unless it allows the keys
/// ([`TokenPolicy::extra_query_keys`](crate::policy::TokenPolicy::extra_query_keys)).
#[must_use]
pub fn sign_token_v2_with_query(
    key: &AccessKey,
    cluster: &ClusterId,
    user_agent: &str,
    extra_query: &[(&str, &str)],
    now: UnixTime,
) -> Option<Secret> {
    sign_in_steps(key, cluster, user_agent, extra_query, now).map(|steps| steps.token)
}

/// The intermediate results of signing a token v2, for authors of clients.
#[derive(Clone, Debug)]
pub struct SigningSteps {
    /// The canonical request (request signature V3, step 1).
    pub canonical_request: Secret,
    /// The string to sign (step 2).
    pub string_to_sign: String,
    /// The signature of the string to sign (step 3).
    pub signature: Signature,
    /// The `Authorization` header (step 4).
    pub authorization: Secret,
    /// The signed request as JSON.
    pub json: Secret,
    /// The token: the prefix and the JSON in base64.
    pub token: Secret,
}

/// Signs a token v2 as [`sign_token_v2`] does, and returns the result of each step.
///
/// # Examples
///
/// ```
/// use ack_ram_core::sign::sign_token_v2_in_steps;
///
/// # use ack_ram_core::access_key::AccessKeyId;
/// # use ack_ram_core::cluster_id::ClusterId;
/// # use ack_ram_core::secret::Secret;
/// # use ack_ram_core::sign::AccessKey;
/// # use ack_ram_core::time::UnixTime;
/// # let key = AccessKey {
/// #     id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
/// #     secret: Secret::new("FakeSecret"),
/// #     security_token: None,
/// # };
/// # let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
/// # let now = UnixTime::from_seconds(1_780_000_000);
/// let steps = sign_token_v2_in_steps(&key, &cluster, "kubectl", now).ok_or("not signed")?;
/// assert!(steps.canonical_request.expose().starts_with("POST\n/\nACKClusterId=c1\n"));
/// assert!(steps.string_to_sign.starts_with("ACS3-HMAC-SHA256\n"));
/// assert!(steps.authorization.expose().contains("Credential=LTAI5tFakeAccessKeyId001"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn sign_token_v2_in_steps(
    key: &AccessKey,
    cluster: &ClusterId,
    user_agent: &str,
    now: UnixTime,
) -> Option<SigningSteps> {
    sign_in_steps(key, cluster, user_agent, &[], now)
}

fn sign_in_steps(
    key: &AccessKey,
    cluster: &ClusterId,
    user_agent: &str,
    extra_query: &[(&str, &str)],
    now: UnixTime,
) -> Option<SigningSteps> {
    let date = now.to_string();
    let signed = SignedHeaders {
        date: &date,
        security_token: key.security_token.as_ref().map(Secret::expose),
    };
    let headers = signed.pairs();
    let mut query = vec![(v2::CLUSTER_ID_KEY, cluster.as_str())];
    query.extend(extra_query);
    // ack-ram-tool writes the keys in this order.
    query.sort_unstable();
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

    let mut wire_headers = vec![
        (header::AUTHORIZATION, authorization.expose()),
        (header::USER_AGENT, user_agent),
    ];
    wire_headers.extend(&headers);
    let wire = TokenJson {
        cluster_id: cluster.as_str(),
        method: v2::METHOD,
        path: v2::PATH,
        query: &query,
        headers: &wire_headers,
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

/// Escapes `<`, `>` and `&` as Go's JSON encoder does. In JSON, these characters occur only inside strings.
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
