//! A certificate authority for emulators of services with TLS.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

/// An authority that issues certificates for any name. Programs trust it by `SSL_CERT_FILE`.
#[derive(Clone)]
pub struct TestAuthority(Arc<CertifiedIssuer<'static, KeyPair>>);

/// The reason why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TestAuthorityError {
    /// The certificate could not be generated. A name may be invalid.
    #[error("cannot generate a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate or its key.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl TestAuthority {
    /// Generates an authority.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn generate() -> Result<Self, TestAuthorityError> {
        let ca = CertifiedIssuer::self_signed(ca_params(), KeyPair::generate()?)?;
        Ok(Self(Arc::new(ca)))
    }

    /// Returns the certificate of the authority in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for `names`, which are host names and addresses, and returns its TLS acceptor.
    ///
    /// # Errors
    /// If a name is not valid in a certificate.
    pub fn acceptor(&self, names: &[String]) -> Result<TlsAcceptor, TestAuthorityError> {
        self.acceptor_with(&leaf_params(names)?)
    }

    /// Issues a certificate with `params`, and returns its TLS acceptor.
    pub(crate) fn acceptor_with(
        &self,
        params: &CertificateParams,
    ) -> Result<TlsAcceptor, TestAuthorityError> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &*self.0)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        // Real STS supports no newer version.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl std::fmt::Debug for TestAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestAuthority")
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "STS emulator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    with_validity(params)
}

/// Returns the parameters of a certificate for `names`.
pub(crate) fn leaf_params(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "STS emulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(with_validity(params))
}

/// Sets fixed dates: clients under test may have any clock, and the authority is short-lived.
fn with_validity(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}
