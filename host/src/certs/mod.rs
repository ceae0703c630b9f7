//! The server's TLS identity.
//!
//! `cert.pem` and `key.pem` in the state directory are a CA that the webhook kubeconfig pins. The certificate that is
//! served is issued by it in memory, lives for days and is replaced while the server runs, so the API server never has
//! to be told. Pairs that the Go version made are such a CA, too. A pair that cannot issue is served as it is.

mod authority;
mod error;
mod serving;
mod state;

pub use authority::Authority;
pub use error::CertificateError;
pub use serving::ServingCertificate;
pub use state::load_or_create;

#[cfg(test)]
mod tests;
