//! Client certificates.

use ack_ram_core::secret::Secret;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::client::{complete_handshake, config};
use super::*;

const YEAR: i64 = 365 * DAY;

/// Returns a folder with both CAs.
fn folder_with_clients() -> (TempDir, ClientAuthority) {
    let folder = tempfile::tempdir().unwrap();
    load_or_create(folder.path(), &names(&["localhost"]), START).unwrap();
    let authority = load_or_create_clients(folder.path(), START).unwrap();
    (folder, authority)
}

/// Converts `client` to the type that a TLS client presents.
fn certified(client: &ClientCertificate) -> Arc<CertifiedKey> {
    let chain = vec![CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).unwrap();
    Arc::new(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).unwrap())
}

/// Returns a certificate for `usage`, signed by the CA in these two files of `folder`.
fn signed(
    folder: &Path,
    [certificate, key]: [&str; 2],
    usage: ExtendedKeyUsagePurpose,
) -> Arc<CertifiedKey> {
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    let ca_key = KeyPair::from_pem(&read(key)).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&read(certificate), ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.extended_key_usages = vec![usage];
    let signed = params.signed_by(&key, &issuer).unwrap();
    certified(&ClientCertificate {
        certificate: signed.pem(),
        key: Secret::new(key.serialize_pem()),
    })
}

#[test]
fn client_without_certificate_of_client_ca_is_refused() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let clock = || UnixTime::from_seconds(NOW.load(Ordering::Relaxed));
    let (folder, authority) = folder_with_clients();
    let folder = folder.path();
    let server_ca = load_or_create(folder, &[], START).unwrap();
    let ca_pem = server_ca.certificate_pem().to_owned();
    let serving = ServingCertificate::issued(server_ca, &[], clock, &metrics()).unwrap();
    let verifier = ClientVerifier::new(&authority, clock, &metrics());
    let server = Arc::new(Arc::new(serving).server_config(Some(&verifier)).unwrap());

    let (client, _) = client_certificate(folder, &authority, None, START).unwrap();
    let (other_folder, other) = folder_with_clients();
    let (foreign, _) = client_certificate(other_folder.path(), &other, None, START).unwrap();
    let clients = ["client-ca.pem", "client-ca-key.pem"];
    let for_clients = || ExtendedKeyUsagePurpose::ClientAuth;
    let good = Some(certified(&client));
    for (name, shown, years, expected) in [
        ("its own certificate", good.clone(), 0, Ok(())),
        ("no certificate", None, 0, Err(ClientRefusal::Missing)),
        (
            "a certificate of another CA with the same name",
            Some(certified(&foreign)),
            0,
            Err(ClientRefusal::Unknown),
        ),
        (
            "a certificate signed by the server's CA",
            Some(signed(folder, ["cert.pem", "key.pem"], for_clients())),
            0,
            Err(ClientRefusal::Unknown),
        ),
        (
            "a certificate for servers",
            Some(signed(folder, clients, ExtendedKeyUsagePurpose::ServerAuth)),
            0,
            Err(ClientRefusal::Unknown),
        ),
        (
            "another certificate of the client CA",
            Some(signed(folder, clients, for_clients())),
            0,
            Ok(()),
        ),
        (
            "its own certificate, almost expired",
            good.clone(),
            9,
            Ok(()),
        ),
        (
            "its own certificate, expired",
            good.clone(),
            10,
            Err(ClientRefusal::Expired),
        ),
        // The clock of the server is wrong.
        (
            "its own certificate, long before it was issued",
            good,
            -20,
            Ok(()),
        ),
    ] {
        let now = START.plus_seconds(years * YEAR + 1);
        NOW.store(now.seconds(), Ordering::Relaxed);
        for version in [&TLS12, &TLS13] {
            let client = config(&ca_pem, now, shown.clone(), &[version]);
            let (_, server) = complete_handshake(client, &server, "localhost").expect(name);
            let admitted = verifier.admit(server.peer_certificates());
            assert_eq!(admitted, expected, "{name} {version:?}");
        }
    }
}

#[test]
fn certificate_without_its_key_fails_handshake() {
    let (folder, authority) = folder_with_clients();
    let folder = folder.path();
    let server_ca = load_or_create(folder, &[], START).unwrap();
    let ca_pem = server_ca.certificate_pem().to_owned();
    let serving = ServingCertificate::issued(server_ca, &[], start, &metrics()).unwrap();
    let verifier = ClientVerifier::new(&authority, start, &metrics());
    let server = Arc::new(Arc::new(serving).server_config(Some(&verifier)).unwrap());
    let [(one, _), (two, _)] =
        [(); 2].map(|()| client_certificate(folder, &authority, None, START).unwrap());
    let [one, two] = [one, two].map(|client| certified(&client));
    let stolen = Arc::new(CertifiedKey::new(one.cert.clone(), Arc::clone(&two.key)));
    for version in [&TLS12, &TLS13] {
        let client = config(&ca_pem, START, Some(Arc::clone(&stolen)), &[version]);
        let outcome = complete_handshake(client, &server, "localhost");
        assert!(outcome.is_err(), "{version:?}");
    }
}

