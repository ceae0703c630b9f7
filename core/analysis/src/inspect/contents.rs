//! The contents of a token for display: as much as can be decoded, even if the server would refuse the token.

use std::borrow::Cow;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::json::{self, JsonObject, JsonValue};
use ack_ram_core::protocol::{v1, v2};
use ack_ram_core::time::UnixTime;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use url::Url;

use crate::inspect::token_kind::{MAX_BYTES, TokenKind};

/// The maximum number of characters of a value to display.
const MAX_DISPLAY_CHARS: usize = 256;

/// A lenient decoder for Base64 that was copied by hand: it ignores missing padding and trailing bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The decoded contents of a token. The contents are unverified claims. They are safe to display: texts have no control
/// characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The ID of the access key that the token claims to be signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<AccessKeyId>,
    /// Whether the token contains a security token, which temporary keys need.
    pub temporary: bool,
    /// The cluster ID that the token is signed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The unsigned `clusterId`, if it differs from the signed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsigned_cluster_id: Option<String>,
    /// The time of signing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<UnixTime>,
    /// The method of the signed request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path of the signed request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The host of the signed request, in a token v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The keys in the query of the signed request.
    pub query_keys: Vec<String>,
    /// The names of the headers of the signed request.
    pub headers: Vec<String>,
    /// The headers that the signature covers.
    pub signed_headers: Vec<String>,
    /// The user agent: the program that claims to have created the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// Decodes the contents of `token` if it is a token of this authenticator. Otherwise, or if decoding fails, returns the
/// reason, if there is one.
pub(super) fn read_contents(token: &str) -> (Option<Contents>, Option<&'static str>) {
    match TokenKind::detect(token) {
        TokenKind::TokenV2 | TokenKind::TokenV1 if token.len() <= MAX_BYTES => {
            decode_contents(token)
        }
        TokenKind::TokenV2 | TokenKind::TokenV1 => (None, Some("the token is too long to decode")),
        TokenKind::UnknownVersion
        | TokenKind::Jwt
        | TokenKind::AwsIamAuthenticator
        | TokenKind::Unknown => (None, None),
    }
}

fn decode_contents(token: &str) -> (Option<Contents>, Option<&'static str>) {
    let read = match (
        token.strip_prefix(v2::PREFIX),
        token.strip_prefix(v1::PREFIX),
    ) {
        (Some(payload), _) => decode(payload).and_then(|json| from_json(&json)),
        (None, Some(payload)) => decode(payload).and_then(|url| from_url(&url)),
        (None, None) => Err("unknown token version"),
    };
    match read {
        Ok(contents) => (Some(contents), None),
        Err(why) => (None, Some(why)),
    }
}

/// Decodes `payload` leniently, since it may have been copied by hand.
pub(super) fn decode(payload: &str) -> Result<Vec<u8>, &'static str> {
    let standard: String = payload
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    BASE64.decode(standard).map_err(
        |_| "the part after the prefix is not valid base64: it may be incomplete or contain other text",
    )
}

fn from_json(json: &[u8]) -> Result<Contents, &'static str> {
    let token = json::parse_object(json)
        .map_err(|_| "the base64 does not contain a valid JSON object: it may be incomplete")?;
    let query = token.object_member(v2::member::QUERY);
    let headers = token.object_member(v2::member::HEADERS);
    let authorization = header(headers, "authorization").unwrap_or_default();
    let signed = query.and_then(|query| query.string_member(v2::CLUSTER_ID_KEY));
    Ok(Contents {
        access_key_id: authorization_part(authorization, "Credential").and_then(AccessKeyId::parse),
        temporary: header(headers, v2::header::SECURITY_TOKEN)
            .is_some_and(|token| !token.is_empty()),
        cluster_id: signed.map(escape_for_display),
        unsigned_cluster_id: token
            .string_member(v2::member::CLUSTER_ID)
            .filter(|unsigned| Some(*unsigned) != signed)
            .map(escape_for_display),
        date: header(headers, v2::header::DATE).and_then(UnixTime::parse),
        method: token
            .string_member(v2::member::METHOD)
            .map(escape_for_display),
        path: token
            .string_member(v2::member::PATH)
            .map(escape_for_display),
        host: None,
        query_keys: member_names(query),
        headers: member_names(headers),
        signed_headers: authorization_part(authorization, "SignedHeaders")
            .map(|member_names| member_names.split(';').map(escape_for_display).collect())
            .unwrap_or_default(),
        user_agent: header(headers, v2::header::USER_AGENT).map(escape_for_display),
    })
}

fn from_url(url: &[u8]) -> Result<Contents, &'static str> {
    let url = std::str::from_utf8(url)
        .ok()
        .and_then(|text| Url::parse(text).ok())
        .ok_or("the base64 does not contain a valid URL")?;
    let value = |name: &str| -> Option<Cow<'_, str>> {
        url.query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    Ok(Contents {
        access_key_id: value(v1::ACCESS_KEY_ID_KEY).and_then(|id| AccessKeyId::parse(&id)),
        temporary: value(v1::SECURITY_TOKEN_KEY).is_some_and(|token| !token.is_empty()),
        cluster_id: value(v1::CLUSTER_ID_KEY).map(|id| escape_for_display(&id)),
        unsigned_cluster_id: None,
        date: value(v1::TIMESTAMP_KEY).and_then(|date| UnixTime::parse(&date)),
        method: Some(v1::METHOD.to_owned()),
        path: Some(escape_for_display(url.path())),
        host: url.host_str().map(escape_for_display),
        query_keys: url
            .query_pairs()
            .map(|(name, _)| escape_for_display(&name))
            .collect(),
        headers: Vec::new(),
        signed_headers: Vec::new(),
        user_agent: None,
    })
}

/// Returns the value of the header `name`, compared case-insensitively.
fn header<'a>(headers: Option<&'a JsonObject<'_>>, name: &str) -> Option<&'a str> {
    headers?
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .and_then(|(_, value)| match value {
            JsonValue::String(text) => Some(text.as_ref()),
            _ => None,
        })
}

fn member_names(object: Option<&JsonObject<'_>>) -> Vec<String> {
    object
        .into_iter()
        .flat_map(JsonObject::iter)
        .map(|(name, _)| escape_for_display(name))
        .collect()
}

/// Returns the part `name` of an `Authorization` header, even if other parts are malformed.
pub(super) fn authorization_part<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    authorization
        .split([',', ' '])
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Escapes and truncates `text` for a terminal or a page.
fn escape_for_display(text: &str) -> String {
    text.chars()
        .take(MAX_DISPLAY_CHARS)
        .flat_map(char::escape_default)
        .collect()
}
