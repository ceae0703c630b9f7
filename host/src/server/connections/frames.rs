//! Counts the HTTP/2 frames that a client sends (RFC 9113, 4.1), without sockets.

/// The first bytes of an HTTP/2 client (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Size of the head of a frame: length, type, flags and stream.
const HEAD: usize = 9;
/// Type of the frames of a body.
const DATA: u8 = 0;
/// Minimum size of a body frame that is not counted, because the limits on bodies cover it.
const SMALL_DATA: usize = 256;

/// Parses what a client sends, in chunks of any size.
#[derive(Debug)]
pub(super) enum FrameCounter {
    /// This many bytes of the preface have arrived.
    Preface(usize),
    /// The client does not speak HTTP/2.
    OtherProtocol,
    /// This many bytes of the head of a frame have arrived.
    Head([u8; HEAD], usize),
    /// This many bytes of a frame are missing.
    Payload(usize),
}

impl FrameCounter {
    pub(super) fn new() -> Self {
        Self::Preface(0)
    }

    /// Returns the number of frames that start in `bytes`, except body frames that are not small.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut count = 0_u32;
        while let Some((first, rest)) = bytes.split_first() {
            match self {
                Self::Preface(received) => {
                    if PREFACE.get(*received) != Some(first) {
                        *self = Self::OtherProtocol;
                    } else if *received + 1 == PREFACE.len() {
                        *self = Self::Head([0; HEAD], 0);
                    } else {
                        *received += 1;
                    }
                    bytes = rest;
                }
                Self::OtherProtocol => return 0,
                Self::Head(head, received) => {
                    if let Some(byte) = head.get_mut(*received) {
                        *byte = *first;
                    }
                    *received += 1;
                    bytes = rest;
                    if *received == HEAD {
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
    fn frames_are_counted_in_chunks_of_any_size() {
        let input = [
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
        for piece in [1, 2, 8, 9, 10, 23, 24, 25, 1_000, input.len()] {
            let mut frames = FrameCounter::new();
            let counts = input.chunks(piece).map(|piece| frames.count(piece));
            assert_eq!(counts.sum::<u32>(), 7, "{piece}");
        }
    }

    #[test]
    fn other_protocol_has_no_frames() {
        for input in [
            "GET / HTTP/1.1\r\n\r\n",
            "PRI * HTTP/2.1\r\n\r\n",
            "\r\n\r\n",
        ] {
            let mut frames = FrameCounter::new();
            assert_eq!(frames.count(input.as_bytes()), 0);
            assert_eq!(frames.count(&frame(6, 8)), 0);
        }
    }
}
