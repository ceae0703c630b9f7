//! Token v2: JSON that describes a signed `POST /?ACKClusterId=...` with headers.
//!
//! Of what the client wrote, four things are kept: who signed, when, with which security token, and the signature.
//! Everything else must be what this server sends anyway.

use crate::access_key::AccessKeyId;
use crate::cluster_id::ClusterId;
use crate::json::{self, JsonObject, JsonValue};
use crate::policy::TokenPolicy;
use crate::secret::Secret;
use crate::sign::acs3::{Authorization, EMPTY_BODY_SHA256, Signature};
use crate::time::UnixTime;
use crate::token::error::{Quoted, TokenError};
use crate::token::is_sendable;

/// The prefix of a token v2; standard base64 with padding follows.
pub const PREFIX: &str = "k8s-ack-v2.";
/// The method of the signed request.
pub const METHOD: &str = "POST";
/// The path of the signed request.
pub const PATH: &str = "/";
/// `x-acs-action` (STS API reference, GetCallerIdentity).
pub const ACTION: &str = "GetCallerIdentity";
/// `x-acs-version` (STS API reference, version of the API).
pub const VERSION: &str = "2015-04-01";
/// The query key that carries the signed cluster id.
pub const CLUSTER_ID_KEY: &str = "ACKClusterId";

/// The headers that a token v2 signs, in the order of `SignedHeaders`.
#[derive(Clone, Copy)]
pub struct SignedHeaders<'a> {
    /// `x-acs-date`.
    pub date: &'a str,
    /// `x-acs-security-token`, of a temporary key.
    pub security_token: Option<&'a str>,
}

impl<'a> SignedHeaders<'a> {
    /// The value of `SignedHeaders`.
    #[must_use]
    pub const fn names(self) -> &'static str {
        if self.security_token.is_some() {
            "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-version"
        } else {
            "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-version"
        }
    }

    /// Names and values, as signed and as sent.
    #[must_use]
    pub fn pairs(self) -> Vec<(&'static str, &'a str)> {
        let mut pairs = vec![
            ("x-acs-action", ACTION),
            ("x-acs-content-sha256", EMPTY_BODY_SHA256),
            ("x-acs-date", self.date),
        ];
        pairs.extend(
            self.security_token
                .map(|token| ("x-acs-security-token", token)),
        );
        pairs.push(("x-acs-version", VERSION));
        pairs
    }
}

/// Names and values, not escaped.
type QueryPairs = Vec<(Box<str>, Box<str>)>;

/// The parts of a token v2 that the client chooses, each checked.
#[derive(Clone, Debug)]
pub(crate) struct SignedCall {
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) date: UnixTime,
    pub(crate) security_token: Option<Secret>,
    pub(crate) signature: Signature,
    /// Further signed query keys that the policy allows.
    pub(crate) extra_query: QueryPairs,
}

/// Parses the JSON of a token that must be for the policy's cluster. The date is parsed, but not compared with the
/// time.
pub(crate) fn parse(json: &[u8], policy: &TokenPolicy) -> Result<SignedCall, TokenError> {
    let token = json::parse_object(json).map_err(TokenError::Json)?;
    for (name, _) in token.iter() {
        if !["clusterId", "method", "path", "query", "headers"].contains(&name) {
            return Err(unknown_field("token", name));
        }
    }
    check_constant(&token, "method", METHOD)?;
    check_constant(&token, "path", PATH)?;
    let query = token
        .object_member("query")
        .ok_or(TokenError::MissingField { name: "query" })?;
    check_cluster(&token, query, &policy.cluster_id)?;
    let headers = token
        .object_member("headers")
        .ok_or(TokenError::MissingField { name: "headers" })?;
    Ok(SignedCall {
        extra_query: parse_extra_query(query, policy)?,
        ..parse_signed_call(&Headers::from_object(headers)?)?
    })
}

/// Checks that the signed cluster id is the policy's, and that the unsigned one, if present, is equal.
fn check_cluster(
    token: &JsonObject<'_>,
    query: &JsonObject<'_>,
    cluster: &ClusterId,
) -> Result<(), TokenError> {
    let signed = query
        .string_member(CLUSTER_ID_KEY)
        .ok_or(TokenError::MissingField {
            name: CLUSTER_ID_KEY,
        })?;
    if signed != cluster.as_str() {
        let found = Quoted::new(signed);
        return Err(TokenError::WrongCluster { found });
    }
    match token.member("clusterId") {
        None => Ok(()),
        Some(JsonValue::String(unsigned)) if unsigned == signed => Ok(()),
        Some(_) => Err(TokenError::ClusterIdMismatch),
    }
}

