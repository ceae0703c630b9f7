//! Random choices that are read from bytes, so that a failing case shrinks with its bytes. Zero is the plainest choice.

/// A source of choices.
pub(crate) struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
        }
    }

    /// Returns a number below `count`, which is at most 256.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let byte = self.bytes.next().copied().unwrap_or_default();
        usize::from(byte) % count
    }

    /// Returns true with the probability `part` of `whole`.
    pub(crate) fn happens(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) >= whole - part
    }

    /// Returns one of the items.
    pub(crate) fn one<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Returns the first item most of the time, and else one of all items.
    pub(crate) fn mostly_first<T: Copy>(&mut self, items: &[T]) -> T {
        match self.happens(1, 4) {
            true => self.one(items),
            false => items[0],
        }
    }

    /// Returns one of the first two items most of the time, and else one of all items. The lists start with good values.
    pub(crate) fn mostly_good<T: Copy>(&mut self, items: &[T]) -> T {
        match self.happens(1, 8) {
            true => self.one(items),
            false => self.one(&items[..items.len().min(2)]),
        }
    }
}
