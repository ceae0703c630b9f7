//! Trusted CA certificates for STS: from `server.sts.caFile`, or else from `SSL_CERT_FILE` and `SSL_CERT_DIR`, or else
//! from the system.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_native_certs::CertificateResult;

use crate::proxy::ProxyError;

/// Maximum number of errors that a message lists, because a folder may have hundreds of unreadable files.
const MAX_REASONS: usize = 3;

/// The trusted CA certificates for STS.
#[derive(Clone, Debug)]
pub struct StsTrust(Arc<RootCertStore>);

impl StsTrust {
    /// Loads the certificates from `ca_file`, or else from the locations in the environment, or else from the system.
    ///
    /// # Errors
    /// Returns an error if there is no certificate, or if `ca_file` is invalid.
    pub fn load(ca_file: Option<&PathBuf>) -> Result<Self, StsTrustError> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let unreadable = |reason: String| StsTrustError::Unreadable {
                    path: path.clone(),
                    reason,
                };
                let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                    roots
                        .add(certificate)
                        .map_err(|error| unreadable(error.to_string()))?;
                }
            }
            // The system's store often has a few certificates that cannot be parsed. The others are sufficient.
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs.iter().cloned());
                if roots.is_empty() && certificate_variables().next().is_some() {
                    return Err(StsTrustError::Variables(describe_variable_problems(&found)));
                }
            }
        }
        if roots.is_empty() {
            return Err(StsTrustError::NoCertificates(ca_file.cloned()));
        }
        Ok(Self(Arc::new(roots)))
    }

    /// Returns no certificates, for connections without TLS.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// Returns the root certificates.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// Returns warnings about unreadable files in `SSL_CERT_FILE` and `SSL_CERT_DIR`, if other certificates can be used.
#[must_use]
pub fn trust_warnings() -> Vec<String> {
    if certificate_variables().next().is_none() {
        return Vec::new();
    }
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() || found.errors.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "{}; correct the variable, or the file or folder that it names",
        describe_variable_problems(&found)
    )]
}

/// Returns the names and values of the variables that replace the system's certificates and are set.
///
/// `rustls_native_certs` reads the environment itself, so this function reads the same variables for error messages.
/// Like that library, it treats an empty variable as set.
fn certificate_variables() -> impl Iterator<Item = (&'static str, String)> {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?.to_string_lossy().into_owned())))
}

/// Returns the variables and the errors of the files that they name.
fn describe_variable_problems(found: &CertificateResult) -> String {
    let variables: Vec<String> = certificate_variables()
        .map(|(name, value)| format!("`{name}` `{}`", value.escape_debug()))
        .collect();
    let variables = variables.join(" and ");
    let shown = found.errors.iter().take(MAX_REASONS);
    let reasons: Vec<String> = shown.map(ToString::to_string).collect();
    match found.errors.len().saturating_sub(MAX_REASONS) {
        0 if reasons.is_empty() => format!("{variables}: no certificate found"),
        0 => format!("{variables}: {}", reasons.join(", ")),
        more => format!("{variables}: {}, and {more} more", reasons.join(", ")),
    }
}

/// Compares the root certificates.
impl PartialEq for StsTrust {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

/// Configuration error that prevents a trusted connection to STS.
#[derive(Debug, thiserror::Error)]
pub enum StsTrustError {
    /// `server.sts.caFile` cannot be read or parsed.
    #[error(
        "cannot read `server.sts.caFile` `{}`: {reason}; set it to a PEM file with certificates",
        path.display()
    )]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Reason why the file cannot be used.
        reason: String,
    },
    /// The URL of the proxy is malformed. The message does not quote the URL, which may contain a password.
    #[error(transparent)]
    Proxy(ProxyError),
    /// The host or password of the proxy is longer than HTTP allows.
    #[error(
        "`{variable}` has a host or a password that is too long; correct it, or exempt STS with `NO_PROXY`"
    )]
    UnusableProxy {
        /// Name of the variable with the proxy.
        variable: &'static str,
    },
    /// The file, or the system's store, has no certificates.
    #[error("{}", describe_missing_certificates(.0.as_deref()))]
    NoCertificates(Option<PathBuf>),
    /// The locations in `SSL_CERT_FILE` and `SSL_CERT_DIR` have no certificates. The text names the variables and
    /// errors.
    #[error(
        "no trusted certificates for STS: {0}; correct or unset the variable, or set `server.sts.caFile`"
    )]
    Variables(String),
}

fn describe_missing_certificates(ca_file: Option<&Path>) -> String {
    match ca_file {
        Some(path) => format!(
            "`server.sts.caFile` `{}` contains no certificate; set it to a PEM file with certificates",
            path.display()
        ),
        None => "the system has no trusted certificates; install `ca-certificates`, or set `server.sts.caFile` or `SSL_CERT_FILE`".to_owned(),
    }
}
