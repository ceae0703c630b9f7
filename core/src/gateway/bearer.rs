//! Extracts the token from the headers of a request.

use crate::secret::Secret;

/// The reason why a request has no usable token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// There is no token, or the credentials have another scheme.
    #[error("there is no token")]
    Missing,
    /// There is more than one token. Different services might use different ones.
    #[error("there is more than one token; send exactly one")]
    Multiple,
    /// The token is not valid UTF-8.
    #[error("the token is not valid UTF-8; send it unchanged")]
    Malformed,
}

/// The name of the header that carries tokens, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHeader(String);

impl Default for TokenHeader {
    /// Returns the header `Authorization`.
    fn default() -> Self {
        Self(Self::AUTHORIZATION.to_owned())
    }
}

/// The error of a header that cannot carry tokens: its name is invalid, or the header has another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot carry a token; use `authorization` or a dedicated header, such as `x-ram-token` (a cookie would allow cross-site requests)"
)]
pub struct InvalidTokenHeader;

impl TokenHeader {
    const AUTHORIZATION: &'static str = "authorization";

    /// Creates the header `name`. The case of `name` is ignored.
    ///
    /// # Errors
    /// `name` is not a valid header name, or the header has another purpose.
    pub fn new(name: &str) -> Result<Self, InvalidTokenHeader> {
        let name = name.to_ascii_lowercase();
        let has_other_purpose = matches!(
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
        if has_other_purpose || !name.bytes().all(is_name_byte) {
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

    /// Extracts the token from `values`, all values of this header in a request.
    ///
    /// # Errors
    /// Returns the same errors as [`extract_bearer`].
    pub fn extract_token<'a>(
        &self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Secret, BearerError> {
        extract_bearer(values, self.0 == Self::AUTHORIZATION)
    }
}

/// Extracts the token from `values`, all values of the header that carries it.
///
/// In `Authorization`, the scheme `Bearer` must precede the token, in any case (RFC 6750, 2.1; RFC 9110, 11.1). In any
/// other header, the scheme is optional.
///
/// # Errors
/// There is no token, there is more than one, or the value is not valid UTF-8.
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
    // Proxies may join repeated headers with a comma (RFC 9110, 5.3). No token contains a comma.
    if token.contains(',') {
        return Err(BearerError::Multiple);
    }
    Ok(Secret::new(token))
}
