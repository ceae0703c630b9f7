//! The pair in the state directory: a CA, or a certificate that is served unchanged.

use std::sync::Arc;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use rcgen::{BasicConstraints, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use crate::certs::error::CertificateError;
use crate::certs::issue::{self, issue_error};
use crate::certs::pair::{CertificatePair, PairError, PairPem, Validity};
use crate::config::Host;

/// A pair that is a CA, or is served unchanged.
pub struct Authority {
    certificate_pem: String,
    pair: CertificatePair,
    issuer: Option<Issuer<'static, KeyPair>>,
}

/// Creates a CA for `names`. It may also serve TLS itself, so that the Go version can use the state directory.
pub(super) fn generate(names: &[Host], now: UnixTime) -> Result<PairPem, CertificateError> {
    let key = KeyPair::generate().map_err(issue_error)?;
    let mut params = issue::params("ack-ram-authenticator", names, issue::ca_validity(now))?;
    issue::for_servers(&mut params);
    issue::as_ca(&mut params, BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).map_err(issue_error)?;
    Ok(PairPem {
        certificate: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

impl Authority {
    /// Parses a pair in PEM. The key may be PKCS#8, PKCS#1 (as Go writes it) or SEC1.
    pub(super) fn parse(certificate_pem: &str, key_pem: &Secret) -> Result<Self, PairError> {
        let pair = CertificatePair::parse(certificate_pem, key_pem)?;
        let issuer = if pair.may_issue() {
            Some(issuer(&pair, key_pem)?)
        } else {
            None
        };
        Ok(Self {
            certificate_pem: certificate_pem.to_owned(),
            pair,
            issuer,
        })
    }

    /// Returns the certificate in PEM, unchanged from the file. The webhook kubeconfig pins it.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Returns whether the certificate itself is valid for `host`, regardless of the configured names.
    #[must_use]
    pub fn is_for(&self, host: &Host) -> bool {
        self.names().contains(host)
    }

    /// Returns whether the pair is a CA, which issues the served certificate. Otherwise the pair itself is served.
    pub(super) fn is_ca(&self) -> bool {
        self.issuer.is_some()
    }

    /// Returns the validity of the certificate.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.pair.validity()
    }

    /// Returns what keeps API servers from trusting this pair at the time `now` or soon will, one sentence each.
    #[must_use]
    pub fn warnings(&self, now: UnixTime, names: &[Host]) -> Vec<String> {
        let renew = "remove `cert.pem` and `key.pem`, restart the server, and give the API server the new kubeconfig";
        let warning = self.validity().warning("`cert.pem`", renew, now);
        let mut warnings = Vec::from_iter(warning);
        if !self.is_ca() {
            for name in names.iter().filter(|name| !self.is_for(name)) {
                warnings.push(format!(
                    "`cert.pem` is not a CA, so it is served unchanged, and it is not valid for `{name}`"
                ));
            }
        }
        warnings
    }

    /// Returns the pair itself, for serving it unchanged.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        self.pair.certified()
    }

    /// Returns the names for which the certificate itself is valid.
    pub(super) fn names(&self) -> &[Host] {
        self.pair.names()
    }

    /// Issues a certificate with a new key, for `names` and the period `validity`.
    ///
    /// Returns `None` if this pair is not a CA.
    pub(super) fn issue(
        &self,
        names: &[Host],
        validity: Validity,
    ) -> Result<Option<CertifiedKey>, CertificateError> {
        let Some(issuer) = &self.issuer else {
            return Ok(None);
        };
        let key = KeyPair::generate().map_err(issue_error)?;
        let mut params = issue::params("ack-ram-authenticator server", names, validity)?;
        issue::for_servers(&mut params);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer).map_err(issue_error)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(issue_error)?;
        CertifiedKey::from_der(
            vec![certificate.der().clone()],
            key,
            &aws_lc_rs::default_provider(),
        )
        .map(Some)
        .map_err(issue_error)
    }
}

/// Returns an issuer that signs with the CA in `pair`.
pub(super) fn issuer(
    pair: &CertificatePair,
    key_pem: &Secret,
) -> Result<Issuer<'static, KeyPair>, PairError> {
    let key = KeyPair::from_pem(key_pem.expose())
        .map_err(|_| PairError::Key("holds a private key of an unknown kind"))?;
    Issuer::from_ca_cert_der(pair.leaf(), key)
        .map_err(|_| PairError::Certificate("holds a CA certificate that cannot be read"))
}
