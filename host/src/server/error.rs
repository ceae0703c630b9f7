//! Errors that keep the server from starting.

use thiserror::Error;

use crate::certs::CertificateError;
use crate::kubeconfig::KubeconfigError;
use crate::server::listeners::ListenError;
use crate::sts::StsTrustError;

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The certificates that verify STS cannot be loaded, or the proxy for STS is unusable.
    #[error("{0}")]
    Trust(StsTrustError),
    /// The metrics cannot be created.
    #[error("cannot create the metrics: {0}")]
    Metrics(prometheus::Error),
    /// A certificate of the server or the client CA cannot be loaded or created.
    #[error("{0}")]
    Certificate(CertificateError),
    /// The thread of the audit file cannot be started.
    #[error("cannot start the thread of the audit file: {0}")]
    Audit(std::io::Error),
    /// The webhook kubeconfig cannot be written.
    #[error("{0}")]
    Kubeconfig(KubeconfigError),
    /// The server cannot listen on an address.
    #[error("{0}")]
    Listen(ListenError),
    /// The system does not report the address of a listener.
    #[error("cannot get the address of a listener: {0}")]
    Address(std::io::Error),
}
