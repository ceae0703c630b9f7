//! The client CA, whose certificates give access to `/authenticate`.
//!
//! It always differs from the CA of the server, whose certificate every API server has.

use std::sync::Arc;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use rcgen::{BasicConstraints, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::certs::authority::issuer;
use crate::certs::error::CertificateError;
use crate::certs::issue::{self, ALWAYS, issue_error};
use crate::certs::pair::{self, CertificatePair, PairError, PairPem, Validity};
use crate::certs::tls_time;

/// Lifetime of a client certificate. API servers load a new one only at a restart, so a short lifetime would cause
/// outages.
const LIFETIME_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

/// The client CA.
pub struct ClientAuthority {
    validity: Validity,
    verifier: Arc<dyn ClientCertVerifier>,
    issuer: Option<Issuer<'static, KeyPair>>,
}

/// A client certificate and its key, as in a kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate in PEM.
    pub certificate: String,
    /// Its private key in PEM.
    pub key: Secret,
}

/// Creates a client CA.
pub(super) fn generate(now: UnixTime) -> Result<PairPem, CertificateError> {
    let key = KeyPair::generate().map_err(issue_error)?;
    let name = "ack-ram-authenticator clients";
    let mut params = issue::params(name, &[], issue::ca_validity(now))?;
    issue::as_ca(&mut params, BasicConstraints::Constrained(0));
    let certificate = params.self_signed(&key).map_err(issue_error)?;
    Ok(PairPem {
        certificate: certificate.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

impl ClientAuthority {
    /// Parses the CA in PEM. Without its key, it cannot issue certificates.
    pub(super) fn parse(
        certificate_pem: &str,
        key_pem: Option<&Secret>,
    ) -> Result<Self, PairError> {
        let certificates = pair::certificates(certificate_pem).map_err(PairError::Certificate)?;
        let first = certificates
            .first()
            .ok_or(PairError::Certificate("holds no certificate"))?;
        let unreadable = PairError::Certificate("holds a certificate that cannot be read");
        let validity = Validity::from_der(first).ok_or(unreadable)?;
        let issuer = match key_pem {
            Some(key) => {
                let pair = CertificatePair::parse(certificate_pem, key)?;
                if !pair.may_issue() {
                    return Err(PairError::Certificate(
                        "holds a certificate that is not a CA",
                    ));
                }
                Some(issuer(&pair, key)?)
            }
            None => None,
        };
        Ok(Self {
            validity,
            verifier: verifier(first)?,
            issuer,
        })
    }

    /// Returns a warning if the CA is not valid at the time `now`, or expires soon. Clients are then refused.
    #[must_use]
    pub fn warning(&self, now: UnixTime) -> Option<String> {
        let renew = "remove `client-ca.pem` and `client-ca-key.pem`, run `init --client-cert`, and give the API server the new kubeconfig";
        self.validity.warning("`client-ca.pem`", renew, now)
    }

    /// Returns the validity of the CA.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Issues a client certificate with a new key.
    ///
    /// Returns `None` if the CA has no key.
    pub(super) fn issue(
        &self,
        now: UnixTime,
    ) -> Result<Option<(ClientCertificate, Validity)>, CertificateError> {
        let Some(issuer) = &self.issuer else {
            return Ok(None);
        };
        let key = KeyPair::generate().map_err(issue_error)?;
        let validity = Validity {
            not_before: ALWAYS,
            not_after: now.plus_seconds(LIFETIME_SECONDS),
        };
        let mut params = issue::params("kube-apiserver", &[], validity)?;
        issue::for_clients(&mut params);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer).map_err(issue_error)?;
        let client = ClientCertificate {
            certificate: certificate.pem(),
            key: Secret::new(key.serialize_pem()),
        };
        Ok(Some((client, validity)))
    }

    /// Returns the renewal state of `previous`, the certificate in a kubeconfig.
    pub(super) fn renewal_state(
        &self,
        previous: &ClientCertificate,
        now: UnixTime,
    ) -> RenewalState {
        let Ok(pair) = CertificatePair::parse(&previous.certificate, &previous.key) else {
            return RenewalState::Invalid;
        };
        if (self.verifier)
            .verify_client_cert(pair.leaf(), &[], tls_time(now))
            .is_err()
        {
            return RenewalState::Invalid;
        }
        let validity = pair.validity();
        if now.plus_seconds(LIFETIME_SECONDS / 2) < validity.not_after {
            RenewalState::Fresh(validity)
        } else {
            RenewalState::Aging(validity)
        }
    }

    /// Returns the verifier of certificates of this CA. It accepts clients without a certificate.
    pub(super) fn verifier(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.verifier
    }
}

/// Whether a client certificate has to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RenewalState {
    /// The pair is malformed, expired, or not of this CA.
    Invalid,
    /// More than half of its lifetime is over: it is renewed if possible.
    Aging(Validity),
    /// It does not need to be renewed.
    Fresh(Validity),
}

fn verifier(
    certificate: &CertificateDer<'static>,
) -> Result<Arc<dyn ClientCertVerifier>, PairError> {
    let unusable = "holds a certificate that cannot verify clients";
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate.clone())
        .map_err(|_| PairError::Certificate(unusable))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|_| PairError::Certificate(unusable))
}
