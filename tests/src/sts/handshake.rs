//! Faults of the TLS handshake.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A fatal `handshake_failure` alert, unencrypted as in a handshake (RFC 8446, 5.1 and 6).
const ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];
/// The header of a record with a handshake message, and the beginning of an incomplete ServerHello.
const HALF_HELLO: [u8; 9] = [0x16, 0x03, 0x03, 0x00, 0x7a, 0x02, 0x00, 0x00, 0x76];

/// A faulty answer of the server to the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// An incomplete ServerHello, then nothing.
    Stall,
    /// No answer: the connection closes.
    Close,
    /// A fatal alert.
    Alert,
    /// HTTP without TLS.
    PlainText,
    /// A certificate of an untrusted authority.
    OtherAuthority,
    /// A certificate for another name.
    OtherName,
    /// A certificate that has expired.
    Expired,
}

/// Waits for the ClientHello and sends `reply`. If `stays` is true, the connection then stays open without further
/// data.
async fn answer(stream: &mut TcpStream, reply: &[u8], stays: bool) -> io::Result<()> {
    let mut hello = [0; 4_096];
    if stream.read(&mut hello).await? == 0 {
        return Ok(());
    }
    stream.write_all(reply).await?;
    while stays && stream.read(&mut hello).await? > 0 {}
    Ok(())
}

impl Handshake {
    /// Returns whether the certificate is at fault and the handshake is otherwise correct.
    pub(super) fn is_in_certificate(self) -> bool {
        matches!(self, Self::OtherAuthority | Self::OtherName | Self::Expired)
    }

    /// Plays the faulty handshake. Does nothing for a fault in the certificate, which the acceptor plays.
    pub(super) async fn play(self, stream: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Stall => answer(stream, &HALF_HELLO, true).await,
            Self::Close => answer(stream, &[], false).await,
            Self::Alert => answer(stream, &ALERT, false).await,
            Self::PlainText => {
                let reply = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
                answer(stream, reply, false).await
            }
            Self::OtherAuthority | Self::OtherName | Self::Expired => Ok(()),
        }
    }
}
