//! Access control by client certificate.
//!
//! The handshake accepts every certificate whose key the client has, and clients without a certificate. The certificate
//! is verified after the handshake, once for each connection, resumed sessions included. The reasons are in
//! [`crate::manual::client_certificates`].

use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use parking_lot::Mutex;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{self, CertificateDer};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::certs::client_authority::ClientAuthority;
use crate::certs::pair::Validity;
use crate::certs::tls_time;
use crate::clock::Clock;
use crate::metrics::CertificateMetrics;

/// Decides which clients get access.
pub struct ClientVerifier {
    verifier: Arc<dyn ClientCertVerifier>,
    clock: Clock,
    metrics: CertificateMetrics,
    /// Validity of the certificate that was last accepted.
    last_accepted: Mutex<Option<Validity>>,
}

/// Why a client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRefusal {
    /// The client sent no certificate.
    Missing,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is not signed by the client CA, or is not for clients.
    Unknown,
}

impl ClientVerifier {
    /// Builds a verifier that accepts client certificates of `authority`.
    #[must_use]
    pub fn new(authority: &ClientAuthority, clock: Clock, metrics: &CertificateMetrics) -> Self {
        metrics.set_expiry("client_ca", authority.validity().not_after);
        Self {
            verifier: Arc::clone(authority.verifier()),
            clock,
            metrics: metrics.clone(),
            last_accepted: Mutex::default(),
        }
    }

    /// Returns the verifier for the handshake, which accepts every client.
    pub(super) fn in_handshake(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(AnyCertificate(Arc::clone(&self.verifier)))
    }

    /// Verifies `chain`, the certificates that a client sent in its handshake.
    ///
    /// # Errors
    /// Returns why the client is refused.
    pub fn admit(&self, chain: Option<&[CertificateDer<'_>]>) -> Result<(), ClientRefusal> {
        let (leaf, intermediates) = chain
            .and_then(<[_]>::split_first)
            .ok_or(ClientRefusal::Missing)?;
        let now = tls_time((self.clock)());
        match self.verifier.verify_client_cert(leaf, intermediates, now) {
            Ok(_) => {
                self.note(leaf);
                Ok(())
            }
            Err(Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => Err(ClientRefusal::Expired),
            Err(Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            )) => Err(ClientRefusal::NotYetValid),
            Err(_) => Err(ClientRefusal::Unknown),
        }
    }

    /// Returns a warning if the certificate that was last accepted expires soon, or is not valid at the time `now`.
    #[must_use]
    pub fn warning(&self, now: UnixTime) -> Option<String> {
        let last_accepted = *self.last_accepted.lock();
        let renew = "give the API server a new kubeconfig, and restart it";
        last_accepted?.warning(
            "the certificate of the client that connected last",
            renew,
            now,
        )
    }

    fn note(&self, leaf: &CertificateDer<'_>) {
        if let Some(validity) = Validity::from_der(leaf) {
            *self.last_accepted.lock() = Some(validity);
            self.metrics.set_expiry("client_seen", validity.not_after);
        }
    }
}

impl ClientRefusal {
    /// All refusals.
    pub const ALL: [Self; 4] = [
        Self::Missing,
        Self::Expired,
        Self::NotYetValid,
        Self::Unknown,
    ];

    /// Returns the value of the metric label `reason`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_good",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what is wrong and what to do, for the log of the refused client.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Missing => {
                "a client certificate signed by `client-ca.pem` is required; give the API server the kubeconfig that has one, and restart it"
            }
            Self::Expired => {
                "the client certificate has expired; give the API server a new kubeconfig, and restart it"
            }
            Self::NotYetValid => {
                "the client certificate is not valid yet; check the clock of this server"
            }
            Self::Unknown => {
                "the client certificate is not signed by `client-ca.pem`, or is not for clients; give the API server the kubeconfig of this webhook, and restart it"
            }
        }
    }
}

/// Accepts every certificate in the handshake. Access is decided later, by [`ClientVerifier::admit`].
#[derive(Debug)]
struct AnyCertificate(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: pki_types::UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
