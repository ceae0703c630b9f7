//! The state directory: the pairs on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ack_ram_core::time::UnixTime;

use crate::certs::authority::{self, Authority};
use crate::certs::client_authority::{self, ClientAuthority, ClientCertificate, RenewalState};
use crate::certs::error::CertificateError;
use crate::certs::pair::Validity;
use crate::certs::pair_files::{Advice, PairContents, PairFiles};
use crate::config::Host;

const CLIENT_CA: &str = "client-ca.pem";

/// Reads the pair in `folder`, or makes one for `names` where there is none. A pair that is there is never changed.
///
/// Two processes that start on an empty folder end with the same pair.
///
/// # Errors
/// When the folder cannot be used, or holds half a pair or something that is no pair.
pub fn load_or_create(
    folder: &Path,
    names: &[Host],
    now: UnixTime,
) -> Result<Arc<Authority>, CertificateError> {
    let generate = || authority::generate(names, now);
    server_files(folder)
        .load_or_create(Authority::parse, generate)
        .map(Arc::new)
}

/// The pair in `folder`; nothing where there is none.
///
/// # Errors
/// As [`load_or_create`], but nothing is made.
pub fn load(folder: &Path) -> Result<Option<Authority>, CertificateError> {
    server_files(folder).load(Authority::parse)
}

fn server_files(folder: &Path) -> PairFiles {
    let advice = Advice {
        missing_half: "restore that file, or remove the first and have a new pair made, which needs a new webhook kubeconfig",
        malformed: "restore it, or remove the pair and have a new one made, which needs a new webhook kubeconfig",
        mismatch: "restore the pair, or remove both and have a new one made, which needs a new webhook kubeconfig",
        exposed: "remove the pair and have a new one made, which needs a new webhook kubeconfig",
    };
    PairFiles::new(folder, "cert.pem", "key.pem", advice)
}

/// The same, of the CA of clients.
///
/// # Errors
/// As [`load_or_create`].
pub fn load_or_create_clients(
    folder: &Path,
    now: UnixTime,
) -> Result<ClientAuthority, CertificateError> {
    let generate = || client_authority::generate(now);
    let parse = |certificate: &str, key: &_| ClientAuthority::parse(certificate, Some(key));
    client_files(folder).load_or_create(parse, generate)
}

/// The certificate file of the CA of clients in `folder`.
#[must_use]
pub fn client_ca_file(folder: &Path) -> PathBuf {
    folder.join(CLIENT_CA)
}

/// The CA of clients in `folder`; nothing where there is none: then clients need no certificate, unless `is_required`. Its
/// key may be missing, where nobody is to be given a certificate.
///
/// # Errors
/// When it cannot be read or is no CA, when there is only its key, or when there is none and one is required.
pub fn load_clients(
    folder: &Path,
    is_required: bool,
) -> Result<Option<ClientAuthority>, CertificateError> {
    let files = client_files(folder);
    let PairContents { certificate, key } = files.read_contents()?;
    match (certificate, key) {
        (None, None) if is_required => Err(CertificateError::NoClientAuthority {
            path: files.certificate,
        }),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(files.missing_half(&files.key, &files.certificate)),
        (Some(certificate), key) => ClientAuthority::parse(&certificate, key.as_ref())
            .map(Some)
            .map_err(|error| files.describe_error(error)),
    }
}

/// The certificate for a kubeconfig that holds `previous` until now: that one, or, when it is no good or half of its life is
/// over, a new one of `authority`, the CA of clients in `folder`. Also gives how long it is good.
///
/// # Errors
/// When a new one is needed and cannot be made.
pub fn client_certificate(
    folder: &Path,
    authority: &ClientAuthority,
    previous: Option<ClientCertificate>,
    now: UnixTime,
) -> Result<(ClientCertificate, Validity), CertificateError> {
    let previous = previous.map(|previous| (authority.renewal_state(&previous, now), previous));
    if let Some((RenewalState::Fresh(validity), previous)) = previous {
        return Ok((previous, validity));
    }
    match (authority.issue(now)?, previous) {
        (Some(issued), _) => Ok(issued),
        (None, Some((RenewalState::Aging(validity), previous))) => Ok((previous, validity)),
        (None, _) => {
            let files = client_files(folder);
            Err(files.missing_half(&files.certificate, &files.key))
        }
    }
}

fn client_files(folder: &Path) -> PairFiles {
    let advice = Advice {
        missing_half: "restore that file; or remove the first, and run `init --client-cert` for a new pair, which needs a new webhook kubeconfig",
        malformed: "restore it, or remove the pair and run `init --client-cert` for a new one, which needs a new webhook kubeconfig",
        mismatch: "restore the pair, or remove both and run `init --client-cert` for a new one, which needs a new webhook kubeconfig",
        exposed: "remove the pair and run `init --client-cert` for a new one, which needs a new webhook kubeconfig",
    };
    PairFiles::new(folder, CLIENT_CA, "client-ca-key.pem", advice)
}
