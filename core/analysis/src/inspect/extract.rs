//! Extracts tokens from pasted text: bare tokens, and tokens inside other text.

use serde::Serialize;
use serde_json::Value;

use ack_ram_core::protocol::FAMILY_PREFIX;
use ack_ram_core::secret::Secret;

/// The maximum number of tokens to extract from one text.
pub const MAX_TOKENS: usize = 16;

/// The text that kubectl prints in place of a token.
const MASKED: &str = "<masked>";

/// An extracted token and its origin.
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
    /// Only white space.
    Bare,
    /// The word `Bearer`, as in an `Authorization` header.
    Bearer,
    /// The output of a credential plugin: an ExecCredential of `client.authentication.k8s.io`.
    ExecCredential,
    /// A request of the API server: a TokenReview of `authentication.k8s.io`.
    TokenReview,
    /// Any other text, such as the output of `kubectl -v=9`.
    Text,
}

/// The reason that no token could be extracted from a text. Messages never quote the text, because it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ExtractError {
    /// The text is empty or white space.
    #[error("the input is empty")]
    Empty,
    /// The text starts like JSON, but is not valid JSON.
    #[error(
        "the input starts with `{{` but is not valid JSON; paste the complete output of the credential plugin, or only the token"
    )]
    NotJson,
    /// The JSON has no token where an ExecCredential or a TokenReview has it.
    #[error(
        "the JSON has no token: expected text in `status.token` (ExecCredential) or `spec.token` (TokenReview); paste the complete output of the credential plugin, or only the token"
    )]
    NotThere,
    /// kubectl replaced the token with `<masked>`.
    #[error(
        "kubectl prints `<masked>` in place of the token; to get the token, run the `exec` command of the kubeconfig by hand"
    )]
    Masked,
}

/// Extracts the distinct tokens from `text`. The list is never empty: a text of no recognized form counts as one token.
///
/// # Errors
/// When the text is empty, is JSON without a token, or has a masked token.
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
