//! The state directory and the served certificate, as seen by a client that pins `cert.pem` like kube-apiserver.

pub(crate) mod client;
mod clients;
mod provided_pair;
mod rotation;
mod state;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ack_ram_core::time::UnixTime;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use client::connect;

use super::*;
use crate::config::Host;
use crate::metrics::CertificateMetrics;

const DAY: i64 = 24 * 60 * 60;
const GO_STATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/go-state");

/// A day after the sample of Go's state directory was created.
const START: UnixTime = UnixTime::from_seconds(1_795_550_000);

fn start() -> UnixTime {
    START
}

fn names(names: &[&str]) -> Vec<Host> {
    names
        .iter()
        .map(|name| Host::parse(name).unwrap())
        .collect()
}

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn go_file(name: &str) -> String {
    fs::read_to_string(Path::new(GO_STATE).join(name)).unwrap()
}

fn go_folder() -> TempDir {
    folder_with(&[
        ("cert.pem", &go_file("cert.pem")),
        ("key.pem", &go_file("key.pem")),
    ])
}

/// Returns the names and contents of all files in `folder`.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn server(folder: &Path, configured: &[&str], clock: fn() -> UnixTime) -> Arc<ServerConfig> {
    let names = names(configured);
    let authority = load_or_create(folder, &names, clock()).unwrap();
    let serving = ServingCertificate::issued(authority, &names, clock, &metrics()).unwrap();
    Arc::new(Arc::new(serving).server_config(None).unwrap())
}

fn metrics() -> CertificateMetrics {
    CertificateMetrics::disabled().unwrap()
}

/// Returns the certificate of a new CA. The folder is no longer needed.
fn serving(clock: fn() -> UnixTime) -> ServingCertificate {
    let folder = tempfile::tempdir().unwrap();
    let authority = load_or_create(folder.path(), &names(&["localhost"]), START).unwrap();
    ServingCertificate::issued(authority, &[], clock, &metrics()).unwrap()
}

#[test]
fn new_folder_gets_permanent_pair() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    let server = server(&folder, &["auth.example.com", "::1"], start);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("key.pem")), 0o600);
    assert_eq!(mode(&folder.join("cert.pem")), 0o644);

    for (name, is_good) in [
        ("auth.example.com", true),
        ("::1", true),
        ("localhost", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(
            connect(&server, &folder, name, START).is_ok(),
            is_good,
            "{name}"
        );
    }

    let before = contents(&folder);
    assert_eq!(
        before
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["cert.pem", "key.pem"]
    );
    load_or_create(&folder, &names(&["other"]), START).unwrap();
    assert_eq!(contents(&folder), before);
}

#[test]
fn new_ca_serves_tls_itself_as_go_does() {
    let folder = tempfile::tempdir().unwrap();
    let authority =
        load_or_create(folder.path(), &names(&["localhost", "127.0.0.1"]), START).unwrap();
    let x509 = authority.certified().cert.first().unwrap();
    let (_, x509) = x509_parser::parse_x509_certificate(x509).unwrap();
    let usage = x509.key_usage().unwrap().unwrap().value;
    assert!(x509.is_ca() && usage.digital_signature() && usage.key_cert_sign());
    assert!(
        x509.extended_key_usage()
            .unwrap()
            .unwrap()
            .value
            .server_auth
    );
    assert_eq!(authority.names(), names(&["localhost", "127.0.0.1"]));
}

#[test]
fn go_pair_serves_unchanged() {
    let folder = go_folder();
    let before = contents(folder.path());
    let server = server(folder.path(), &["auth.example.com", "10.0.0.1"], start);
    for (name, is_good) in [
        // The names of Go's certificate, then the configured ones.
        ("localhost", true),
        ("127.0.0.1", true),
        ("auth.example.com", true),
        ("10.0.0.1", true),
        ("other.example.com", false),
    ] {
        assert_eq!(
            connect(&server, folder.path(), name, START).is_ok(),
            is_good,
            "{name}"
        );
    }
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn served_certificate_is_leaf_that_names_its_ca() {
    for folder in [tempfile::tempdir().unwrap(), go_folder()] {
        let server = server(folder.path(), &["localhost"], start);
        let leaf = connect(&server, folder.path(), "localhost", START).unwrap();
        let (_, leaf) = x509_parser::parse_x509_certificate(&leaf).unwrap();
        let ca = CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap();
        let (_, ca) = x509_parser::parse_x509_certificate(&ca).unwrap();

        assert!(!leaf.is_ca());
        assert_eq!(leaf.issuer().as_raw(), ca.subject().as_raw());
        assert_ne!(leaf.subject().as_raw(), ca.subject().as_raw());
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && !usage.client_auth && !usage.any);
        assert!(authority_key_id(&leaf).is_some());
        assert_eq!(authority_key_id(&leaf), subject_key_id(&ca));
        let validity = leaf.validity();
        assert_eq!(validity.not_before.timestamp(), START.seconds() - DAY);
        assert_eq!(validity.not_after.timestamp(), START.seconds() + 7 * DAY);
    }
}

fn authority_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                Some(id.key_identifier.as_ref()?.0.to_vec())
            }
            _ => None,
        })
}

fn subject_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
}

#[test]
fn non_ca_pair_is_served_unchanged() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["own.example.com".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    let certificate = params.self_signed(&key).unwrap();
    let folder = folder_with(&[
        ("cert.pem", &certificate.pem()),
        ("key.pem", &key.serialize_pem()),
    ]);
    let before = contents(folder.path());
    let server = server(folder.path(), &["localhost"], start);
    let served = connect(&server, folder.path(), "own.example.com", START).unwrap();
    assert_eq!(&served, certificate.der());
    assert!(connect(&server, folder.path(), "localhost", START).is_err());
    assert_eq!(contents(folder.path()), before);
}
