//! The pair of `server.tls`, replaced in all supported ways.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use time::OffsetDateTime;

use super::*;
use crate::config::TlsFiles;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A CA of the administrator.
struct Ca {
    pem: String,
    key_pem: String,
}

/// A certificate and its key in PEM.
#[derive(Clone)]
struct Pem {
    certificate: String,
    key: String,
}

/// Start and end of the validity of a certificate, in days from `START`.
const VALID_PERIOD: [i64; 2] = [-10, 80];

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            key_pem: key.serialize_pem(),
        }
    }

    fn sign(&self, name: &str, [from, until]: [i64; 2]) -> Pem {
        let ca_key = KeyPair::from_pem(&self.key_pem).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&self.pem, ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        [params.not_before, params.not_after] = [from, until].map(|days| {
            let seconds = START.plus_seconds(days * DAY).seconds();
            OffsetDateTime::from_unix_timestamp(seconds).unwrap()
        });
        Pem {
            certificate: params.signed_by(&key, &issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A server that serves a pair in a folder and polls it every second.
struct PairFixture {
    folder: TempDir,
    ca: Ca,
    first: Pem,
    serving: ServingCertificate,
    at: Instant,
}

impl PairFixture {
    fn start(clock: fn() -> UnixTime) -> Self {
        let ca = Ca::new();
        let first = ca.sign("localhost", VALID_PERIOD);
        let folder = folder_with(&[
            ("tls.crt", &first.certificate),
            ("tls.key", &first.key),
            ("ca.crt", &ca.pem),
        ]);
        let serving = ServingCertificate::provided(
            files(folder.path()),
            Host::parse("localhost").unwrap(),
            clock,
            &metrics(),
        );
        Self {
            serving: serving.unwrap(),
            folder,
            ca,
            first,
            at: Instant::now(),
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn replace_pair(&self, pem: &Pem) {
        self.write("tls.crt", &pem.certificate);
        self.write("tls.key", &pem.key);
    }

    fn poll(&mut self, times: u32) {
        for _ in 0..times {
            self.at += POLL_INTERVAL;
            self.serving.poll(self.at);
        }
    }

    fn serves(&self, pem: &Pem) -> bool {
        let current = self.serving.current();
        let served = current.cert.first().unwrap();
        *served == CertificateDer::from_pem_slice(pem.certificate.as_bytes()).unwrap()
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings_at(START)
    }

    fn warnings_at(&self, now: UnixTime) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let warnings = self.serving.warnings(now, &[]);
        let short = |warning: String| warning.replace(&folder, "F");
        warnings.into_iter().map(short).collect()
    }
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        ca: Some(folder.join("ca.crt")),
    }
}

#[test]
fn provided_pair_is_served_and_its_ca_pinned() {
    let fixture = PairFixture::start(start);
    assert!(fixture.serves(&fixture.first));
    assert_eq!(fixture.warnings(), [""; 0]);
    assert!(fixture.serving.is_valid_at(START));
    assert_eq!(
        fixture.serving.pinned().unwrap().trim(),
        fixture.ca.pem.trim()
    );
}

#[test]
fn only_certificates_are_pinned() {
    let fixture = PairFixture::start(start);
    let bundle = format!(
        "# our CA\n{}{}\n{}",
        fixture.first.key,
        fixture.ca.pem,
        Ca::new().pem
    );
    fixture.write("ca.crt", &bundle);
    let pinned = pinned_by(&files(fixture.folder.path())).unwrap();
    assert_eq!(pinned.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(
        !pinned.contains("KEY") && !pinned.contains("our CA"),
        "{pinned}"
    );
}

#[test]
fn changed_pair_is_served_once_settled() {
    let mut fixture = PairFixture::start(start);
    for how in ["in place", "by renaming", "by both"] {
        let next = fixture.ca.sign("localhost", VALID_PERIOD);
        match how {
            "in place" => fixture.replace_pair(&next),
            _ => {
                for (name, text) in [("tls.crt", &next.certificate), ("tls.key", &next.key)] {
                    fixture.write("new", text);
                    let path = |name| fixture.folder.path().join(name);
                    fs::rename(path("new"), path(name)).unwrap();
                }
            }
        }
        fixture.poll(1);
        assert!(!fixture.serves(&next), "{how}");
        fixture.poll(1);
        assert!(fixture.serves(&next), "{how}");
        assert_eq!(fixture.warnings(), [""; 0], "{how}");
    }
}

#[test]
fn mounted_secret_is_followed() {
    let (ca, folder) = (Ca::new(), tempfile::tempdir().unwrap());
    let mount = folder.path();
    // Like the kubelet: the files are symbolic links into ..data/, which is a symbolic link that is replaced.
    let publish = |version: &str, pem: &Pem| {
        let data = mount.join(version);
        fs::create_dir(&data).unwrap();
        for (name, text) in [
            ("tls.crt", &pem.certificate),
            ("tls.key", &pem.key),
            ("ca.crt", &ca.pem),
        ] {
            fs::write(data.join(name), text).unwrap();
        }
        symlink(version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    publish("..1", &ca.sign("localhost", VALID_PERIOD));
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
    }
    let hostname = Host::parse("localhost").unwrap();
    let serving = ServingCertificate::provided(files(mount), hostname, start, &metrics()).unwrap();
    let mut at = Instant::now();
    for version in ["..2", "..3", "..4"] {
        let next = ca.sign("localhost", VALID_PERIOD);
        publish(version, &next);
        for _ in 0..2 {
            at += POLL_INTERVAL;
            serving.poll(at);
        }
        let expected = CertificateDer::from_pem_slice(next.certificate.as_bytes()).unwrap();
        assert_eq!(serving.current().cert.first(), Some(&expected), "{version}");
    }
}

#[test]
fn invalid_pair_keeps_previous_pair_and_is_reported() {
    let foreign = Ca::new().sign("localhost", VALID_PERIOD);
    type Break<'a> = &'a dyn Fn(&PairFixture);
    let breaks: [(&str, Break<'_>, &str); 12] = [
        (
            "new certificate, old key",
            &|fixture| {
                fixture.write(
                    "tls.crt",
                    &fixture.ca.sign("localhost", VALID_PERIOD).certificate,
                )
            },
            "the key in `F/tls.key` does not belong to the certificate in `F/tls.crt`; write both files of one pair",
        ),
        (
            "new key, old certificate",
            &|fixture| fixture.write("tls.key", &fixture.ca.sign("localhost", VALID_PERIOD).key),
            "the key in `F/tls.key` does not belong",
        ),
        (
            "half a file",
            &|fixture| fixture.write("tls.crt", fixture.first.certificate.split_at(200).0),
            "`F/tls.crt` is not PEM",
        ),
        (
            "an empty key",
            &|fixture| fixture.write("tls.key", ""),
            "`F/tls.key` holds no unencrypted private key in PEM",
        ),
        (
            "no certificate",
            &|fixture| fixture.write("tls.crt", "x"),
            "`F/tls.crt` holds no certificate",
        ),
        (
            "no CA",
            &|fixture| fixture.write("ca.crt", "x"),
            "`F/ca.crt` holds no certificate",
        ),
        (
            "no key file",
            &|fixture| fs::remove_file(fixture.folder.path().join("tls.key")).unwrap(),
            "cannot read `F/tls.key`: No such file",
        ),
        (
            "a folder instead of a file",
            &|fixture| {
                let path = fixture.folder.path().join("tls.crt");
                fs::remove_file(&path).unwrap();
                fs::create_dir(path).unwrap();
            },
            "cannot read `F/tls.crt`: it is not a regular file",
        ),
        (
            "a file that is too long",
            &|fixture| fixture.write("tls.crt", &"x".repeat(1 << 21)),
            "cannot read `F/tls.crt`: it is longer than 1048576 bytes",
        ),
        (
            "an expired certificate",
            &|fixture| fixture.replace_pair(&fixture.ca.sign("localhost", [-10, -1])),
            "API servers would reject `F/tls.crt`: it expired at ",
        ),
        (
            "a certificate for another host",
            &|fixture| fixture.replace_pair(&fixture.ca.sign("example.com", VALID_PERIOD)),
            "API servers would reject `F/tls.crt`: it is not valid for `localhost`, the value of `server.hostname`",
        ),
        (
            "a certificate of another CA",
            &|fixture| fixture.replace_pair(&foreign),
            "API servers would reject `F/tls.crt`: no certificate in `server.tls.caFile` verifies its chain",
        ),
    ];
    for (name, breaks, expected) in breaks {
        let mut fixture = PairFixture::start(start);
        breaks(&fixture);
        // Replacing the files one after the other may take some seconds.
        fixture.poll(5);
        assert!(fixture.serves(&fixture.first), "{name}");
        assert_eq!(fixture.warnings(), [""; 0], "{name}");
        fixture.poll(10);
        assert!(fixture.serves(&fixture.first), "{name}");
        assert!(fixture.serving.is_valid_at(START), "{name}");
        let warnings = fixture.warnings();
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        let warning = &warnings[0];
        assert!(warning.starts_with(expected), "{name}: {warning}");
        assert!(
            warning.ends_with("the previous pair is still served"),
            "{name}: {warning}"
        );
        assert!(!warning.contains("PRIVATE"), "{name}");

        // The previous pair is restored, or a valid new pair is written.
        let path = fixture.folder.path().join("tls.crt");
        if path.is_dir() {
            fs::remove_dir(path).unwrap();
        }
        fixture.write("ca.crt", &fixture.ca.pem);
        for pem in [
            fixture.first.clone(),
            fixture.ca.sign("localhost", VALID_PERIOD),
        ] {
            fixture.replace_pair(&pem);
            fixture.poll(2);
            assert!(fixture.serves(&pem), "{name}");
            assert_eq!(fixture.warnings(), [""; 0], "{name}");
        }
    }
}

#[test]
fn pair_of_new_ca_waits_until_api_servers_trust_it() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let mut fixture = PairFixture::start(|| UnixTime::from_seconds(NOW.load(Ordering::Relaxed)));
    let (old_ca, new_ca) = (fixture.ca.pem.clone(), Ca::new());
    let next = new_ca.sign("localhost", [-10, 200]);
    fixture.replace_pair(&next);
    fixture.write("ca.crt", &new_ca.pem);
    fixture.poll(10);
    assert!(fixture.serves(&fixture.first));
    let warnings = fixture.warnings();
    assert!(
        warnings[0].starts_with("`F/tls.crt` is signed by a new CA"),
        "{warnings:?}"
    );
    // An API server that restarts now gets both CAs.
    assert_eq!(
        fixture.serving.pinned(),
        Some(format!("{old_ca}{}", new_ca.pem))
    );

    // The rotation without a warning: first both CAs, then the pair.
    fixture.replace_pair(&fixture.first);
    fixture.write("ca.crt", &format!("{old_ca}{}", new_ca.pem));
    fixture.poll(2);
    assert_eq!(fixture.warnings(), [""; 0]);
    fixture.replace_pair(&next);
    fixture.poll(2);
    assert!(fixture.serves(&next));
    fixture.write("ca.crt", &new_ca.pem);
    fixture.poll(2);
    assert_eq!(fixture.serving.pinned(), Some(new_ca.pem));
    assert_eq!(fixture.warnings(), [""; 0]);

    // An expired pair, which API servers reject anyway, is replaced by any pair.
    let last = Ca::new();
    NOW.fetch_add(201 * DAY, Ordering::Relaxed);
    let pair = last.sign("localhost", [-10, 400]);
    fixture.replace_pair(&pair);
    fixture.write("ca.crt", &last.pem);
    fixture.poll(2);
    assert!(fixture.serves(&pair));
}

#[test]
fn expired_pair_is_replaced_by_any_pair() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let mut fixture = PairFixture::start(|| UnixTime::from_seconds(NOW.load(Ordering::Relaxed)));
    let next = fixture.ca.sign("example.com", [-10, 200]);
    fixture.replace_pair(&next);
    fixture.poll(10);
    assert!(fixture.serves(&fixture.first));
    NOW.fetch_add(81 * DAY, Ordering::Relaxed);
    fixture.poll(1);
    assert!(fixture.serves(&next));
    let now = START.plus_seconds(81 * DAY);
    assert!(!fixture.serving.is_valid_at(now));
    assert_eq!(
        fixture.warnings_at(now),
        ["`F/tls.crt`: it is not valid for `localhost`, the value of `server.hostname`"]
    );
}

#[test]
fn future_pair_is_served_once_valid() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let mut fixture = PairFixture::start(|| UnixTime::from_seconds(NOW.load(Ordering::Relaxed)));
    let next = fixture.ca.sign("localhost", [1, 90]);
    fixture.replace_pair(&next);
    fixture.poll(10);
    assert!(fixture.serves(&fixture.first));
    NOW.fetch_add(2 * DAY, Ordering::Relaxed);
    fixture.poll(1);
    assert!(fixture.serves(&next));
    assert_eq!(fixture.warnings_at(START.plus_seconds(2 * DAY)), [""; 0]);
}

#[test]
fn expiring_pair_gives_warning() {
    let fixture = PairFixture::start(start);
    for (days, expected) in [
        (61, ""),
        (63, "`F/tls.crt` expires at "),
        (81, "`F/tls.crt` expired at "),
    ] {
        let text = fixture.warnings_at(START.plus_seconds(days * DAY)).concat();
        assert_eq!(text.is_empty(), expected.is_empty(), "{days}: {text}");
        assert!(text.starts_with(expected), "{days}: {text}");
    }
}

#[test]
fn certificate_that_only_webpki_rejects_is_accepted() {
    // Like the output of `openssl req -x509`: a CA that serves itself.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    let folder = folder_with(&[
        ("tls.crt", &pem),
        ("tls.key", &key.serialize_pem()),
        ("ca.crt", &pem),
    ]);
    let hostname = Host::parse("localhost").unwrap();
    let serving =
        ServingCertificate::provided(files(folder.path()), hostname, start, &metrics()).unwrap();
    assert!(
        serving.is_valid_at(START),
        "{:?}",
        serving.warnings(START, &[])
    );
}

#[test]
fn wildcard_names_match() {
    let ca = Ca::new();
    let pem = ca.sign("*.example.com", VALID_PERIOD);
    let folder = folder_with(&[
        ("tls.crt", &pem.certificate),
        ("tls.key", &pem.key),
        ("ca.crt", &ca.pem),
    ]);
    for (host, is_good) in [
        ("auth.example.com", true),
        ("example.com", false),
        ("10.0.0.1", false),
    ] {
        let hostname = Host::parse(host).unwrap();
        let serving =
            ServingCertificate::provided(files(folder.path()), hostname, start, &metrics());
        assert_eq!(serving.unwrap().is_valid_at(START), is_good, "{host}");
    }
}
