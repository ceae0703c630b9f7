//! Names and values from tokens that messages may quote.

use std::fmt;

/// A name or value from a token that a message may quote: at most 64 visible ASCII characters, else only the length.
///
/// It holds no secret: only member names, cluster ids and methods are quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(Result<Box<str>, usize>);

impl Quoted {
    pub(crate) fn new(text: &str) -> Self {
        let quotable = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'`');
        Self(if quotable {
            Ok(text.into())
        } else {
            Err(text.len())
        })
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(text) => write!(f, "`{text}`"),
            Err(length) => write!(f, "({length} bytes that cannot be shown)"),
        }
    }
}
