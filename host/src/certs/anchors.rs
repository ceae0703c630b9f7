//! The certificates that API servers trust when the server serves the pair of `server.tls`.

use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use crate::certs::pair;
use crate::certs::tls_time;
use crate::config::Host;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Certificates that the webhook kubeconfig pins.
pub(super) struct Anchors {
    pem: String,
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Anchors {
    /// Parses the certificates in `pem`. Other contents, such as a key, are ignored.
    pub(super) fn parse(pem: &str) -> Result<Self, &'static str> {
        let certificates = pair::certificates(pem)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|_| "holds a certificate that cannot be read")?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| "holds no certificate")?;
        Ok(Self {
            pem: certificates_only(pem),
            certificates,
            verifier,
        })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns why a client that trusts these certificates rejects the `chain` of the server `host`, or `None` if it
    /// accepts.
    ///
    /// API servers are written in Go, whose library accepts a trusted certificate as it is, and some certificates that
    /// webpki rejects. A chain that only webpki rejects is accepted.
    pub(super) fn rejection_reason(
        &self,
        chain: &[CertificateDer<'_>],
        host: &Host,
        now: UnixTime,
    ) -> Option<String> {
        let (leaf, intermediates) = chain.split_first()?;
        let name = ServerName::try_from(host.certificate_name()).ok()?;
        let is_for_host = ParsedCertificate::try_from(leaf)
            .and_then(|certificate| verify_server_name(&certificate, &name));
        if let Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) = is_for_host
        {
            return Some(format!(
                "it is not valid for `{host}`, the value of `server.hostname`"
            ));
        }
        if self.certificates.contains(leaf) {
            return None;
        }
        let now = tls_time(now);
        match (self.verifier).verify_server_cert(leaf, intermediates, &name, &[], now) {
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => Some("no certificate in `server.tls.caFile` verifies its chain".to_owned()),
            Err(Error::InvalidCertificate(CertificateError::Other(_))) | Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

fn certificates_only(pem: &str) -> String {
    let mut certificates = String::with_capacity(pem.len());
    for part in pem.split(BEGIN).skip(1) {
        if let Some((body, _)) = part.split_once(END) {
            certificates.extend([BEGIN, body, END, "\n"]);
        }
    }
    certificates
}
