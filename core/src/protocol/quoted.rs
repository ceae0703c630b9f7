//! Quotes names and values from tokens in messages.

use std::fmt;

/// A name or value from a token, for messages. It displays at most 64 visible ASCII characters, and any other text as
/// its length.
///
/// Quote only what is not secret: names of fields, cluster IDs, and values of fields whose valid value is fixed.
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
            Err(length) => write!(f, "({length} bytes, not shown)"),
        }
    }
}
