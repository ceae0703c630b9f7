//! The server's TLS identity, and its clients'.
//!
//! `cert.pem` and `key.pem` in the state directory are a CA that the webhook kubeconfig pins. The certificate that is
//! served is issued by it in memory, lives for days and is replaced while the server runs, so the API server never has
//! to be told. Pairs that the Go version made are such a CA, too. A pair that cannot issue is served as it is.
//!
//! Where `server.tls` names a pair of the operator's own, that is served instead, whenever it changes. Where the state
//! directory has a CA of clients, only those may ask who have a certificate of it.

mod anchors;
mod authority;
mod client_authority;
mod client_verifier;
mod error;
mod issue;
mod issued;
mod pair;
mod pair_files;
mod provided_pair;
mod serving;
mod state;

use std::time::Duration;

use ack_ram_core::time::UnixTime;
use rustls::pki_types;

pub use authority::Authority;
pub use client_authority::{ClientAuthority, ClientCertificate};
pub use client_verifier::{ClientRefusal, ClientVerifier};
pub use error::CertificateError;
pub use pair::Validity;
pub use pair_files::make_state_dir;
pub use provided_pair::pinned_by;
pub use serving::ServingCertificate;
pub use state::{
    client_ca_file, client_certificate, load, load_clients, load_or_create, load_or_create_clients,
};

/// `time` as TLS libraries take it; none of theirs is before 1970.
fn tls_time(time: UnixTime) -> pki_types::UnixTime {
    let seconds = u64::try_from(time.seconds()).unwrap_or_default();
    pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[cfg(test)]
pub(crate) mod tests;