/// Parses the query keys that the token signs beside the cluster id. Go drops such keys, and STS then refuses the signature.
fn parse_extra_query(
    query: &JsonObject<'_>,
    policy: &TokenPolicy,
) -> Result<QueryPairs, TokenError> {
    query
        .iter()
        .filter(|(name, _)| *name != CLUSTER_ID_KEY)
        .map(|(name, value)| match value {
            JsonValue::String(value) if policy.extra_query_keys.contains(name) => {
                if is_sendable(value) {
                    Ok((name.into(), value.as_ref().into()))
                } else {
                    Err(TokenError::HeaderValue { name: "query" })
                }
            }
            _ => Err(TokenError::ExtraQueryKey {
                name: Quoted::new(name),
            }),
        })
        .collect()
}

fn parse_signed_call(headers: &Headers<'_>) -> Result<SignedCall, TokenError> {
    for (name, expected) in [
        ("x-acs-action", ACTION),
        ("x-acs-version", VERSION),
        ("x-acs-content-sha256", EMPTY_BODY_SHA256),
    ] {
        let found = headers.required(name)?;
        if found != expected {
            return Err(TokenError::UnexpectedValue {
                name,
                expected,
                found: Quoted::new(found),
            });
        }
    }
    let date = headers.required("x-acs-date")?;
    let security_token = headers.optional("x-acs-security-token");
    let authorization = Authorization::parse(headers.required("Authorization")?)
        .map_err(TokenError::Authorization)?;
    let expected = SignedHeaders {
        date,
        security_token,
    }
    .names();
    if authorization.signed_headers != expected {
        return Err(TokenError::SignedHeaders { expected });
    }
    if !security_token.is_none_or(is_sendable) {
        return Err(TokenError::HeaderValue {
            name: "x-acs-security-token",
        });
    }
    Ok(SignedCall {
        access_key_id: authorization.access_key_id,
        date: UnixTime::parse(date).ok_or(TokenError::Date)?,
        security_token: security_token.map(Secret::new),
        signature: authorization.signature,
        extra_query: Vec::new(),
    })
}

/// A token's headers by the names that clients write. Header names compare without case; the JSON parser has already
/// refused two that differ only by it.
struct Headers<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Headers<'a> {
    /// The headers that clients write. `user-agent` and `accept` are not signed, and not used.
    const KNOWN: [&'static str; 8] = [
        "Authorization",
        "accept",
        "user-agent",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-security-token",
        "x-acs-version",
    ];

    fn from_object(object: &'a JsonObject<'_>) -> Result<Self, TokenError> {
        object
            .iter()
            .map(|(name, value)| {
                let known = Self::KNOWN
                    .into_iter()
                    .find(|known| known.eq_ignore_ascii_case(name))
                    .ok_or_else(|| unknown_field("headers", name))?;
                match value {
                    // The other values are checked where they are read. No client writes a control character.
                    JsonValue::String(text)
                        if matches!(known, "accept" | "user-agent")
                            && text.contains(char::is_control) =>
                    {
                        Err(TokenError::HeaderValue { name: known })
                    }
                    JsonValue::String(text) => Ok((known, text.as_ref())),
                    _ => Err(TokenError::MissingField { name: known }),
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn optional(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    fn required(&self, name: &'static str) -> Result<&'a str, TokenError> {
        self.optional(name).ok_or(TokenError::MissingField { name })
    }
}

fn check_constant(
    token: &JsonObject<'_>,
    name: &'static str,
    expected: &'static str,
) -> Result<(), TokenError> {
    match token.string_member(name) {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(TokenError::UnexpectedValue {
            name,
            expected,
            found: Quoted::new(found),
        }),
        None => Err(TokenError::MissingField { name }),
    }
}

fn unknown_field(object: &'static str, name: &str) -> TokenError {
    TokenError::UnknownField {
        object,
        name: Quoted::new(name),
    }
}
