//! What API servers trust, where a pair of the operator's own is served.

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
    /// Reads the certificates in `pem`. Whatever else it holds, such as a key, is left out.
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
            pem: certificates_alone(pem),
            certificates,
            verifier,
        })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns why a client that trusts these certificates rejects `chain` of the server `host`, if it does.
    ///
    /// API servers are written in Go, whose library takes what it is told to trust as it is, and some certificates that
    /// webpki does not. A chain that only webpki refuses is accepted.
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
                "it is not for `{host}`, which is `server.hostname`"
            ));
        }
        if self.certificates.contains(leaf) {
            return None;
        }
        let now = tls_time(now);
        match (self.verifier).verify_server_cert(leaf, intermediates, &name, &[], now) {
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => Some("nothing in `server.tls.caFile` proves it".to_owned()),
            Err(Error::InvalidCertificate(CertificateError::Other(_))) | Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

fn certificates_alone(pem: &str) -> String {
    let mut alone = String::with_capacity(pem.len());
    for part in pem.split(BEGIN).skip(1) {
        if let Some((body, _)) = part.split_once(END) {
            alone.extend([BEGIN, body, END, "\n"]);
        }
    }
    alone
}
