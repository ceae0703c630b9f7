//! Why a server does not start.

use thiserror::Error;

use crate::certs::CertificateError;
use crate::kubeconfig::KubeconfigError;
use crate::server::listeners::ListenError;
use crate::sts::StsTrustError;

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The certificates that prove STS cannot be had.
    #[error("{0}")]
    Trust(StsTrustError),
    /// Metrics cannot be had.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(prometheus::Error),
    /// The server's own certificate cannot be had.
    #[error("{0}")]
    Certificate(CertificateError),
    /// There can be no thread for the audit file.
    #[error("cannot start the thread of the audit file: {0}")]
    Audit(std::io::Error),
    /// The webhook kubeconfig cannot be written.
    #[error("{0}")]
    Kubeconfig(KubeconfigError),
    /// The address cannot be listened on.
    #[error("{0}")]
    Listen(ListenError),
    /// The system does not say where it listens.
    #[error("cannot tell where the server listens: {0}")]
    Address(std::io::Error),
}