#[test]
fn client_certificate_is_renewed_after_half_of_its_life() {
    let (folder, authority) = folder_with_clients();
    let folder = folder.path();
    let (held, validity) = client_certificate(folder, &authority, None, START).unwrap();
    assert_eq!(validity.not_after, START.plus_seconds(10 * YEAR));
    let (other_folder, other) = folder_with_clients();
    let (foreign, _) = client_certificate(other_folder.path(), &other, None, START).unwrap();
    let mixed = ClientCertificate {
        key: foreign.key.clone(),
        ..held.clone()
    };
    let garbage = ClientCertificate {
        certificate: "x".to_owned(),
        key: Secret::new("x"),
    };
    fs::remove_file(folder.join("client-ca-key.pem")).unwrap();
    let keyless = load_clients(folder, false).unwrap().unwrap();
    for (name, given, years, is_kept, without_key) in [
        ("no certificate", None, 0, false, false),
        ("a new certificate", Some(&held), 0, true, true),
        ("four years old", Some(&held), 4, true, true),
        ("six years old", Some(&held), 6, false, true),
        ("expired", Some(&held), 11, false, false),
        ("of another CA", Some(&foreign), 0, false, false),
        ("with another key", Some(&mixed), 0, false, false),
        ("malformed", Some(&garbage), 0, false, false),
    ] {
        let now = START.plus_seconds(years * YEAR);
        let (next, validity) = client_certificate(folder, &authority, given.cloned(), now).unwrap();
        assert_eq!(Some(&next) == given, is_kept, "{name}");
        assert!(validity.contains(now), "{name}");
        match client_certificate(folder, &keyless, given.cloned(), now) {
            Ok((kept, _)) => assert!(without_key && Some(&kept) == given, "{name}"),
            Err(error) => {
                let message = error.to_string();
                assert!(!without_key, "{name}: {message}");
                assert!(message.contains("but no") && message.contains("client-ca-key.pem"));
            }
        }
    }
}

#[test]
fn expiring_certificates_give_warnings() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let (folder, authority) = folder_with_clients();
    let (client, _) = client_certificate(folder.path(), &authority, None, START).unwrap();
    let clock = || UnixTime::from_seconds(NOW.load(Ordering::Relaxed));
    let verifier = ClientVerifier::new(&authority, clock, &metrics());
    assert_eq!(verifier.warning(START.plus_seconds(99 * YEAR)), None);
    verifier.admit(Some(&certified(&client).cert)).unwrap();
    for (days, expected) in [
        (0, None),
        (3_619, None),
        (3_621, Some("expires at ")),
        (3_651, Some("expired at ")),
    ] {
        let warning = verifier.warning(START.plus_seconds(days * DAY));
        assert_eq!(warning.is_some(), expected.is_some(), "{days}: {warning:?}");
        let text = warning.unwrap_or_default();
        assert!(
            text.contains(expected.unwrap_or_default()),
            "{days}: {text}"
        );
    }
    assert_eq!(authority.warning(START), None);
    let late = authority.warning(START.plus_seconds(100 * YEAR)).unwrap();
    assert!(late.contains("`client-ca.pem` expired at "), "{late}");
}

#[test]
fn unusable_client_ca_is_an_error_and_absent_one_is_none() {
    let (whole, _) = folder_with_clients();
    let (other, _) = folder_with_clients();
    let read = |folder: &TempDir, name| fs::read_to_string(folder.path().join(name)).unwrap();
    let (certificate, key) = (
        read(&whole, "client-ca.pem"),
        read(&whole, "client-ca-key.pem"),
    );
    let other_key = read(&other, "client-ca-key.pem");
    let leaf = client_certificate(
        whole.path(),
        &load_clients(whole.path(), false).unwrap().unwrap(),
        None,
        START,
    );
    let (leaf, _) = leaf.unwrap();
    type ClientCase<'a> = (&'a [(&'a str, &'a str)], Result<bool, &'a str>);
    let cases: [ClientCase<'_>; 7] = [
        (&[], Ok(false)),
        (
            &[("client-ca.pem", &certificate), ("client-ca-key.pem", &key)],
            Ok(true),
        ),
        (&[("client-ca.pem", &certificate)], Ok(true)),
        (
            &[("client-ca-key.pem", &key)],
            Err("but no `F/client-ca.pem`"),
        ),
        (
            &[("client-ca.pem", "")],
            Err("`F/client-ca.pem` holds no certificate"),
        ),
        (
            &[
                ("client-ca.pem", &certificate),
                ("client-ca-key.pem", &other_key),
            ],
            Err(
                "the key in `F/client-ca-key.pem` does not belong to the certificate in `F/client-ca.pem`",
            ),
        ),
        (
            &[
                ("client-ca.pem", &leaf.certificate),
                ("client-ca-key.pem", leaf.key.expose()),
            ],
            Err("`F/client-ca.pem` holds a certificate that is not a CA"),
        ),
    ];
    for (files, expected) in cases {
        let folder = folder_with(files);
        let before = contents(folder.path());
        match load_clients(folder.path(), false) {
            Ok(clients) => assert_eq!(Ok(clients.is_some()), expected),
            Err(error) => {
                let message = error
                    .to_string()
                    .replace(&folder.path().display().to_string(), "F");
                assert!(message.contains(expected.unwrap_err()), "{message}");
                assert!(message.contains("init --client-cert"), "{message}");
            }
        }
        assert_eq!(contents(folder.path()), before);
    }
}

#[test]
fn keys_are_private_and_each_ca_signs_for_one_side() {
    let (folder, _) = folder_with_clients();
    let folder = folder.path();
    for (name, mode) in [
        ("cert.pem", 0o644),
        ("key.pem", 0o600),
        ("client-ca.pem", 0o644),
        ("client-ca-key.pem", 0o600),
    ] {
        let metadata = fs::metadata(folder.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    let key = |name: &str| {
        let certificate = CertificateDer::from_pem_file(folder.join(name)).unwrap();
        let (_, x509) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        x509.public_key().raw.to_vec()
    };
    assert_ne!(key("cert.pem"), key("client-ca.pem"));
    let before = contents(folder);
    load_or_create_clients(folder, START).unwrap();
    assert_eq!(contents(folder), before);
}
