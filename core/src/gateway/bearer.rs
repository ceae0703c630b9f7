//! The token in a request's headers.

use crate::secret::Secret;

/// Why no token could be taken from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// There is no token, or the credentials are of another scheme.
    #[error("there is no token")]
    Missing,
    /// There is more than one token, and services would not agree which one counts.
    #[error("there is more than one token; send one")]
    Multiple,
    /// The token is not valid UTF-8.
    #[error("the token is no text; send it as it was made")]
    Malformed,
}

/// The name of the header that carries tokens, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHeader(String);

impl Default for TokenHeader {
    /// `Authorization`.
    fn default() -> Self {
        Self(Self::AUTHORIZATION.to_owned())
    }
}

/// Why a header cannot carry tokens: its name is no header name, or the header has a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot carry a token; write `authorization` or a header of its own, such as `x-ram-token` (a cookie would invite requests from other sites)"
)]
pub struct InvalidTokenHeader;

impl TokenHeader {
    const AUTHORIZATION: &'static str = "authorization";

    /// Returns the header `name`, which may be in any case.
    ///
    /// # Errors
    /// When `name` is no header name, or the header has a meaning of its own.
    pub fn new(name: &str) -> Result<Self, InvalidTokenHeader> {
        let name = name.to_ascii_lowercase();
        let has_own_meaning = matches!(
            &*name,
            "" | "cookie"
                | "host"
                | "connection"
                | "upgrade"
                | "te"
                | "content-type"
                | "content-length"
                | "transfer-encoding"
        );
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if has_own_meaning || !name.bytes().all(is_name_byte) {
            return Err(InvalidTokenHeader);
        }
        Ok(Self(name))
    }

    /// Returns the header's name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns an example of the header with a token.
    pub(super) fn example(&self) -> String {
        match self.0.as_str() {
            Self::AUTHORIZATION => "Authorization: Bearer <token>".to_owned(),
            name => format!("{name}: <token>"),
        }
    }

    /// Extracts the token from `values`, all values of this header.
    ///
    /// # Errors
    /// As [`extract_bearer`].
    pub fn extract_token<'a>(
        &self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Secret, BearerError> {
        extract_bearer(values, self.0 == Self::AUTHORIZATION)
    }
}

/// Extracts the token from `values`, all values of the one header that carries it. `Authorization` requires `Bearer`
/// before the token (RFC 6750, 2.1; RFC 9110, 11.1: in any case), another header allows it.
///
/// # Errors
/// When there is no token, or more than one.
pub fn extract_bearer<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    is_authorization: bool,
) -> Result<Secret, BearerError> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(BearerError::Missing)?;
    if values.next().is_some() {
        return Err(BearerError::Multiple);
    }
    let text = std::str::from_utf8(value).map_err(|_| BearerError::Malformed)?;
    let text = text.trim_matches([' ', '\t']);
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            token.trim_start_matches(' ')
        }
        None if !is_authorization && !text.eq_ignore_ascii_case("bearer") => text,
        _ => return Err(BearerError::Missing),
    };
    if token.is_empty() {
        return Err(BearerError::Missing);
    }
    // What proxies make of a header that is there twice (RFC 9110, 5.3). No token has a comma.
    if token.contains(',') {
        return Err(BearerError::Multiple);
    }
    Ok(Secret::new(token))
}
