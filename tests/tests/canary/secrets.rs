//! The secrets that must not leak, all forms in which they could, and the search for them.

use std::fmt::Write as _;

use ack_ram_core::secret::Secret;
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use form_urlencoded::byte_serialize;
use serde_json::Value;

/// Number of consecutive characters of a mark that count as a leak.
const PART_OF_MARK: usize = 8;
/// The same for tokens and signatures. It is larger because parts of them resemble harmless texts.
const PART_OF_TOKEN: usize = 16;

/// Secrets that must not leak.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Texts that occur nowhere else.
    marks: Vec<&'static str>,
    tokens: Vec<String>,
}

/// Finds parts of secrets, ignoring case.
pub(crate) struct Search(AhoCorasick);

impl Secrets {
    pub(crate) fn new(marks: &[&'static str]) -> Self {
        Self {
            marks: marks.to_vec(),
            tokens: Vec::new(),
        }
    }

    /// Adds the secrets in `token`.
    pub(crate) fn add_token(&mut self, token: &Secret) {
        let token = token.expose();
        // Messages may quote the prefix of a token.
        let payload = token.rsplit_once('.').map_or(token, |(_, payload)| payload);
        self.tokens.push(payload.to_owned());
        let json = STANDARD.decode(payload).unwrap_or_default();
        let json: Value = serde_json::from_slice(&json).unwrap_or_default();
        let authorization = json["headers"]["Authorization"].as_str();
        if let Some((_, signature)) = authorization.and_then(|text| text.split_once("Signature=")) {
            self.tokens.push(signature.to_owned());
        }
    }

    pub(crate) fn search(&self) -> Search {
        let marks = self.marks.iter().flat_map(|mark| {
            let forms = forms(mark).into_iter();
            forms.flat_map(|(_, form, times)| parts(&form, times * PART_OF_MARK))
        });
        let tokens = self.tokens.iter().flat_map(|token| {
            let escaped: String = byte_serialize(token.as_bytes()).collect();
            [parts(token, PART_OF_TOKEN), parts(&escaped, PART_OF_TOKEN)].concat()
        });
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(marks.chain(tokens));
        Search(search.unwrap())
    }
}

impl Search {
    /// Returns the first part of a secret in `text`, with its surroundings.
    pub(crate) fn find(&self, text: &[u8]) -> Option<String> {
        let found = self.0.find(text)?;
        let start = found.start().saturating_sub(200);
        let end = text.len().min(found.end() + 200);
        let part = String::from_utf8_lossy(&text[found.range()]).into_owned();
        let around = String::from_utf8_lossy(&text[start..end]).into_owned();
        Some(format!("`{part}` in: {around}"))
    }
}

/// Returns the forms in which `text` may leak: the name of each form, the encoded text, and the maximum number of
/// characters for one character of `text`.
pub(crate) fn forms(text: &str) -> Vec<(&'static str, String, usize)> {
    let bytes = text.as_bytes();
    let each = |write: fn(&mut String, &u8)| {
        let mut all = String::new();
        bytes.iter().for_each(|byte| write(&mut all, byte));
        all
    };
    let hex = each(|all, byte| write!(all, "{byte:02x}").unwrap());
    let percent = each(|all, byte| write!(all, "%{byte:02X}").unwrap());
    let debug = each(|all, byte| write!(all, "{byte}, ").unwrap());
    let mut forms = vec![
        ("as it is", text.to_owned(), 1),
        ("with escapes", byte_serialize(bytes).collect(), 1),
        ("in hex", hex, 2),
        ("percent-encoded", percent, 3),
        ("as numbers", debug, 4),
    ];
    for base64 in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for offset in 0..3 {
            // At another offset, the first group of three bytes contains bytes from elsewhere, and so may the last one.
            let shifted = [&[0; 2][..offset], bytes].concat();
            let encoded = base64.encode(&shifted[..shifted.len() / 3 * 3]);
            let own = if offset == 0 { 0 } else { 4 };
            forms.push(("in base64", encoded[own..].to_owned(), 1));
        }
    }
    forms
}

/// Splits `text` into adjacent parts. A text that is twice as long as a part contains a complete one.
fn parts(text: &str, length: usize) -> Vec<String> {
    let parts = text.as_bytes().chunks_exact(length);
    parts
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}
