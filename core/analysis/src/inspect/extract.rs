//! Extracts tokens from pasted text: bare tokens, and tokens with the text around them that was copied, too.

use serde::Serialize;
use serde_json::Value;

use ack_ram_core::protocol::FAMILY_PREFIX;
use ack_ram_core::secret::Secret;

/// The most tokens that are extracted from one text.
pub const MAX_TOKENS: usize = 16;

/// What kubectl writes in place of a token.
const MASKED: &str = "<masked>";

/// A token and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtractedToken {
    /// The token.
    pub token: Secret,
    /// The surroundings of the token.
    pub origin: TokenOrigin,
}

/// The surroundings of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenOrigin {
    /// Nothing but white space.
    Bare,
    /// `Bearer`, as in an `Authorization` header.
    Bearer,
    /// What a credential plugin prints (`client.authentication.k8s.io`).
    ExecCredential,
    /// What the API server asks (`authentication.k8s.io`).
    TokenReview,
    /// Any other text, such as what `kubectl -v=9` prints.
    Text,
}

/// Why no token could be extracted from a text. The text is never quoted: it may be a secret of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ExtractError {
    /// It is white space.
    #[error("there is nothing in it")]
    Empty,
    /// It starts as JSON does and does not go on so.
    #[error(
        "what starts with `{{` is no token and not whole JSON; give all that the credential plugin printed, or the bare token"
    )]
    NotJson,
    /// It is JSON that has nothing where an ExecCredential or a TokenReview has its token.
    #[error(
        "the JSON has no text at `status.token`, where an ExecCredential has its token, nor at `spec.token` of a TokenReview; give all that the credential plugin printed, or the bare token"
    )]
    NotThere,
    /// kubectl has put `<masked>` in its place.
    #[error(
        "kubectl writes `<masked>` in place of the token; run the command of the kubeconfig's `exec` by hand, which prints it"
    )]
    Masked,
}

/// The tokens in `text`, at least one and each once. A text that is nothing else is taken as one token, whatever it is.
///
/// # Errors
/// When there can be none.
pub fn extract_tokens(text: &str) -> Result<Vec<ExtractedToken>, ExtractError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ExtractError::Empty);
    }
    if text.starts_with('{') {
        return extract_from_json(text).map_or_else(
            |why| scan_for_tokens(text).ok_or(why),
            |found| Ok(vec![found]),
        );
    }
    let is_alone = text.starts_with(FAMILY_PREFIX) && text.matches(FAMILY_PREFIX).count() == 1;
    if is_alone {
        return Ok(vec![extracted(text, TokenOrigin::Bare)]);
    }
    if let Some(tokens) = scan_for_tokens(text) {
        return Ok(tokens);
    }
    match word_after_bearer(text) {
        Some(MASKED) => Err(ExtractError::Masked),
        Some(token) => Ok(vec![extracted(token, TokenOrigin::Bearer)]),
        None => Ok(vec![extracted(text, TokenOrigin::Bare)]),
    }
}

fn extracted(token: &str, origin: TokenOrigin) -> ExtractedToken {
    ExtractedToken {
        token: Secret::new(token),
        origin,
    }
}

fn extract_from_json(text: &str) -> Result<ExtractedToken, ExtractError> {
    let document: Value = serde_json::from_str(text).map_err(|_| ExtractError::NotJson)?;
    [
        ("/status/token", TokenOrigin::ExecCredential),
        ("/spec/token", TokenOrigin::TokenReview),
    ]
    .into_iter()
    .find_map(|(pointer, origin)| {
        let token = document.pointer(pointer)?.as_str()?;
        (!token.is_empty()).then(|| extracted(token, origin))
    })
    .ok_or(ExtractError::NotThere)
}

