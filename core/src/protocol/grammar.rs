//! The characters that are allowed in IDs and values on the wire.

/// Returns whether `text` consists of `A-Z a-z 0-9 . _ -`. These characters have no special meaning in headers, queries
/// and messages.
pub(crate) fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Returns whether `text` is acceptable as an error code or ID of STS, which messages, logs and user IDs repeat.
pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=80).contains(&text.len()) && is_word(text)
}

/// Returns whether `value` consists of visible ASCII. Spaces are excluded because a signature trims them, and all other
/// characters because a proxy could change them.
pub(crate) fn is_sendable(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}
