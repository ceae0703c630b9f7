//! Parameters of certificates. Keys are ECDSA on P-256, the default of rcgen.

use std::fmt;

use ack_ram_core::time::UnixTime;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::certs::error::CertificateError;
use crate::certs::pair::Validity;
use crate::config::Host;

/// Lifetime of a CA: a hundred years, as in the Go version, because files pin the CA.
const CA_LIFETIME_SECONDS: i64 = 100 * 365 * 24 * 60 * 60;

/// Start of the validity of certificates that a kubeconfig holds. Their dates add no security, but could cause an
/// outage: if a CA was created while the clock was ahead, it would be invalid after the clock is corrected.
pub(super) const ALWAYS: UnixTime = UnixTime::from_seconds(0);

/// Returns the validity of a CA that is created at the time `now`.
pub(super) fn ca_validity(now: UnixTime) -> Validity {
    Validity {
        not_before: ALWAYS,
        not_after: now.plus_seconds(CA_LIFETIME_SECONDS),
    }
}

/// Returns the parameters of a certificate for `common_name`, without any usage.
pub(super) fn params(
    common_name: &str,
    names: &[Host],
    validity: Validity,
) -> Result<CertificateParams, CertificateError> {
    let names: Vec<String> = names.iter().map(Host::certificate_name).collect();
    let mut params = CertificateParams::new(names).map_err(issue_error)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date(validity.not_before)?;
    params.not_after = date(validity.not_after)?;
    Ok(params)
}

/// Adds the usage of a TLS server.
pub(super) fn for_servers(params: &mut CertificateParams) {
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
}

/// Adds the usage of a TLS client.
pub(super) fn for_clients(params: &mut CertificateParams) {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// Adds the usage of a CA.
pub(super) fn as_ca(params: &mut CertificateParams, constraints: BasicConstraints) {
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
}

fn date(time: UnixTime) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(time.seconds()).map_err(issue_error)
}

pub(super) fn issue_error(error: impl fmt::Display) -> CertificateError {
    CertificateError::Issue(error.to_string())
}