/// Finds tokens by their prefix, anywhere in `text`.
fn scan_for_tokens(text: &str) -> Option<Vec<ExtractedToken>> {
    let mut found: Vec<ExtractedToken> = Vec::new();
    for (start, _) in text.match_indices(FAMILY_PREFIX) {
        let rest = text.get(start..)?;
        let end = rest.find(|character| !is_token_character(character));
        let token = rest.get(..end.unwrap_or(rest.len()))?;
        let before = text.get(..start)?.trim_end();
        let origin = if ends_with_bearer(before) {
            TokenOrigin::Bearer
        } else {
            TokenOrigin::Text
        };
        let next = extracted(token, origin);
        if found.iter().all(|known| known.token != next.token) {
            found.push(next);
        }
        if found.len() == MAX_TOKENS {
            break;
        }
    }
    (!found.is_empty()).then_some(found)
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+/=-_.".contains(character)
}

fn ends_with_bearer(text: &str) -> bool {
    let start = text.len().saturating_sub("bearer".len());
    text.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case("bearer"))
}

/// Returns the word after the first `Bearer`.
fn word_after_bearer(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace();
    words.find(|word| ends_with_bearer(word))?;
    let word = words.next()?;
    let end = word.find(['"', '\'', ',']).unwrap_or(word.len());
    word.get(..end).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_text_yields_tokens_with_origin() {
        use TokenOrigin::{Bare, Bearer, ExecCredential, Text, TokenReview};
        for (text, expected) in [
            (" k8s-ack-v2.e30=\n", Ok(vec![("k8s-ack-v2.e30=", Bare)])),
            ("k8s-ack-v2.e3\n0=", Ok(vec![("k8s-ack-v2.e3\n0=", Bare)])),
            ("k8s-ack-v2.é", Ok(vec![("k8s-ack-v2.é", Bare)])),
            ("eyJ.e30.x", Ok(vec![("eyJ.e30.x", Bare)])),
            (
                "Authorization: Bearer k8s-ack-v2.e30=",
                Ok(vec![("k8s-ack-v2.e30=", Bearer)]),
            ),
            (
                "authorization: bearer eyJ.e30.x",
                Ok(vec![("eyJ.e30.x", Bearer)]),
            ),
            (
                "curl -H \"Authorization: Bearer abc\" 'https://x'",
                Ok(vec![("abc", Bearer)]),
            ),
            (
                "round_trippers.go:466] curl -v -XGET -H \"Authorization: Bearer <masked>\" 'https://x'",
                Err(ExtractError::Masked),
            ),
            (
                r#"request.go:1351] Request Body: {"spec":{"token":"k8s-ack-v2.e30="}} k8s-ack-v2.e30="#,
                Ok(vec![("k8s-ack-v2.e30=", Text)]),
            ),
            (
                "k8s-ack-v2.AA==\nk8s-ack-v1.AAAA",
                Ok(vec![("k8s-ack-v2.AA==", Text), ("k8s-ack-v1.AAAA", Text)]),
            ),
            (
                r#"{"status": {"token": "x"}}"#,
                Ok(vec![("x", ExecCredential)]),
            ),
            (
                r#"{"spec": {"token": "x y"}}"#,
                Ok(vec![("x y", TokenReview)]),
            ),
            (
                r#"{"a": "k8s-ack-v2.e30="} {"#,
                Ok(vec![("k8s-ack-v2.e30=", Text)]),
            ),
            (r#"{"status": {"token": ""}}"#, Err(ExtractError::NotThere)),
            (
                r#"{"status": {"token": ["x"]}}"#,
                Err(ExtractError::NotThere),
            ),
            (r#"{"status": {"token": "x""#, Err(ExtractError::NotJson)),
            (
                r#"{"status": {"token": "x"}} {"#,
                Err(ExtractError::NotJson),
            ),
            (" \n", Err(ExtractError::Empty)),
        ] {
            let expected = expected.map(|found| {
                let found = found.into_iter();
                found
                    .map(|(token, origin)| extracted(token, origin))
                    .collect()
            });
            assert_eq!(extract_tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn pasted_text_with_many_tokens_is_truncated() {
        let many: String = (0..10_000).map(|n| format!("k8s-ack-v2.{n} ")).collect();
        assert_eq!(
            extract_tokens(&many).map(|found| found.len()),
            Ok(MAX_TOKENS)
        );
    }
}
