//! Stray tokens: tokens of this authenticator in places where services or logs could read them.

use crate::protocol::{v1, v2};

/// The first bytes of tokens, in plain text and in base64 or base64url. The base64 text depends on the offset of the
/// token modulo three, so there is one entry for each of the three cases. Tokens in base64 occur in `Authorization:
/// Basic` and in `Sec-WebSocket-Protocol`.
const TOKEN_STARTS: [&[u8]; 8] = [
    v1::PREFIX.as_bytes(),
    v2::PREFIX.as_bytes(),
    b"azhzLWFjay12MS",
    b"azhzLWFjay12Mi",
    b"s4cy1hY2stdjEu",
    b"s4cy1hY2stdjIu",
    b"rOHMtYWNrLXYxL",
    b"rOHMtYWNrLXYyL",
];

/// The minimum number of base64 characters after the first bytes of a token. A host name such as
/// `k8s-ack-v2.example.com` has fewer.
const SHORTEST_PAYLOAD: usize = 24;

/// Returns whether `value`, the value of a header or a URL, contains a token of this authenticator.
#[must_use]
pub fn contains_token(value: &[u8]) -> bool {
    (0..value.len())
        .filter_map(|start| value.get(start..))
        .any(starts_with_token)
}

fn starts_with_token(text: &[u8]) -> bool {
    // This check of the first byte rejects most positions early.
    matches!(text.first(), Some(b'k' | b'a' | b's' | b'r'))
        && TOKEN_STARTS.iter().any(|start| {
            let payload = text.strip_prefix(*start).unwrap_or_default();
            let payload = payload.get(..SHORTEST_PAYLOAD).unwrap_or(b"-");
            // In a URL, `%` starts an escaped `+`, `/` or `=`.
            payload
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/%".contains(byte))
        })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::cluster_id::ClusterId;
    use crate::secret::Secret;
    use crate::sign::{self, AccessKey};
    use crate::time::UnixTime;

    fn token() -> String {
        let key = AccessKey {
            id: AccessKeyId::parse("LTAI5tExample").unwrap(),
            secret: Secret::new("secret"),
            security_token: None,
        };
        let cluster = ClusterId::parse("c1").unwrap();
        let token = sign::sign_token_v2(
            &key,
            &cluster,
            "test",
            UnixTime::from_seconds(1_780_000_000),
        );
        token.unwrap().expose().to_owned()
    }

    #[test]
    fn token_anywhere_in_value_is_detected() {
        let v2 = token();
        let v1 = v2.replace("k8s-ack-v2.", "k8s-ack-v1.");
        for token in [v2, v1] {
            for value in [
                token.clone(),
                format!("Bearer {token}"),
                format!("bEARER   {token}"),
                format!("Basic YTpi, Bearer {token}"),
                format!("session=1; token={token}; theme=dark"),
                format!("/path?a=b&token={token}"),
                format!(
                    "/path?token={}",
                    token.replace('+', "%2B").replace('/', "%2F")
                ),
                format!("\u{feff}\"{token}\""),
            ] {
                assert!(contains_token(value.as_bytes()), "{value}");
            }
            for before in ["", "u", "us", "use", "user:", "user-1:", "user-12:"] {
                let text = format!("{before}{token}");
                for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let value = format!("Basic {encoded}");
                    assert!(contains_token(value.as_bytes()), "{before}: {value}");
                }
            }
        }
    }

    #[test]
    fn token_like_value_is_not_detected() {
        for value in [
            "",
            "k",
            "k8s-ack-v2.",
            "k8s-ack-v2",
            "https://k8s-ack-v2.example.com/a/b/c/d/e/f/g/h",
            "k8s-ack-viewers",
            "K8S-ACK-V2.eyJtZXRob2QiOiJQT1NUIiwicXVlcnkiOns",
            "Basic azhzLWFjay12Mi5leGFtcGxlLmNvbQ==",
            "Basic YWxpY2U6c2VjcmV0",
            "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJlLWlzLWxvbmc",
        ] {
            assert!(!contains_token(value.as_bytes()), "{value}");
        }
    }
}
