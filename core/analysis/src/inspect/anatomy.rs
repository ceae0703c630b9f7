//! The anatomy of a token: its segments, so that a program can label each one and hide the secret ones.

mod base64_split;
mod json_members;

use std::ops::Range;

use ack_ram_core::protocol::{acs3, json, v1, v2};
use ack_ram_core::secret::Secret;
use serde::Serialize;

use crate::inspect::contents;
use crate::inspect::token_kind::MAX_BYTES;

/// A segment of a token: a named part, or the structure between parts.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The part that the segment is.
    pub part: TokenPart,
    /// The decoded text.
    pub text: Secret,
    /// The characters of the token that encode the text. If a character is shared with a neighboring segment, it
    /// belongs to the secret one of the two.
    pub encoded: Secret,
    /// Whether the segment is secret and must stay hidden until the user asks to see it.
    pub is_secret: bool,
    /// Whether the signature covers the segment. `None` for segments that are neither sent nor signed in this form.
    pub signed: Option<bool>,
}

/// The parts of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenPart {
    /// The prefix, which identifies the version.
    Prefix,
    /// The structure around the values, such as names and quotes.
    Structure,
    /// The unsigned `clusterId` at the top level of a token v2.
    UnsignedClusterId,
    /// The method of the request.
    Method,
    /// The path of the request.
    Path,
    /// The address of a token v1, up to the query.
    Address,
    /// The signed cluster ID.
    ClusterId,
    /// An additional query key of a token v2.
    ExtraQuery,
    /// The name of the signature scheme.
    Algorithm,
    /// The access key ID.
    Credential,
    /// The headers that the signature covers.
    SignedHeaders,
    /// The signature.
    Signature,
    /// The STS action.
    Action,
    /// The hash of the empty body.
    ContentHash,
    /// The time of signing.
    Date,
    /// The nonce, because of which a token v1 can be used only once.
    Nonce,
    /// The security token of a temporary key.
    SecurityToken,
    /// The version of the STS API.
    ApiVersion,
    /// The format of the STS reply.
    Format,
    /// The program that created the token.
    UserAgent,
    /// A value that no known client writes.
    Unknown,
    /// A payload that cannot be parsed.
    Unreadable,
}

impl TokenPart {
    /// Returns whether the part is treated as secret. Unknown parts are, because they may contain a secret.
    const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Signature
                | Self::SecurityToken
                | Self::ExtraQuery
                | Self::Unknown
                | Self::Unreadable
        )
    }
}

/// The range of a named part in the decoded payload.
struct PartRange {
    range: Range<usize>,
    part: TokenPart,
    signed: Option<bool>,
}

/// Splits `token` into consecutive segments without gaps. Returns an empty list if it is not a token of this
/// authenticator.
#[must_use]
pub fn split_into_segments(token: &str) -> Vec<Segment> {
    let Some((prefix, payload)) = [v2::PREFIX, v1::PREFIX]
        .into_iter()
        .find_map(|prefix| Some((prefix, token.strip_prefix(prefix)?)))
        .filter(|_| token.len() <= MAX_BYTES)
    else {
        return Vec::new();
    };
    let mut segments = vec![Segment {
        part: TokenPart::Prefix,
        text: Secret::new(prefix),
        encoded: Secret::new(prefix),
        is_secret: false,
        signed: None,
    }];
    let decoded = contents::decode(payload).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(text) => {
            let named = if prefix == v2::PREFIX {
                json_parts(&text)
            } else {
                url_parts(&text)
            };
            segments.extend(split_text(&text, payload, named));
        }
        None if payload.is_empty() => {}
        None => segments.push(Segment {
            part: TokenPart::Unreadable,
            text: Secret::new(payload),
            encoded: Secret::new(payload),
            is_secret: true,
            signed: None,
        }),
    }
    segments
}

/// Splits `text` into segments: the named parts, and the structure between them.
fn split_text(text: &str, payload: &str, named: Vec<PartRange>) -> Vec<Segment> {
    let mut all_parts: Vec<PartRange> = Vec::new();
    let mut at = 0;
    let structure = |range| PartRange {
        range,
        part: TokenPart::Structure,
        signed: None,
    };
    for part in named {
        if at < part.range.start {
            all_parts.push(structure(at..part.range.start));
        }
        at = part.range.end;
        all_parts.push(part);
    }
    if at < text.len() {
        all_parts.push(structure(at..text.len()));
    }
    let ends = all_parts
        .iter()
        .map(|part| (part.range.end, part.part.is_secret()));
    let encoded = base64_split::split_base64(payload, ends);
    all_parts
        .into_iter()
        .zip(encoded)
        .map(
            |(
                PartRange {
                    range,
                    part,
                    signed,
                },
                encoded,
            )| Segment {
                part,
                text: Secret::new(text.get(range).unwrap_or_default()),
                encoded: Secret::new(encoded),
                is_secret: part.is_secret(),
                signed,
            },
        )
        .collect()
}

fn unreadable_part(text: &str) -> Vec<PartRange> {
    if text.is_empty() {
        return Vec::new();
    }
    vec![PartRange {
        range: 0..text.len(),
        part: TokenPart::Unreadable,
        signed: None,
    }]
}

