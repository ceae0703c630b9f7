//! The serving certificate, which may change while the server runs.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_core::time::UnixTime;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use crate::certs::authority::Authority;
use crate::certs::client_verifier::ClientVerifier;
use crate::certs::error::CertificateError;
use crate::certs::issue::issue_error;
use crate::certs::issued::IssuedCertificate;
use crate::certs::provided_pair::ProvidedPair;
use crate::clock::Clock;
use crate::config::{Host, TlsFiles};
use crate::metrics::CertificateMetrics;

/// The serving certificate, resolved anew for each connection.
pub struct ServingCertificate {
    source: Source,
    clock: Clock,
}

enum Source {
    Issued(IssuedCertificate),
    Provided(Box<ProvidedPair>),
}

impl ServingCertificate {
    /// Issues the first certificate, for `names` and the names of the CA's own certificate. A pair that is not a CA is
    /// served unchanged.
    ///
    /// # Errors
    /// If no certificate can be issued.
    pub fn issued(
        authority: Arc<Authority>,
        names: &[Host],
        clock: Clock,
        metrics: &CertificateMetrics,
    ) -> Result<Self, CertificateError> {
        let issued = IssuedCertificate::new(authority, names, clock(), metrics)?;
        let source = Source::Issued(issued);
        Ok(Self { source, clock })
    }

    /// Serves the pair in `files` unchanged. API servers connect to the server as `hostname`.
    ///
    /// # Errors
    /// If the files do not hold a valid pair.
    pub fn provided(
        files: TlsFiles,
        hostname: Host,
        clock: Clock,
        metrics: &CertificateMetrics,
    ) -> Result<Self, CertificateError> {
        let source = Source::Provided(Box::new(ProvidedPair::load(files, hostname, metrics)?));
        Ok(Self { source, clock })
    }

    /// Returns a TLS configuration with this certificate: TLS 1.2 and 1.3 for HTTP/2, HTTP/1.1 and HTTP/1.0. With
    /// `clients`, the handshake requests a client certificate. The caller has to check it after the handshake with
    /// [`ClientVerifier::admit`].
    ///
    /// # Errors
    /// If the built-in cryptography does not support this configuration.
    pub fn server_config(
        self: &Arc<Self>,
        clients: Option<&ClientVerifier>,
    ) -> Result<ServerConfig, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = clients.map_or_else(
            WebPkiClientVerifier::no_client_auth,
            ClientVerifier::in_handshake,
        );
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(issue_error)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        config.alpn_protocols = ["h2", "http/1.1", "http/1.0"]
            .map(|name| name.as_bytes().to_vec())
            .to_vec();
        Ok(config)
    }

    /// Returns the certificate for a connection that starts now.
    #[must_use]
    pub fn current(&self) -> Arc<CertifiedKey> {
        match &self.source {
            Source::Issued(issued) => issued.at((self.clock)()),
            Source::Provided(provided) => provided.certified(),
        }
    }

    /// Returns the certificates that the webhook kubeconfig pins, in PEM, or `None` if `server.tls` names no CA file.
    #[must_use]
    pub fn pinned(&self) -> Option<String> {
        match &self.source {
            Source::Issued(issued) => Some(issued.authority().certificate_pem().to_owned()),
            Source::Provided(provided) => provided.pinned(),
        }
    }

    /// Returns whether API servers accept the served certificate at the time `now`. If its CA is unknown, only the
    /// dates are checked.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        match &self.source {
            Source::Issued(issued) => issued.authority().validity().contains(now),
            Source::Provided(provided) => provided.rejection_reason(now).is_none(),
        }
    }

    /// Returns what keeps API servers that connect to `names` from trusting the server at the time `now`, or soon will,
    /// one sentence each.
    #[must_use]
    pub fn warnings(&self, now: UnixTime, names: &[Host]) -> Vec<String> {
        match &self.source {
            Source::Issued(issued) => issued.authority().warnings(now, names),
            Source::Provided(provided) => provided.warnings(now),
        }
    }

    /// Polls the files of `server.tls`, if configured, at the instant `at`. Blocks.
    pub fn poll(&self, at: Instant) {
        if let Source::Provided(provided) = &self.source {
            provided.poll(at, (self.clock)());
        }
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl fmt::Debug for ServingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingCertificate").finish_non_exhaustive()
    }
}
