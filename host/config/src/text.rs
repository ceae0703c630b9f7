//! Decoding of the bytes of a file to text.

use crate::diagnostic::Position;

/// Reason why the bytes of a file cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes have another encoding, as their byte order mark or their zeros show.
    #[error("it is {0}, not UTF-8; save it as UTF-8 (in PowerShell: `Out-File -Encoding utf8`)")]
    Encoding(&'static str),
    /// The bytes contain a NUL character.
    #[error("it contains a NUL character in line {line} at byte {column}; remove it")]
    Nul {
        /// Line, counted from one.
        line: usize,
        /// Column in bytes, counted from one.
        column: usize,
    },
    /// The bytes are not UTF-8.
    #[error(
        "the byte 0x{byte:02x} in line {line} at byte {column} is not UTF-8; save the file as UTF-8"
    )]
    NotUtf8 {
        /// Line, counted from one.
        line: usize,
        /// Column in bytes, counted from one.
        column: usize,
        /// First invalid byte.
        byte: u8,
    },
}

impl DecodeError {
    /// Returns the position of the invalid byte; `None` for [`Self::Encoding`].
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match *self {
            Self::Encoding(_) => None,
            Self::Nul { line, column } | Self::NotUtf8 { line, column, .. } => Some(Position {
                line: line as u64,
                column: column as u64,
            }),
        }
    }
}

/// Byte order marks of encodings that are recognized but not supported.
const UTF_32_MARKS: [(&[u8], &str); 2] = [
    (&[0xff, 0xfe, 0, 0], "UTF-32 (little endian)"),
    (&[0, 0, 0xfe, 0xff], "UTF-32 (big endian)"),
];

/// Combines two bytes into a UTF-16 code unit.
type ReadCodeUnit = fn([u8; 2]) -> u16;

/// Byte order marks of the supported encodings, with the name of the encoding in errors.
///
/// The Go YAML parser also supports these encodings. `>` in PowerShell writes the first.
const UTF_16_MARKS: [(&[u8], &str, ReadCodeUnit); 2] = [
    (
        &[0xff, 0xfe],
        "malformed UTF-16 (little endian)",
        u16::from_le_bytes,
    ),
    (
        &[0xfe, 0xff],
        "malformed UTF-16 (big endian)",
        u16::from_be_bytes,
    ),
];

/// Number of bytes that are searched for the zeros of UTF-16 and UTF-32 without a byte order mark.
const MAX_SAMPLE_BYTES: usize = 4096;

/// Decodes `bytes`: UTF-8, or UTF-16 with a byte order mark. The result has no byte order mark.
///
/// # Errors
/// Returns an error if the bytes are not text in one of these encodings.
pub fn decode(bytes: Vec<u8>) -> Result<String, DecodeError> {
    let is_match = |(mark, _): &&(&[u8], &'static str)| bytes.starts_with(mark);
    if let Some((_, name)) = UTF_32_MARKS.iter().find(is_match) {
        return Err(DecodeError::Encoding(name));
    }
    for (mark, name, unit) in UTF_16_MARKS {
        if let Some(rest) = bytes.strip_prefix(mark) {
            let text = from_utf16(rest, unit).ok_or(DecodeError::Encoding(name))?;
            let nul = text
                .find('\0')
                .map(|index| line_and_column(text.as_bytes(), index));
            return match nul {
                Some((line, column)) => Err(DecodeError::Nul { line, column }),
                None => Ok(text),
            };
        }
    }
    if let Some(index) = bytes.iter().position(|byte| *byte == 0) {
        let (line, column) = line_and_column(&bytes, index);
        return Err(detect_wide_encoding(&bytes)
            .map_or(DecodeError::Nul { line, column }, DecodeError::Encoding));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let index = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let (line, column) = line_and_column(bytes, index);
        let byte = bytes.get(index).copied().unwrap_or_default();
        DecodeError::NotUtf8 { line, column, byte }
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

fn from_utf16(bytes: &[u8], unit: ReadCodeUnit) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    rest.is_empty()
        .then(|| text.collect::<Result<_, _>>().ok())?
}

/// Detects UTF-16 or UTF-32 without a byte order mark by the zeros in `bytes`. Most characters of a configuration are
/// ASCII, so the other bytes of each character are zero.
fn detect_wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    let sample = bytes.get(..MAX_SAMPLE_BYTES).unwrap_or(bytes);
    let (quads, _) = sample.as_chunks::<4>();
    if quads.first().is_some_and(|quad| *quad != [0; 4]) {
        if quads.iter().all(|quad| matches!(quad, [_, _, 0, 0])) {
            return Some("UTF-32 (little endian) without a byte order mark");
        }
        if quads.iter().all(|quad| matches!(quad, [0, 0, _, _])) {
            return Some("UTF-32 (big endian) without a byte order mark");
        }
    }
    let pairs = sample.chunks_exact(2);
    let count = pairs.len();
    let (mut high, mut low) = (0, 0);
    for pair in pairs {
        match pair {
            [0, 0] => return None,
            [0, _] => high += 1,
            [_, 0] => low += 1,
            _ => {}
        }
    }
    let is_most = |some: usize, other: usize| other == 0 && some > 0 && some * 3 >= count;
    if is_most(low, high) {
        Some("UTF-16 (little endian) without a byte order mark")
    } else if is_most(high, low) {
        Some("UTF-16 (big endian) without a byte order mark")
    } else {
        None
    }
}

/// Returns the line and the byte in it at `index`, both counted from one.
fn line_and_column(bytes: &[u8], index: usize) -> (usize, usize) {
    let before = bytes.get(..index).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n');
    (line, index - start.map_or(0, |start| start + 1) + 1)
}

#[cfg(test)]
mod tests;
