//! The token in a request's headers.

use std::fmt;

use crate::secret::Secret;

/// Why a request has no token to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBearer {
    /// There is none, or credentials of another scheme.
    Missing,
    /// There is more than one, and one service would take this, another that.
    Several,
    /// It is no text.
    Malformed,
}

impl fmt::Display for NoBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no token",
            Self::Several => "there is more than one token; send one",
            Self::Malformed => "the token is no text; send it as it was made",
        })
    }
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

/// A header that no token can come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTokenHeader;

impl fmt::Display for NoTokenHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "cannot carry a token; write `authorization` or a header of its own, such as `x-ram-token` (a cookie would invite requests from other sites)",
        )
    }
}

impl std::error::Error for NoTokenHeader {}

impl TokenHeader {
    const AUTHORIZATION: &'static str = "authorization";

    /// The header `name`, in any case.
    ///
    /// # Errors
    /// When it is no header's name, or has a meaning of its own.
    pub fn new(name: &str) -> Result<Self, NoTokenHeader> {
        let name = name.to_ascii_lowercase();
        let is_taken = matches!(
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
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if is_taken || !name.bytes().all(is_part) {
            return Err(NoTokenHeader);
        }
        Ok(Self(name))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How a token stands in it.
    pub(super) fn example(&self) -> String {
        match self.0.as_str() {
            Self::AUTHORIZATION => "Authorization: Bearer <token>".to_owned(),
            own => format!("{own}: <token>"),
        }
    }

    /// The token in `values`, all values of this header.
    ///
    /// # Errors
    /// As [`bearer`].
    pub fn bearer<'a>(
        &self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Secret, NoBearer> {
        bearer(values, self.0 == Self::AUTHORIZATION)
    }
}

/// The token in `values`, all values of the one header that carries it. `Authorization` says `Bearer` before it (RFC
/// 6750, 2.1; RFC 9110, 11.1: in any case), a header of its own may.
///
/// # Errors
/// When there is no token, or more than one.
pub fn bearer<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    is_authorization: bool,
) -> Result<Secret, NoBearer> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(NoBearer::Missing)?;
    if values.next().is_some() {
        return Err(NoBearer::Several);
    }
    let text = std::str::from_utf8(value).map_err(|_| NoBearer::Malformed)?;
    let text = text.trim_matches([' ', '\t']);
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            token.trim_start_matches(' ')
        }
        None if !is_authorization && !text.eq_ignore_ascii_case("bearer") => text,
        _ => return Err(NoBearer::Missing),
    };
    if token.is_empty() {
        return Err(NoBearer::Missing);
    }
    // What proxies make of a header that is there twice (RFC 9110, 5.3). No token has a comma.
    if token.contains(',') {
        return Err(NoBearer::Several);
    }
    Ok(Secret::new(token))
}
