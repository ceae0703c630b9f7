//! What certificates are made with. Keys are ECDSA on P-256, which rcgen takes unless told otherwise.

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

/// Files pin a CA for good: a hundred years, as in Go.
const CA_LIFETIME_SECONDS: i64 = 100 * 365 * 24 * 60 * 60;

/// Dates of what a kubeconfig holds protect nobody, and must not lock anybody out: a clock that was ahead when a CA was
/// made, and then was set, would leave a CA of the future.
pub(super) const ALWAYS: UnixTime = UnixTime::from_seconds(0);

/// How long a CA is good that is made at the time `now`.
pub(super) fn ca_validity(now: UnixTime) -> Validity {
    Validity {
        not_before: ALWAYS,
        not_after: now.plus_seconds(CA_LIFETIME_SECONDS),
    }
}

/// A certificate for `common_name`, to be used by nobody for anything yet.
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

/// Lets it serve TLS.
pub(super) fn for_servers(params: &mut CertificateParams) {
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
}

/// Lets it prove a client.
pub(super) fn for_clients(params: &mut CertificateParams) {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// Lets it sign certificates.
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
