//! Counts the frames of HTTP/2 that a client sends (RFC 9113, 4.1). No sockets.

/// What a client of HTTP/2 says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags and stream.
const HEAD: usize = 9;
/// The type of a frame of a body.
const DATA: u8 = 0;
/// A frame of a body that is at least so long is paid for by the limits on bodies.
const SMALL_DATA: usize = 256;

/// Follows what a client sends, in pieces of any size.
#[derive(Debug)]
pub(super) enum FrameCounter {
    /// So much of the preface has come.
    Preface(usize),
    /// It is not HTTP/2.
    OtherProtocol,
    /// So much of the head of a frame has come.
    Head([u8; HEAD], usize),
    /// So much of a frame is still to come.
    Payload(usize),
}

impl FrameCounter {
    pub(super) fn new() -> Self {
        Self::Preface(0)
    }

    /// Returns how many frames begin in `bytes`, but for those that carry more than a little of a body.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut count = 0_u32;
        while let Some((first, rest)) = bytes.split_first() {
            match self {
                Self::Preface(seen) => {
                    if PREFACE.get(*seen) != Some(first) {
                        *self = Self::OtherProtocol;
                    } else if *seen + 1 == PREFACE.len() {
                        *self = Self::Head([0; HEAD], 0);
                    } else {
                        *seen += 1;
                    }
                    bytes = rest;
                }
                Self::OtherProtocol => return 0,
                Self::Head(head, seen) => {
                    if let Some(byte) = head.get_mut(*seen) {
                        *byte = *first;
                    }
                    *seen += 1;
                    bytes = rest;
                    if *seen == HEAD {
                        let [high, middle, low, kind, ..] = *head;
                        let length = u32::from_be_bytes([0, high, middle, low]);
                        let length = usize::try_from(length).unwrap_or(usize::MAX);
                        if kind != DATA || length < SMALL_DATA {
                            count = count.saturating_add(1);
                        }
                        *self = Self::after_head(length);
                    }
                }
                Self::Payload(left) => {
                    let skipped = bytes.len().min(*left);
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    *self = Self::after_head(*left - skipped);
                }
            }
        }
        count
    }

    fn after_head(left: usize) -> Self {
        match left {
            0 => Self::Head([0; HEAD], 0),
            left => Self::Payload(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 0]);
        frame.resize(
            frame.len() + usize::try_from(u32::from_be_bytes(length)).unwrap(),
            b'x',
        );
        frame
    }

    #[test]
    fn frames_are_counted_in_pieces_of_any_size() {
        let said = [
            PREFACE.to_vec(),
            frame(4, 0),
            frame(1, 40),
            frame(DATA, SMALL_DATA),
            frame(DATA, SMALL_DATA - 1),
            frame(DATA, 0),
            frame(6, 8),
            frame(0x42, 70_000),
            frame(8, 4),
        ]
        .concat();
        for piece in [1, 2, 8, 9, 10, 23, 24, 25, 1_000, said.len()] {
            let mut frames = FrameCounter::new();
            let counts = said.chunks(piece).map(|piece| frames.count(piece));
            assert_eq!(counts.sum::<u32>(), 7, "{piece}");
        }
    }

    #[test]
    fn other_protocol_has_no_frames() {
        for said in [
            "GET / HTTP/1.1\r\n\r\n",
            "PRI * HTTP/2.1\r\n\r\n",
            "\r\n\r\n",
        ] {
            let mut frames = FrameCounter::new();
            assert_eq!(frames.count(said.as_bytes()), 0);
            assert_eq!(frames.count(&frame(6, 8)), 0);
        }
    }
}
