//! A key that is stored in the table itself, so that a comparison reads no other memory.

use std::sync::Arc;

/// The maximum length of an inline key. It makes an entry of the ARN index 80 bytes. The rest of an ARN takes 31 bytes,
/// so a name of 31 bytes fits.
const MAX_INLINE: usize = 62;

/// A key of bytes. Keys longer than [`MAX_INLINE`] are on the heap.
#[derive(Clone, Debug)]
pub(crate) enum InlineKey {
    Inline { length: u8, bytes: [u8; MAX_INLINE] },
    Heap(Arc<[u8]>),
}

impl From<&[u8]> for InlineKey {
    fn from(key: &[u8]) -> Self {
        let mut bytes = [0; MAX_INLINE];
        match (u8::try_from(key.len()), bytes.get_mut(..key.len())) {
            (Ok(length), Some(start)) => {
                start.copy_from_slice(key);
                Self::Inline { length, bytes }
            }
            _ => Self::Heap(key.into()),
        }
    }
}

impl AsRef<[u8]> for InlineKey {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => bytes.get(..(*length).into()).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_key_round_trips_any_length() {
        for length in [0, 1, 61, 62, 63, 255, 256, 318, 1_024] {
            let text: Vec<u8> = (b'a'..=b'z').cycle().take(length).collect();
            let key = InlineKey::from(text.as_slice());
            assert_eq!(key.as_ref(), text);
            let is_inline = matches!(key, InlineKey::Inline { .. });
            assert_eq!(is_inline, length <= MAX_INLINE, "{length}");
        }
    }
}