fn json_parts(text: &str) -> Vec<PartRange> {
    if json::parse_object(text.as_bytes()).is_err() {
        return unreadable_part(text);
    }
    let members = json_members::list_members(text);
    let signed_headers = members
        .iter()
        .find(|member| member.matches("headers", "authorization"))
        .and_then(|member| text.get(member.value.clone()))
        .and_then(|authorization| contents::authorization_part(authorization, "SignedHeaders"))
        .unwrap_or_default()
        .to_owned();
    let is_signed = |name: &str| {
        let mut names = signed_headers.split(';');
        Some(names.any(|signed| signed.eq_ignore_ascii_case(name)))
    };
    let mut named = Vec::new();
    for member in members {
        let name = member.name.to_ascii_lowercase();
        let (part, signed) = match (&*member.parent, &*name) {
            ("", "clusterid") => (TokenPart::UnsignedClusterId, Some(false)),
            ("", v2::member::METHOD) => (TokenPart::Method, Some(true)),
            ("", v2::member::PATH) => (TokenPart::Path, Some(true)),
            (v2::member::QUERY, _) if member.name == v2::CLUSTER_ID_KEY => {
                (TokenPart::ClusterId, Some(true))
            }
            (v2::member::QUERY, _) => (TokenPart::ExtraQuery, Some(true)),
            (v2::member::HEADERS, "authorization") => {
                push_authorization_parts(&mut named, text, member.value);
                continue;
            }
            (v2::member::HEADERS, v2::header::ACTION) => (TokenPart::Action, is_signed(&name)),
            (v2::member::HEADERS, v2::header::CONTENT_SHA256) => {
                (TokenPart::ContentHash, is_signed(&name))
            }
            (v2::member::HEADERS, v2::header::DATE) => (TokenPart::Date, is_signed(&name)),
            (v2::member::HEADERS, v2::header::SECURITY_TOKEN) => {
                (TokenPart::SecurityToken, is_signed(&name))
            }
            (v2::member::HEADERS, v2::header::VERSION) => (TokenPart::ApiVersion, is_signed(&name)),
            (v2::member::HEADERS, v2::header::USER_AGENT) => {
                (TokenPart::UserAgent, is_signed(&name))
            }
            (v2::member::HEADERS, v2::header::ACCEPT) => (TokenPart::Format, is_signed(&name)),
            _ => (TokenPart::Unknown, Some(false)),
        };
        push_part(&mut named, member.value, part, signed);
    }
    named
}

/// Appends the parts of an `Authorization` header. A header with escapes is not split: no client writes escapes.
fn push_authorization_parts(named: &mut Vec<PartRange>, text: &str, value: Range<usize>) {
    let header = text.get(value.clone()).unwrap_or_default();
    let Some(parts) = header
        .strip_prefix(acs3::ALGORITHM)
        .and_then(|rest| rest.strip_prefix(' '))
        .filter(|_| !header.contains('\\'))
    else {
        push_part(named, value, TokenPart::Unknown, Some(false));
        return;
    };
    let mut at = value.start + acs3::ALGORITHM.len();
    push_part(named, value.start..at, TokenPart::Algorithm, Some(false));
    for part in parts.split(',') {
        let start = at + 1;
        at = start + part.len();
        let known = [
            ("Credential=", TokenPart::Credential),
            ("SignedHeaders=", TokenPart::SignedHeaders),
            ("Signature=", TokenPart::Signature),
        ]
        .into_iter()
        .find(|(name, _)| part.starts_with(name));
        let (before, kind) = known.unwrap_or(("", TokenPart::Unknown));
        push_part(named, start + before.len()..at, kind, Some(false));
    }
}

fn url_parts(text: &str) -> Vec<PartRange> {
    let Some((address, query)) = text.split_once('?') else {
        return unreadable_part(text);
    };
    let mut named = Vec::new();
    let kind = match address.contains('@') {
        true => TokenPart::Unknown,
        false => TokenPart::Address,
    };
    push_part(&mut named, 0..address.len(), kind, Some(false));
    let mut at = address.len() + 1;
    for pair in query.split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        let part = match name {
            v1::ACCESS_KEY_ID_KEY => TokenPart::Credential,
            "Action" => TokenPart::Action,
            "Format" => TokenPart::Format,
            v1::SECURITY_TOKEN_KEY => TokenPart::SecurityToken,
            v1::SIGNATURE_KEY => TokenPart::Signature,
            "SignatureMethod" | "SignatureVersion" => TokenPart::Algorithm,
            v1::NONCE_KEY => TokenPart::Nonce,
            v1::TIMESTAMP_KEY => TokenPart::Date,
            "Version" => TokenPart::ApiVersion,
            v1::CLUSTER_ID_KEY => TokenPart::ClusterId,
            _ => TokenPart::Unknown,
        };
        let value = (at + name.len() + 1).min(at + pair.len());
        push_part(
            &mut named,
            value..at + pair.len(),
            part,
            Some(part != TokenPart::Signature),
        );
        at += pair.len() + 1;
    }
    named
}

fn push_part(
    named: &mut Vec<PartRange>,
    range: Range<usize>,
    part: TokenPart,
    signed: Option<bool>,
) {
    if !range.is_empty() {
        named.push(PartRange {
            range,
            part,
            signed,
        });
    }
}

#[cfg(test)]
mod tests;
