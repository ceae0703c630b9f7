//! The certificates that prove STS: those of `server.sts.caFile`, else those of the system or of `SSL_CERT_FILE` and
//! `SSL_CERT_DIR`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_native_certs::CertificateResult;

use crate::proxy::ProxyError;

/// A folder may hold hundreds of files that cannot be read.
const MAX_REASONS: usize = 3;

/// The certificates that prove STS.
#[derive(Clone, Debug)]
pub struct StsTrust(Arc<RootCertStore>);

impl StsTrust {
    /// Reads the certificates of `ca_file`, else the system's (or those of `SSL_CERT_FILE`).
    ///
    /// # Errors
    /// When there are none.
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
            // A system's store often holds single certificates that nobody can read; the rest serves.
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

    /// Returns the certificates.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// Returns what `SSL_CERT_FILE` and `SSL_CERT_DIR` name and cannot be read, while the rest serves.
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
        "{}; correct the variable, or what it names",
        describe_variable_problems(&found)
    )]
}

/// Returns the variables that replace the system's certificates, as far as they are set. `rustls_native_certs` reads the
/// environment itself and takes no values, so errors name what it has read. To that library, an empty variable is set.
fn certificate_variables() -> impl Iterator<Item = (&'static str, String)> {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?.to_string_lossy().into_owned())))
}

/// What is wrong with the certificates that variables name: the variables, and each file that cannot be read.
fn describe_variable_problems(found: &CertificateResult) -> String {
    let variables: Vec<String> = certificate_variables()
        .map(|(name, value)| format!("`{name}` `{}`", value.escape_debug()))
        .collect();
    let variables = variables.join(" and ");
    let shown = found.errors.iter().take(MAX_REASONS);
    let reasons: Vec<String> = shown.map(ToString::to_string).collect();
    match found.errors.len().saturating_sub(MAX_REASONS) {
        0 if reasons.is_empty() => format!("{variables}: no certificate there"),
        0 => format!("{variables}: {}", reasons.join(", ")),
        more => format!("{variables}: {}, and {more} more", reasons.join(", ")),
    }
}

/// Compares the certificates.
impl PartialEq for StsTrust {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

/// Why no trusted connection to STS is possible. Each is an error of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum StsTrustError {
    /// `server.sts.caFile` cannot be used.
    #[error(
        "cannot read `server.sts.caFile` `{}`: {reason}; give it a PEM file of certificates",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The proxy's URL is malformed. It is not repeated: it may hold a password.
    #[error(transparent)]
    Proxy(ProxyError),
    /// The proxy's host or password is longer than HTTP allows.
    #[error(
        "`{variable}` has a host or a password that is too long; correct it, or exempt STS with `NO_PROXY`"
    )]
    UnusableProxy {
        /// The variable that names the proxy.
        variable: &'static str,
    },
    /// There are none in the file, or in the system's store.
    #[error("{}", describe_missing_certificates(.0.as_deref()))]
    NoCertificates(Option<PathBuf>),
    /// There are none where `SSL_CERT_FILE` and `SSL_CERT_DIR` point: which, and why.
    #[error(
        "no trusted certificates for STS: {0}; correct or unset the variable, or set `server.sts.caFile`"
    )]
    Variables(String),
}

fn describe_missing_certificates(ca_file: Option<&Path>) -> String {
    match ca_file {
        Some(path) => format!(
            "`server.sts.caFile` `{}` holds no certificate; give it a PEM file of certificates",
            path.display()
        ),
        None => "the system trusts no certificates; install `ca-certificates`, or set `server.sts.caFile` or `SSL_CERT_FILE`".to_owned(),
    }
}
