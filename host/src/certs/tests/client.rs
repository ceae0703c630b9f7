//! A TLS client in memory, with any clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::time::UnixTime;
use rustls::client::{ClientConnection, ResolvesClientCert};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{self, CertificateDer, ServerName};
use rustls::server::ServerConnection;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};

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

/// Presents a fixed client certificate, whatever the server requests.
#[derive(Debug)]
struct ClientCertResolver(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for ClientCertResolver {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Builds a client at the time `now` that trusts only the certificate in `ca_pem` and presents `shown` on request.
pub(crate) fn config(
    ca_pem: &str,
    now: UnixTime,
    shown: Option<Arc<CertifiedKey>>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    ClientConfig::builder_with_details(provider, Arc::new(FixedTime(now)))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(ClientCertResolver(shown)))
}

/// Connects at `now` as a client that trusts only `folder`'s `cert.pem`. Returns the served certificate.
pub(super) fn connect(
    server: &Arc<ServerConfig>,
    folder: &Path,
    name: &str,
    now: UnixTime,
) -> Result<CertificateDer<'static>, rustls::Error> {
    let ca_pem = std::fs::read_to_string(folder.join("cert.pem")).unwrap();
    let client = config(&ca_pem, now, None, rustls::DEFAULT_VERSIONS);
    let (client, _) = complete_handshake(client, server, name)?;
    Ok(client
        .peer_certificates()
        .unwrap()
        .first()
        .unwrap()
        .clone()
        .into_owned())
}

/// Completes a handshake and returns both sides.
pub(super) fn complete_handshake(
    client: ClientConfig,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok((client, server))
}
