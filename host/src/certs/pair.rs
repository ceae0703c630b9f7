//! A certificate with its key, as files hold it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::config::Host;

/// Maximum time before the expiry of a certificate at which warnings start.
const EXPIRY_NOTICE_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A certificate with its chain and its key.
#[derive(Clone)]
pub(super) struct CertificatePair {
    certified: Arc<CertifiedKey>,
    leaf: CertificateDer<'static>,
    names: Vec<Host>,
    validity: Validity,
    may_issue: bool,
}

/// What is wrong with a pair.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PairError {
    /// The certificate is invalid. The text is a phrase whose subject is the file.
    Certificate(&'static str),
    /// The key is invalid. The text is a phrase whose subject is the file.
    Key(&'static str),
    /// The certificate and the key are valid, but do not belong together.
    Mismatch,
}

/// A new pair in PEM.
pub(super) struct PairPem {
    pub(super) certificate: String,
    pub(super) key: Secret,
}

impl CertificatePair {
    /// Parses a pair in PEM. The key may be PKCS#8, PKCS#1 (as Go writes it) or SEC1.
    pub(super) fn parse(certificate_pem: &str, key_pem: &Secret) -> Result<Self, PairError> {
        let chain = certificates(certificate_pem).map_err(PairError::Certificate)?;
        let leaf = chain
            .first()
            .ok_or(PairError::Certificate("holds no certificate"))?
            .clone();
        let (_, x509) = X509Certificate::from_der(&leaf)
            .map_err(|_| PairError::Certificate("holds a certificate that cannot be read"))?;
        let (names, validity) = (names_of(&x509), Validity::from_certificate(&x509));
        let may_issue = may_issue(&x509);
        let key = PrivateKeyDer::from_pem_slice(key_pem.expose().as_bytes())
            .map_err(|_| PairError::Key("holds no unencrypted private key in PEM"))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => PairError::Mismatch,
                _ => PairError::Key("holds a private key of an unknown kind"),
            })?;
        Ok(Self {
            certified: Arc::new(certified),
            leaf,
            names,
            validity,
            may_issue,
        })
    }

    /// Returns the pair, for serving it.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// Returns the certificate without its chain.
    pub(super) fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    /// Returns the names for which the certificate is valid.
    pub(super) fn names(&self) -> &[Host] {
        &self.names
    }

    pub(super) fn validity(&self) -> Validity {
        self.validity
    }

    /// Returns whether the certificate is a CA, so that clients accept what it signs.
    pub(super) fn may_issue(&self) -> bool {
        self.may_issue
    }
}

/// Returns all certificates in a PEM text. Other contents are ignored.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| "is not PEM")
}

/// The period in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: UnixTime,
    /// The second after the last.
    pub not_after: UnixTime,
}

impl Validity {
    pub(super) fn from_certificate(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            not_before: UnixTime::from_seconds(validity.not_before.timestamp()),
            not_after: UnixTime::from_seconds(validity.not_after.timestamp()),
        }
    }

    /// Returns the validity of a certificate in DER, or `None` if it cannot be parsed.
    pub(super) fn from_der(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, x509) = X509Certificate::from_der(certificate).ok()?;
        Some(Self::from_certificate(&x509))
    }

    /// Returns whether the certificate is valid at the time `now`.
    #[must_use]
    pub fn contains(self, now: UnixTime) -> bool {
        (self.not_before..self.not_after).contains(&now)
    }

    /// Returns a warning if the certificate is not valid at the time `now`, or expires within thirty days. For a
    /// short-lived certificate, the last fifth of its lifetime counts instead. `certificate` is its name in messages,
    /// and `renew` says how to renew it.
    #[must_use]
    pub fn warning(
        self,
        certificate: impl fmt::Display,
        renew: &str,
        now: UnixTime,
    ) -> Option<String> {
        let Self {
            not_before,
            not_after,
        } = self;
        let notice = (not_after.seconds_since(not_before) / 5).min(EXPIRY_NOTICE_SECONDS);
        if now < not_before {
            Some(format!(
                "{certificate} is not valid until {not_before}, and the time here is {now}: set the clock"
            ))
        } else if now >= not_after {
            Some(format!("{certificate} expired at {not_after}: {renew}"))
        } else if now.plus_seconds(notice) >= not_after {
            Some(format!("{certificate} expires at {not_after}: {renew}"))
        } else {
            None
        }
    }
}

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
