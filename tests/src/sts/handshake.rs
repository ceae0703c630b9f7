//! Connections that get no further than the TLS handshake.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A fatal `handshake_failure`, in clear as it is sent in a handshake (RFC 8446, 5.1 and 6).
const ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];
/// The head of a record with a handshake message, and of a ServerHello that is not all there.
const HALF_HELLO: [u8; 9] = [0x16, 0x03, 0x03, 0x00, 0x7a, 0x02, 0x00, 0x00, 0x76];

/// What the server says to the client's first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The beginning of its own, and then nothing.
    Stall,
    /// Nothing, and the connection closes.
    Close,
    /// An alert.
    Alert,
    /// HTTP without TLS.
    PlainText,
    /// A certificate of an authority that nobody trusts.
    OtherAuthority,
    /// A certificate for another name.
    OtherName,
    /// A certificate that has expired.
    Expired,
}

/// Waits for the client's first message and answers `reply`; then, if the connection `stays`, nothing more.
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
    /// Whether it is the certificate that spoils it, and the rest goes as it should.
    pub(super) fn is_in_certificate(self) -> bool {
        matches!(self, Self::OtherAuthority | Self::OtherName | Self::Expired)
    }

    /// Spoils the handshake; what is spoilt by a certificate alone is not this function's affair.
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
