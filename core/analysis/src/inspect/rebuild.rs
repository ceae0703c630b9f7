//! Rebuilds the STS request from a token as a server does, together with the text that the signature covers.

use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::protocol::acs3::{CanonicalRequest, EMPTY_BODY_SHA256};
use ack_ram_core::protocol::rpc;
use ack_ram_core::protocol::v2::{self, SignedHeaders};
use ack_ram_core::secret::Secret;
use ack_ram_core::sts::StsRequest;
use ack_ram_core::time::UnixTime;
use url::form_urlencoded;

use crate::inspect::contents;
use crate::inspect::verdict::TokenVerdict;

/// A rebuilt request, line by line, and the text that its signature covers.
#[derive(Clone, Debug)]
pub struct RebuiltRequest {
    /// The request: the request line, then the headers, except host and user agent, which are the server's own.
    pub request: Vec<Line>,
    /// The canonical request of ACS3-HMAC-SHA256; a token v1 has none.
    pub canonical: Vec<Line>,
    /// The string that is signed.
    pub string_to_sign: Vec<Line>,
}

/// A line of text as spans: secrets, and the text between them.
pub type Line = Vec<Span>;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The text. It can be derived from the token, but it is a [`Secret`] so that it is never printed by accident.
    pub text: Secret,
    /// Whether the text is a secret: a signature, or a security token.
    pub is_secret: bool,
}

/// Rebuilds the request that a server would send for `token`, regardless of the token's age, version and cluster.
/// Returns `None` if the request cannot be rebuilt.
#[must_use]
pub fn rebuild_request(
    token: &str,
    policy: Option<&TokenPolicy>,
    now: UnixTime,
) -> Option<RebuiltRequest> {
    let contents = contents::read_contents(token).0;
    let awaiting = TokenVerdict::collect(token, policy, now, contents.as_ref()).awaiting?;
    let request = awaiting.request();
    let target = request.path_and_query().expose();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let query: Vec<(&str, &str)> = query
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let first = format!("{} {target} HTTP/1.1", request.method());
    let mut lines = vec![separate_secrets(&first)];
    lines.extend(
        request
            .headers()
            .map(|(name, value)| separate_secrets(&format!("{name}: {}", value.expose()))),
    );
    let (canonical, string_to_sign) = if request.method() == v2::METHOD {
        signed_v2(request, path, &query)
    } else {
        let text = rpc::string_to_sign(request.method(), &query);
        (String::new(), text)
    };
    Some(RebuiltRequest {
        request: lines,
        canonical: split_lines(&canonical),
        string_to_sign: split_lines(&string_to_sign),
    })
}

fn signed_v2(request: &StsRequest, path: &str, query: &[(&str, &str)]) -> (String, String) {
    let header = |header: &str| {
        let mut headers = request.headers();
        headers.find_map(|(name, value)| (name == header).then(|| value.expose()))
    };
    let headers = SignedHeaders {
        date: header(v2::header::DATE).unwrap_or_default(),
        security_token: header(v2::header::SECURITY_TOKEN),
    }
    .pairs();
    let canonical = CanonicalRequest {
        method: request.method(),
        path,
        query,
        headers: &headers,
        body_sha256: EMPTY_BODY_SHA256,
    };
    (canonical.text(), canonical.string_to_sign())
}

/// The texts before and after a secret.
const SECRET_DELIMITERS: [(&str, &str); 5] = [
    ("Signature=", "&"),
    ("SecurityToken=", "&"),
    ("x-acs-security-token:", "\n"),
    ("Signature%3D", "%26"),
    ("SecurityToken%3D", "%26"),
];

/// Splits `text` into lines. An empty text has no lines.
#[must_use]
pub fn split_lines(text: &str) -> Vec<Line> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split('\n').map(separate_secrets).collect()
}

/// Splits `line` into spans. The text between a pair of [`SECRET_DELIMITERS`] is a secret.
fn separate_secrets(line: &str) -> Line {
    let mut spans = Vec::new();
    let mut rest = line;
    while let Some((start, end)) = first_secret(rest) {
        let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let (secret, after) = from.split_at_checked(end).unwrap_or((from, ""));
        push(&mut spans, before, false);
        push(&mut spans, secret, true);
        rest = after;
    }
    push(&mut spans, rest, false);
    spans
}

/// Returns the start and the length of the first secret in `text`, if there is one.
fn first_secret(text: &str) -> Option<(usize, usize)> {
    SECRET_DELIMITERS
        .iter()
        .filter_map(|(before, after)| {
            let start = text.find(before)? + before.len();
            let rest = text.get(start..)?;
            let length = rest.find(after).unwrap_or(rest.len());
            (length > 0).then_some((start, length))
        })
        .min()
}

fn push(spans: &mut Line, text: &str, is_secret: bool) {
    if !text.is_empty() || spans.is_empty() && !is_secret {
        spans.push(Span {
            text: Secret::new(text),
            is_secret,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_with_secrets_is_split_into_spans() {
        for (line, expected) in [
            ("", ""),
            ("POST / HTTP/1.1", "POST / HTTP/1.1"),
            ("x-acs-security-token:S=&+", "x-acs-security-token:[S=&+]"),
            ("x-acs-security-token: S", "x-acs-security-token:[ S]"),
            (
                "a=1&SecurityToken=S%2B&Signature=T&Version=1",
                "a=1&SecurityToken=[S%2B]&Signature=[T]&Version=1",
            ),
            (
                "authorization: A b=c,Signature=0f",
                "authorization: A b=c,Signature=[0f]",
            ),
            (
                "Nonce%3D1%26SecurityToken%3DS%252B%26V",
                "Nonce%3D1%26SecurityToken%3D[S%252B]%26V",
            ),
            (
                "SignatureNonce=1&SignatureMethod=x",
                "SignatureNonce=1&SignatureMethod=x",
            ),
        ] {
            let marked: String = separate_secrets(line)
                .iter()
                .map(|span| match span.is_secret {
                    true => format!("[{}]", span.text.expose()),
                    false => span.text.expose().to_owned(),
                })
                .collect();
            assert_eq!(marked, expected);
        }
    }
}
