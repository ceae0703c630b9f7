//! TLS certificates of the server and of its clients.
//!
//! `cert.pem` and `key.pem` in the state directory are a CA, which the webhook kubeconfig pins. The CA issues the
//! serving certificate in memory. That certificate is valid for a week and is renewed while the server runs, so the API
//! server needs no new kubeconfig. Pairs of the Go version work as a CA, too. A pair that is not a CA is served
//! unchanged.
//!
//! If `server.tls` names a pair, the server serves that pair instead and reloads it when the files change. If the state
//! directory has a client CA, only clients with a certificate of that CA get access.

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

/// Converts `time` to the type of TLS libraries, which has no times before 1970.
fn tls_time(time: UnixTime) -> pki_types::UnixTime {
    let seconds = u64::try_from(time.seconds()).unwrap_or_default();
    pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[cfg(test)]
pub(crate) mod tests;
