//! The state directory: whole, half, and made by many at once.

use super::*;

#[test]
fn a_folder_without_a_whole_pair_is_refused_and_left_alone() {
    let (certificate, key) = (go_file("cert.pem"), go_file("key.pem"));
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let restore = "restore it, or remove the pair and have a new one made, which needs a new webhook kubeconfig";
    let half = "restore that file, or remove the first and have a new pair made, which needs a new webhook kubeconfig";
    for (files, expected) in [
        (&[("cert.pem", certificate.as_str())][..], format!("there is `F/cert.pem` but no `F/key.pem`; {half}")),
        (&[("key.pem", &key)], format!("there is `F/key.pem` but no `F/cert.pem`; {half}")),
        (&[("cert.pem", ""), ("key.pem", &key)], format!("`F/cert.pem` holds no certificate; {restore}")),
        (&[("cert.pem", &key), ("key.pem", &key)], format!("`F/cert.pem` holds no certificate; {restore}")),
        (
            &[("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), ("key.pem", &key)],
            format!("`F/cert.pem` holds a certificate that cannot be read; {restore}"),
        ),
        (&[("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA"), ("key.pem", &key)], format!("`F/cert.pem` is not PEM; {restore}")),
        (
            &[("cert.pem", &certificate), ("key.pem", &certificate)],
            format!("`F/key.pem` holds no private key in PEM without a password; {restore}"),
        ),
        (
            &[("cert.pem", &certificate), ("key.pem", &other_key)],
            "the key in `F/key.pem` does not belong to the certificate in `F/cert.pem`; restore the pair, or remove both and have a new one made, which needs a new webhook kubeconfig".to_owned(),
        ),
    ] {
        let folder = folder_with(files);
        let before = contents(folder.path());
        let error = load_or_create(folder.path(), &names(&["localhost"]), START).err().unwrap();
        let message = error.to_string().replace(&folder.path().display().to_string(), "F");
        assert_eq!(message, expected);
        assert_eq!(contents(folder.path()), before);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let parent = folder_with(&[("file", "")]);
    let folder = parent.path().join("file/state");
    let message = load_or_create(&folder, &[], START)
        .err()
        .unwrap()
        .to_string();
    let start = format!("cannot write `{}`: ", folder.display());
    assert!(
        message.starts_with(&start) && message.contains("--state-dir"),
        "{message}"
    );
}

#[test]
fn all_who_start_on_one_empty_folder_end_with_one_pair() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    let pems: Vec<_> = std::thread::scope(|scope| {
        let start = || load_or_create(&folder, &names(&["localhost"]), START).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap().certificate_pem().to_owned())
            .collect()
    });
    let on_disk = fs::read_to_string(folder.join("cert.pem")).unwrap();
    assert!(pems.iter().all(|pem| *pem == on_disk));
}

#[test]
fn a_crash_at_any_step_of_making_a_pair_is_recovered_from() {
    let made = tempfile::tempdir().unwrap();
    load_or_create(made.path(), &names(&["localhost"]), START).unwrap();
    load_or_create_clients(made.path(), START).unwrap();
    let read = |name| fs::read_to_string(made.path().join(name)).unwrap();
    for (certificate, key, staged) in [
        ("cert.pem", "key.pem", ".cert.pem.new"),
        ("client-ca.pem", "client-ca-key.pem", ".client-ca.pem.new"),
    ] {
        let (certificate_pem, key_pem) = (read(certificate), read(key));
        let load = |folder: &Path| match certificate {
            "cert.pem" => load_or_create(folder, &names(&["localhost"]), START).map(drop),
            _ => load_or_create_clients(folder, START).map(drop),
        };
        // What is there after each step, and whether the pair is that one then.
        for (files, is_kept) in [
            (vec![], false),
            (vec![(staged, &certificate_pem)], false),
            (vec![(staged, &certificate_pem), (key, &key_pem)], true),
            (vec![(certificate, &certificate_pem), (key, &key_pem)], true),
        ] {
            let files: Vec<_> = files
                .iter()
                .map(|(name, text)| (*name, text.as_str()))
                .collect();
            let folder = folder_with(&files);
            load(folder.path()).unwrap();
            let after = contents(folder.path());
            let mut names: Vec<_> = after.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            let mut expected = [certificate, key];
            expected.sort_unstable();
            assert_eq!(names, expected, "{files:?}");
            let kept = fs::read_to_string(folder.path().join(certificate)).unwrap();
            assert_eq!(kept == certificate_pem, is_kept, "{files:?}");
            // And a pair it is.
            load(folder.path()).unwrap();
            assert_eq!(contents(folder.path()), after);
        }
    }
}

#[test]
fn a_key_whose_certificate_was_lost_is_no_crash() {
    let [one, other] = [(); 2].map(|()| {
        let folder = tempfile::tempdir().unwrap();
        load_or_create(folder.path(), &[], START).unwrap();
        folder
    });
    let read = |folder: &TempDir, name| fs::read_to_string(folder.path().join(name)).unwrap();
    let (key, stale) = (read(&one, "key.pem"), read(&other, "cert.pem"));
    for staged in ["", "-----BEGIN CERTIFICATE-----\nAAAA", &stale] {
        let folder = folder_with(&[("key.pem", &key), (".cert.pem.new", staged)]);
        let before = contents(folder.path());
        let error = load_or_create(folder.path(), &[], START).err().unwrap();
        assert!(error.to_string().contains("restore that file"), "{error}");
        assert_eq!(contents(folder.path()), before);
    }
}
