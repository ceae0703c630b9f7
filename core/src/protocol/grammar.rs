//! The characters that ids and values on the wire may have.

/// Returns whether `text` has only `A-Z a-z 0-9 . _ -`, which have no meaning in a header, a query or a message.
pub(crate) fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Returns whether `text` is a code or id of STS: codes and ids go into messages, logs and user ids.
pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=80).contains(&text.len()) && is_word(text)
}

/// Returns whether `value` is visible ASCII: no space, which a signature trims, no control character, nothing that a proxy could read otherwise.
pub(crate) fn is_sendable(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}
