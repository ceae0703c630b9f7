//! The TLS of a listener, and the admission of its clients.

use std::io;
use std::sync::Arc;

use hyper::Request;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certs::{ClientRefusal, ClientVerifier};

/// The TLS settings of a listener.
#[derive(Clone)]
pub(in crate::server) struct Tls {
    acceptor: TlsAcceptor,
    pub(super) clients: Option<Arc<ClientVerifier>>,
}

impl Tls {
    pub(super) fn new(acceptor: TlsAcceptor, clients: Option<Arc<ClientVerifier>>) -> Self {
        Self { acceptor, clients }
    }

    /// Performs the handshake, and decides whether the client is admitted.
    pub(in crate::server) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, ClientAdmission)> {
        let stream = self.acceptor.accept(stream).await?;
        let admission = match &self.clients {
            Some(clients) => {
                let result = clients.admit(stream.get_ref().1.peer_certificates());
                ClientAdmission {
                    result,
                    has_certificate: result.is_ok(),
                }
            }
            None => ClientAdmission {
                result: Ok(()),
                has_certificate: false,
            },
        };
        Ok((stream, admission))
    }
}

/// Whether the client of a connection is admitted. It is attached to each request.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct ClientAdmission {
    result: Result<(), ClientRefusal>,
    has_certificate: bool,
}

impl ClientAdmission {
    /// Returns the admission of the connection of `request`. A request without an admission is refused.
    pub(in crate::server) fn for_request<B>(request: &Request<B>) -> Result<(), ClientRefusal> {
        let admission = request.extensions().get::<Self>();
        admission.map_or(Err(ClientRefusal::Missing), |admission| admission.result)
    }

    /// Returns whether the client has a certificate of the client CA.
    pub(in crate::server) fn has_certificate(self) -> bool {
        self.has_certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_without_admission_is_refused() {
        assert_eq!(
            ClientAdmission::for_request(&Request::new(())),
            Err(ClientRefusal::Missing)
        );
        let mut request = Request::new(());
        request.extensions_mut().insert(ClientAdmission {
            result: Ok(()),
            has_certificate: false,
        });
        assert_eq!(ClientAdmission::for_request(&request), Ok(()));
    }
}
