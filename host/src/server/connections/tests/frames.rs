//! HTTP/2 frames of the client, written and read.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::FOREVER;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Builds an HTTP/2 frame (RFC 9113, 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
pub(super) const END_STREAM_AND_HEADERS: u8 = 5;
/// `:method: GET`, `:scheme: http`, `:path: /`, `:authority: h`, from the static table.
pub(super) const GET_ROOT: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'h'];

/// Reads frames until the connection is closed. Returns type, stream and payload of each.
pub(super) async fn read_frames(mut stream: TcpStream) -> Vec<(u8, u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    let _ended = tokio::time::timeout(FOREVER, stream.read_to_end(&mut bytes))
        .await
        .expect("the connection is closed");
    let mut rest = &*bytes;
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let Some((payload, next)) = after.split_at_checked(length) else {
            break;
        };
        frames.push((head[3], stream, payload.to_vec()));
        rest = next;
    }
    frames
}

/// Reads one frame at a time.
pub(super) struct FrameReader;

impl FrameReader {
    pub(super) async fn read_frame(&mut self, stream: &mut TcpStream) -> (u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        (head[3], id, payload)
    }
}
