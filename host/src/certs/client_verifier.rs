//! Which clients may ask, where clients need a certificate.
//!
//! The handshake takes any certificate whose key the client has, and none: probes and scrapers have none, and whoever is
//! refused shall read why, which a TLS alert does not tell. What a certificate is worth is found out after it, once for
//! each connection, also for one that resumes an earlier one.

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

/// Tells clients that may ask from others.
pub struct ClientVerifier {
    verifier: Arc<dyn ClientCertVerifier>,
    clock: Clock,
    metrics: CertificateMetrics,
    /// Of the certificate that was last accepted.
    last_accepted: Mutex<Option<Validity>>,
}

/// Why a client may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRefusal {
    /// It has shown no certificate.
    Missing,
    /// Its certificate has expired.
    Expired,
    /// Its certificate is good only later.
    NotYetValid,
    /// Its certificate is not of the CA of clients, or not for clients.
    Unknown,
}

impl ClientVerifier {
    /// Clients with a certificate of `authority` may ask.
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

    /// What TLS does with clients' certificates.
    pub(super) fn in_handshake(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(AnyCertificate(Arc::clone(&self.verifier)))
    }

    /// Whether a client may ask that has shown `chain` in its handshake.
    ///
    /// # Errors
    /// Why it may not.
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

    /// What will soon keep the client out that was last let in, at the time `now`.
    #[must_use]
    pub fn warning(&self, now: UnixTime) -> Option<String> {
        let last_accepted = *self.last_accepted.lock();
        let renew = "give the API server a new kubeconfig, and let it start again";
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
    /// All that there are.
    pub const ALL: [Self; 4] = [
        Self::Missing,
        Self::Expired,
        Self::NotYetValid,
        Self::Unknown,
    ];

    /// The value of the label `reason`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_good",
            Self::Unknown => "unknown",
        }
    }

    /// For the log of whoever was refused: what is wrong, and what to do.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Missing => {
                "only clients with a certificate of `client-ca.pem` may ask; give the API server the kubeconfig that has one, and let it start again"
            }
            Self::Expired => {
                "the client certificate has expired; give the API server a new kubeconfig, and let it start again"
            }
            Self::NotYetValid => "the client certificate is good only later; set the clock here",
            Self::Unknown => {
                "the client certificate is not of `client-ca.pem`, or not for clients; give the API server the kubeconfig of this webhook, and let it start again"
            }
        }
    }
}

/// Takes every certificate: nothing is granted by it.
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
