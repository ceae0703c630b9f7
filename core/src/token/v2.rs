//! Parses token v2: JSON that describes a signed `POST /?ACKClusterId=...` request and its headers.
//!
//! This server takes four parts from the token: the access key ID, the date, the security token, and the signature. It
//! also takes the extra query keys that the policy allows. All other fields must equal the values that this server
//! sends itself.

use crate::cluster_id::ClusterId;
use crate::policy::TokenPolicy;
use crate::protocol::Quoted;
use crate::protocol::acs3::{Authorization, EMPTY_BODY_SHA256};
use crate::protocol::grammar::is_sendable;
use crate::protocol::json::{self, JsonObject, JsonValue};
use crate::protocol::v2::{
    ACTION, CLUSTER_ID_KEY, MEMBERS, METHOD, PATH, QueryPairs, SignedCall, SignedHeaders, VERSION,
    header, member,
};
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::token::error::TokenError;

/// Parses the JSON of a token for the policy's cluster. Does not compare the date with the current time.
pub(crate) fn parse(json: &[u8], policy: &TokenPolicy) -> Result<SignedCall, TokenError> {
    let token = json::parse_object(json).map_err(TokenError::Json)?;
    for (name, _) in token.iter() {
        if !MEMBERS.contains(&name) {
            return Err(unknown_field("token", name));
        }
    }
    check_constant(&token, member::METHOD, METHOD)?;
    check_constant(&token, member::PATH, PATH)?;
    let query = token
        .object_member(member::QUERY)
        .ok_or(TokenError::MissingField {
            name: member::QUERY,
        })?;
    check_cluster(&token, query, &policy.cluster_id)?;
    let headers = token
        .object_member(member::HEADERS)
        .ok_or(TokenError::MissingField {
            name: member::HEADERS,
        })?;
    Ok(SignedCall {
        extra_query: parse_extra_query(query, policy)?,
        ..parse_signed_call(&Headers::from_object(headers)?)?
    })
}

/// Checks that the signed cluster ID is the policy's, and that the unsigned cluster ID, if present, equals it.
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
    match token.member(member::CLUSTER_ID) {
        None => Ok(()),
        Some(JsonValue::String(unsigned)) if unsigned == signed => Ok(()),
        Some(_) => Err(TokenError::ClusterIdMismatch),
    }
}

/// Parses the query keys that the token signs besides the cluster ID. The Go server drops these keys, so STS refuses
/// the signature.
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
                    Err(TokenError::HeaderValue {
                        name: member::QUERY,
                    })
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
        (header::ACTION, ACTION),
        (header::VERSION, VERSION),
        (header::CONTENT_SHA256, EMPTY_BODY_SHA256),
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
    let date = headers.required(header::DATE)?;
    let security_token = headers.optional(header::SECURITY_TOKEN);
    let authorization = Authorization::parse(headers.required(header::AUTHORIZATION)?)
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
            name: header::SECURITY_TOKEN,
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

/// The headers of a token, by the names that clients write.
///
/// Header names are compared without case. There are no duplicates: the JSON parser refuses keys that differ only in
/// case.
struct Headers<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Headers<'a> {
    /// All header names that clients write. `user-agent` and `accept` are not signed, and this server ignores them.
    const KNOWN: [&'static str; 8] = [
        header::AUTHORIZATION,
        header::ACCEPT,
        header::USER_AGENT,
        header::ACTION,
        header::CONTENT_SHA256,
        header::DATE,
        header::SECURITY_TOKEN,
        header::VERSION,
    ];

    fn from_object(object: &'a JsonObject<'_>) -> Result<Self, TokenError> {
        object
            .iter()
            .map(|(name, value)| {
                let known = Self::KNOWN
                    .into_iter()
                    .find(|known| known.eq_ignore_ascii_case(name))
                    .ok_or_else(|| unknown_field(member::HEADERS, name))?;
                match value {
                    // Later code checks the signed values. This check refuses control characters in all values.
                    JsonValue::String(text)
                        if matches!(known, header::ACCEPT | header::USER_AGENT)
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
