//! Renewal of certificates while the server runs, with clocks that jump.

use x509_parser::public_key::PublicKey;

use super::*;

#[test]
fn served_certificate_is_renewed_while_server_runs() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let clock = || UnixTime::from_seconds(NOW.load(Ordering::Relaxed));
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), &["localhost"], clock);
    let mut last = connect(&server, folder.path(), "localhost", START).unwrap();
    for (days, is_replaced) in [
        (1, false),
        (3, false),
        (4, true),
        (4, false),
        (7, false),
        (60, true),
        (400, true),
        // The clock is set back.
        (200, true),
        (200, false),
    ] {
        let now = START.plus_seconds(days * DAY);
        NOW.store(now.seconds(), Ordering::Relaxed);
        let served = connect(&server, folder.path(), "localhost", now).unwrap();
        assert_eq!(served != last, is_replaced, "day {days}");
        last = served;
    }
}

#[test]
fn concurrent_connections_get_one_new_certificate() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let serving = serving(|| UnixTime::from_seconds(NOW.load(Ordering::Relaxed)));
    let first = serving.current();
    NOW.fetch_add(5 * DAY, Ordering::Relaxed);
    let served: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| serving.current())).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let second = serving.current();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(
        served
            .iter()
            .all(|certified| Arc::ptr_eq(certified, &second))
    );
}

#[test]
fn unrepresentable_clock_keeps_old_certificate() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let serving = serving(|| UnixTime::from_seconds(NOW.load(Ordering::Relaxed)));
    let first = serving.current();
    NOW.store(i64::MAX, Ordering::Relaxed);
    assert!(Arc::ptr_eq(&first, &serving.current()));
    NOW.store(START.seconds() + 5 * DAY, Ordering::Relaxed);
    assert!(!Arc::ptr_eq(&first, &serving.current()));
}

#[test]
fn clock_jump_leaves_valid_certificate() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    let clock = || UnixTime::from_seconds(NOW.load(Ordering::Relaxed));
    let year = 365 * DAY;
    // The validity of Go's CA starts on the day of its creation. The CA of this program starts in 1970.
    for (folder, earliest) in [
        (tempfile::tempdir().unwrap(), -50 * year),
        (go_folder(), -DAY / 2),
    ] {
        NOW.store(START.seconds(), Ordering::Relaxed);
        let server = server(folder.path(), &["localhost"], clock);
        let ca = load_or_create(folder.path(), &[], START).unwrap();
        let mut seconds = 0;
        for jump in [
            DAY / 2,
            -DAY / 2,
            3 * DAY,
            DAY,
            -DAY,
            -2 * DAY,
            90 * DAY,
            -89 * DAY,
            50 * year,
            -50 * year,
            earliest - seconds,
            99 * year - earliest,
            -99 * year,
        ] {
            seconds = (seconds + jump).max(earliest);
            let now = START.plus_seconds(seconds);
            NOW.store(now.seconds(), Ordering::Relaxed);
            // webpki does not check the dates of trust anchors; Go does.
            assert!(ca.validity().contains(now), "{jump}: {now}");
            let leaf = connect(&server, folder.path(), "localhost", now);
            let leaf = leaf.unwrap_or_else(|error| panic!("{jump}: {now}: {error}"));
            let validity = Validity::from_der(&leaf).unwrap();
            // The certificate is also valid for API servers whose clocks have not jumped as far.
            for other in [-60 * 60, 24 * 60 * 60] {
                assert!(validity.contains(now.plus_seconds(other)), "{jump}: {now}");
            }
        }
    }
}

#[test]
fn ca_made_with_fast_clock_is_valid_after_correction() {
    let folder = tempfile::tempdir().unwrap();
    let ahead = START.plus_seconds(20 * 365 * DAY);
    let ca = load_or_create(folder.path(), &names(&["localhost"]), ahead).unwrap();
    let clients = load_or_create_clients(folder.path(), ahead).unwrap();
    let (_, client) = client_certificate(folder.path(), &clients, None, ahead).unwrap();
    for validity in [ca.validity(), clients.validity(), client] {
        assert!(validity.contains(START) && validity.contains(ahead));
    }
    let server = server(folder.path(), &[], start);
    connect(&server, folder.path(), "localhost", START).unwrap();
}

#[test]
fn generated_keys_are_elliptic() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), &["localhost"], start);
    let clients = load_or_create_clients(folder.path(), START).unwrap();
    let (client, _) = client_certificate(folder.path(), &clients, None, START).unwrap();
    let from_file = |name| CertificateDer::from_pem_file(folder.path().join(name)).unwrap();
    for certificate in [
        from_file("cert.pem"),
        from_file("client-ca.pem"),
        connect(&server, folder.path(), "localhost", START).unwrap(),
        CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap(),
    ] {
        let (_, x509) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        let key = x509.public_key().parsed().unwrap();
        let PublicKey::EC(point) = key else {
            panic!("{key:?}");
        };
        assert_eq!(point.key_size(), 256);
    }
}
