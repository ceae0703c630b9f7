//! The pair in the state directory: a CA, or a certificate to be served as it is.

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

/// A certificate and its key.
pub struct Authority {
    certificate_pem: String,
    pair: CertificatePair,
    issuer: Option<Issuer<'static, KeyPair>>,
}

/// Makes a new CA. It carries `names` and may serve TLS itself, so that the Go version can take the folder over.
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
    /// Reads a pair in PEM. The key may be PKCS#8, PKCS#1 (as Go writes it) or SEC1.
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

    /// The certificate as the file has it, which the webhook kubeconfig pins.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Whether what is served is for `host`, whatever else the server is told.
    #[must_use]
    pub fn is_for(&self, host: &Host) -> bool {
        self.names().contains(host)
    }

    /// Whether it issues what is served, and is not served itself.
    pub(super) fn is_ca(&self) -> bool {
        self.issuer.is_some()
    }

    /// From when until when it is good.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.pair.validity()
    }

    /// What will keep API servers from trusting this pair at the time `now`, a sentence each.
    #[must_use]
    pub fn warnings(&self, now: UnixTime, names: &[Host]) -> Vec<String> {
        let renew = "remove `cert.pem` and `key.pem`, start again, and give the API server the new kubeconfig";
        let warning = self.validity().warning("`cert.pem`", renew, now);
        let mut warnings = Vec::from_iter(warning);
        if !self.is_ca() {
            for name in names.iter().filter(|name| !self.is_for(name)) {
                warnings.push(format!(
                    "`cert.pem` is no CA, so it is served as it is, and it is not for `{name}`"
                ));
            }
        }
        warnings
    }

    /// The pair itself, to be served as it is.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        self.pair.certified()
    }

    /// The names that the certificate itself is for.
    pub(super) fn names(&self) -> &[Host] {
        self.pair.names()
    }

    /// A new certificate with a new key for `names`, good for `validity`.
    ///
    /// Gives nothing when this is no CA.
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

/// What signs with the CA in `pair`.
pub(super) fn issuer(
    pair: &CertificatePair,
    key_pem: &Secret,
) -> Result<Issuer<'static, KeyPair>, PairError> {
    let key = KeyPair::from_pem(key_pem.expose())
        .map_err(|_| PairError::Key("holds a private key of an unknown kind"))?;
    Issuer::from_ca_cert_der(pair.leaf(), key)
        .map_err(|_| PairError::Certificate("holds a CA certificate that cannot be read"))
}
