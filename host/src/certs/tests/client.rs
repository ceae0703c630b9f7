//! A TLS client in memory, at any time of day.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::time::UnixTime;
use rustls::client::ClientConnection;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{self, CertificateDer, ServerName};
use rustls::server::ServerConnection;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

#[derive(Debug)]
struct FixedTime(UnixTime);

impl TimeProvider for FixedTime {
    fn current_time(&self) -> Option<pki_types::UnixTime> {
        let seconds = u64::try_from(self.0.seconds()).ok()?;
        Some(pki_types::UnixTime::since_unix_epoch(Duration::from_secs(
            seconds,
        )))
    }
}

/// Connects at `now` as a client that trusts `folder`'s `cert.pem` alone; gives the certificate that was served.
pub(super) fn connect(
    server: &Arc<ServerConfig>,
    folder: &Path,
    name: &str,
    now: UnixTime,
) -> Result<CertificateDer<'static>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(FixedTime(now)))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(client
        .peer_certificates()
        .unwrap()
        .first()
        .unwrap()
        .clone()
        .into_owned())
}
