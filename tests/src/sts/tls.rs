//! The certificate authority and the server certificates of the emulator.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

use super::emulator::StartError;
use super::fault::Fault;
use super::handshake::Handshake;

/// The server certificates, and the authority that clients have to trust.
pub(super) struct Identity {
    pub(super) acceptors: Acceptors,
    pub(super) ca_pem: String,
}

/// A TLS acceptor for each certificate that the emulator may present.
#[derive(Clone)]
pub(super) struct Acceptors {
    right: TlsAcceptor,
    other_authority: TlsAcceptor,
    other_name: TlsAcceptor,
    expired: TlsAcceptor,
}

impl Acceptors {
    /// Returns the acceptor to use under `fault`.
    pub(super) fn under(&self, fault: Option<&Fault>) -> TlsAcceptor {
        match fault {
            Some(Fault::InHandshake(Handshake::OtherAuthority)) => &self.other_authority,
            Some(Fault::InHandshake(Handshake::OtherName)) => &self.other_name,
            Some(Fault::InHandshake(Handshake::Expired)) => &self.expired,
            _ => &self.right,
        }
        .clone()
    }
}

impl Identity {
    /// Generates an authority, and its certificate for `names`, which are host names and addresses.
    pub(super) fn generate(names: &[String]) -> Result<Self, StartError> {
        let ca = CertifiedIssuer::self_signed(ca_params(), KeyPair::generate()?)?;
        let other_ca = CertifiedIssuer::self_signed(ca_params(), KeyPair::generate()?)?;
        let right = leaf_params(names)?;
        let mut expired = right.clone();
        expired.not_after = date_time_ymd(2001, 1, 1);
        let other_name = leaf_params(&["elsewhere.test".to_owned()])?;
        Ok(Self {
            acceptors: Acceptors {
                right: acceptor(&right, &ca)?,
                other_authority: acceptor(&right, &other_ca)?,
                other_name: acceptor(&other_name, &ca)?,
                expired: acceptor(&expired, &ca)?,
            },
            ca_pem: ca.pem(),
        })
    }
}

fn acceptor(
    params: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<TlsAcceptor, StartError> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
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

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "STS emulator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    with_validity(params)
}

fn leaf_params(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
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
