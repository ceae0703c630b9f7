//! The pair in the state directory: a CA, or a certificate to be served as it is.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::certs::error::CertificateError;
use crate::config::Host;

/// The webhook kubeconfig pins the CA for good: a hundred years, as in Go.
const CA_LIFETIME_SECONDS: i64 = 100 * 365 * 24 * 60 * 60;

/// Clocks of API servers may be behind this one's by as much.
pub(super) const BACKDATED_SECONDS: i64 = 24 * 60 * 60;

/// From when on the end of a certificate is announced.
const EXPIRY_NOTICE_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A certificate and its key.
pub struct Authority {
    certificate_pem: String,
    certified: Arc<CertifiedKey>,
    names: Vec<Host>,
    not_before: UnixTime,
    not_after: UnixTime,
    issuer: Option<Issuer<'static, KeyPair>>,
}

/// What is wrong with a pair.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PairError {
    /// The certificate.
    Certificate(&'static str),
    /// The key.
    Key(&'static str),
    /// Each is well, but they do not belong together.
    Mismatch,
}

/// A new pair, to be written to the state directory.
pub(super) struct PairPem {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Makes a new CA. It carries `names` and may serve TLS itself, so that the Go version can take the folder over.
pub(super) fn generate(names: &[Host], now: UnixTime) -> Result<PairPem, CertificateError> {
    let key = KeyPair::generate().map_err(issue_error)?;
    let mut params = server_params("ack-ram-authenticator", names, now, CA_LIFETIME_SECONDS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let certificate = params.self_signed(&key).map_err(issue_error)?;
    Ok(PairPem {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

impl Authority {
    /// Reads a pair in PEM. The key may be PKCS#8, PKCS#1 (as Go writes it) or SEC1.
    pub(super) fn parse(certificate_pem: String, key_pem: &str) -> Result<Self, PairError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| PairError::Certificate("is not PEM"))?;
        let first = chain
            .first()
            .ok_or(PairError::Certificate("holds no certificate"))?
            .clone();
        let (_, x509) = X509Certificate::from_der(&first)
            .map_err(|_| PairError::Certificate("holds a certificate that cannot be read"))?;

        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
            .map_err(|_| PairError::Key("holds no private key in PEM without a password"))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => PairError::Mismatch,
                _ => PairError::Key("holds a private key of an unknown kind"),
            })?;
        let issuer = if may_issue(&x509) {
            let key = KeyPair::from_pem(key_pem)
                .map_err(|_| PairError::Key("holds a private key of an unknown kind"))?;
            let issuer = Issuer::from_ca_cert_der(&first, key).map_err(|_| {
                PairError::Certificate("holds a CA certificate that cannot be read")
            })?;
            Some(issuer)
        } else {
            None
        };
        let (names, validity) = (names_of(&x509), x509.validity());
        let (not_before, not_after) = (
            validity.not_before.timestamp(),
            validity.not_after.timestamp(),
        );
        Ok(Self {
            certificate_pem,
            certified: Arc::new(certified),
            names,
            not_before: UnixTime::from_seconds(not_before),
            not_after: UnixTime::from_seconds(not_after),
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
        self.names.contains(host)
    }

    /// Whether it has begun and not yet ended at the time `now`.
    #[must_use]
    pub fn is_good_at(&self, now: UnixTime) -> bool {
        (self.not_before..self.not_after).contains(&now)
    }

    /// What will keep API servers from trusting this pair at the time `now`, a sentence each.
    #[must_use]
    pub fn warnings(&self, now: UnixTime, names: &[Host]) -> Vec<String> {
        let mut warnings = Vec::new();
        let renew = "remove `cert.pem` and `key.pem`, start again, and give the API server the new kubeconfig";
        if now < self.not_before {
            let date = self.not_before;
            warnings.push(format!(
                "`cert.pem` is good only from {date}, and it is {now} here: set the clock"
            ));
        } else if now >= self.not_after {
            warnings.push(format!(
                "`cert.pem` has expired at {}: {renew}",
                self.not_after
            ));
        } else if now.plus_seconds(EXPIRY_NOTICE_SECONDS) >= self.not_after {
            warnings.push(format!("`cert.pem` expires at {}: {renew}", self.not_after));
        }
        if self.issuer.is_none() {
            for name in names.iter().filter(|name| !self.names.contains(name)) {
                warnings.push(format!(
                    "`cert.pem` is no CA, so it is served as it is, and it is not for `{name}`"
                ));
            }
        }
        warnings
    }

    /// The pair itself, to be served as it is.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The names that the certificate itself is for.
    pub(super) fn names(&self) -> &[Host] {
        &self.names
    }

    /// A new certificate with a new key for `names`, good from a day before `now` until `lifetime_seconds` after it.
    ///
    /// Gives nothing when this is no CA.
    pub(super) fn issue(
        &self,
        names: &[Host],
        now: UnixTime,
        lifetime_seconds: i64,
    ) -> Result<Option<CertifiedKey>, CertificateError> {
        let Some(issuer) = &self.issuer else {
            return Ok(None);
        };
        let key = KeyPair::generate().map_err(issue_error)?;
        let mut params =
            server_params("ack-ram-authenticator server", names, now, lifetime_seconds)?;
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

fn server_params(
    common_name: &str,
    names: &[Host],
    now: UnixTime,
    lifetime_seconds: i64,
) -> Result<CertificateParams, CertificateError> {
    let names: Vec<String> = names.iter().map(Host::in_certificate).collect();
    let mut params = CertificateParams::new(names).map_err(issue_error)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date(now.plus_seconds(-BACKDATED_SECONDS))?;
    params.not_after = date(now.plus_seconds(lifetime_seconds))?;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn date(time: UnixTime) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(time.seconds()).map_err(issue_error)
}

fn issue_error(error: impl fmt::Display) -> CertificateError {
    CertificateError::Issue(error.to_string())
}

/// Whether clients accept what this certificate signs.
fn may_issue(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.key_usage().ok().flatten();
    certificate.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign())
}

fn names_of(certificate: &X509Certificate<'_>) -> Vec<Host> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let host = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Host::parse(name),
        GeneralName::IPAddress(bytes) => ip(bytes).map(Host::Ip),
        _ => None,
    };
    names.value.general_names.iter().filter_map(host).collect()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}
