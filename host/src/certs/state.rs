//! The pairs in the state directory.

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

/// Loads the CA in `folder`, or creates one for `names` if it does not exist. An existing pair is never changed.
///
/// Two processes that start on an empty folder get the same pair.
///
/// # Errors
/// If the folder cannot be used, or its pair is incomplete or invalid.
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

/// Loads the CA in `folder`, or returns `None` if it does not exist.
///
/// # Errors
/// If the folder cannot be read, or its pair is incomplete or invalid.
pub fn load(folder: &Path) -> Result<Option<Authority>, CertificateError> {
    server_files(folder).load(Authority::parse)
}

fn server_files(folder: &Path) -> PairFiles {
    let advice = Advice {
        missing_half: "restore that file, or remove the other one so that a new pair is created, which requires a new webhook kubeconfig",
        malformed: "restore it, or remove the pair so that a new one is created, which requires a new webhook kubeconfig",
        mismatch: "restore the pair, or remove both files so that a new one is created, which requires a new webhook kubeconfig",
        exposed: "remove the pair so that a new one is created, which requires a new webhook kubeconfig",
    };
    PairFiles::new(folder, "cert.pem", "key.pem", advice)
}

/// Loads the client CA in `folder`, or creates it if it does not exist.
///
/// # Errors
/// Same as [`load_or_create`].
pub fn load_or_create_clients(
    folder: &Path,
    now: UnixTime,
) -> Result<ClientAuthority, CertificateError> {
    let generate = || client_authority::generate(now);
    let parse = |certificate: &str, key: &_| ClientAuthority::parse(certificate, Some(key));
    client_files(folder).load_or_create(parse, generate)
}

/// Returns the path of the certificate of the client CA in `folder`.
#[must_use]
pub fn client_ca_file(folder: &Path) -> PathBuf {
    folder.join(CLIENT_CA)
}

/// Loads the client CA in `folder`, or returns `None` if it does not exist and is not `is_required`. Without a CA,
/// clients need no certificate. The key may be missing; it is needed only to issue certificates.
///
/// # Errors
/// If the CA cannot be read or is invalid, if only its key exists, or if it `is_required` and does not exist.
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

/// Returns a certificate for a kubeconfig, and its validity. That is `previous`, the certificate that the kubeconfig
/// holds, unless it is invalid or half of its lifetime is over. Otherwise `authority`, the client CA in `folder`,
/// issues a new one.
///
/// # Errors
/// If a new certificate is needed and cannot be created.
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
        missing_half: "restore that file; or remove the other one, and run `init --client-cert` for a new pair, which requires a new webhook kubeconfig",
        malformed: "restore it, or remove the pair and run `init --client-cert` for a new one, which requires a new webhook kubeconfig",
        mismatch: "restore the pair, or remove both files and run `init --client-cert` for a new one, which requires a new webhook kubeconfig",
        exposed: "remove the pair and run `init --client-cert` for a new one, which requires a new webhook kubeconfig",
    };
    PairFiles::new(folder, CLIENT_CA, "client-ca-key.pem", advice)
}
