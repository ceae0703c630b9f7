//! The state directory: complete pairs, incomplete pairs and concurrent creation.

use std::os::unix::fs::{chown, symlink};

use super::*;
use crate::files::ownership::process_uid;

#[test]
fn folder_with_half_a_pair_is_refused_unchanged() {
    let (certificate, key) = (go_file("cert.pem"), go_file("key.pem"));
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let restore = "restore it, or remove the pair so that a new one is created, which requires a new webhook kubeconfig";
    let half = "restore that file, or remove the other one so that a new pair is created, which requires a new webhook kubeconfig";
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
            format!("`F/key.pem` holds no unencrypted private key in PEM; {restore}"),
        ),
        (
            &[("cert.pem", &certificate), ("key.pem", &other_key)],
            "the key in `F/key.pem` does not belong to the certificate in `F/cert.pem`; restore the pair, or remove both files so that a new one is created, which requires a new webhook kubeconfig".to_owned(),
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
fn unwritable_folder_is_named() {
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
fn concurrent_starts_on_empty_folder_make_one_pair() {
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
fn crash_at_any_step_of_creation_is_recovered() {
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
        // The files after each step, and whether the next start keeps the pair.
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
            // The pair is valid.
            load(folder.path()).unwrap();
            assert_eq!(contents(folder.path()), after);
        }
    }
}

#[test]
fn key_without_certificate_is_not_recovered() {
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

/// Returns a folder with valid pairs of both CAs.
fn both_pairs() -> TempDir {
    let folder = go_folder();
    load_or_create_clients(folder.path(), START).unwrap();
    folder
}

fn read_key(folder: &Path, key: &str) -> Result<(), CertificateError> {
    match key {
        "key.pem" => load_or_create(folder, &names(&["localhost"]), START).map(drop),
        _ => load_clients(folder, false).map(drop),
    }
}

const KEYS: [&str; 2] = ["key.pem", "client-ca-key.pem"];

#[test]
fn key_open_to_group_or_others_is_refused_with_owner_and_mode() {
    let folder = both_pairs();
    let uid = process_uid();
    for name in KEYS {
        let path = folder.path().join(name);
        for mode in [0o666, 0o644, 0o640, 0o620, 0o604, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let before = contents(folder.path());
            let error = read_key(folder.path(), name).unwrap_err().to_string();
            let key = path.display();
            let start = format!(
                "the key `{key}` belongs to uid {uid} and has mode {mode:04o}, so other users may have read or replaced it; if you are sure that no other user did, run `chmod 600 {key}`; otherwise, remove the pair"
            );
            assert!(error.starts_with(&start), "{error}");
            assert_eq!(contents(folder.path()), before);
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            read_key(folder.path(), name).unwrap();
        }
    }
}

/// Only root may change the owner of a file.
#[test]
fn key_of_another_user_is_refused_unless_root_reads_that_users_folder() {
    if process_uid() != 0 {
        return;
    }
    for name in KEYS {
        for (folder_owner, key_owner, is_taken) in [
            (0, 0, true),
            (0, 65534, false),
            (65534, 65534, true),
            (65534, 0, true),
            (65534, 1, false),
        ] {
            let folder = both_pairs();
            let path = folder.path().join(name);
            chown(folder.path(), Some(folder_owner), None).unwrap();
            chown(&path, Some(key_owner), None).unwrap();
            let outcome = read_key(folder.path(), name).map_err(|error| error.to_string());
            let case = format!("{name}, folder {folder_owner}, key {key_owner}: {outcome:?}");
            assert_eq!(outcome.is_ok(), is_taken, "{case}");
            if let Err(error) = outcome {
                let part = format!("belongs to uid {key_owner} and has mode 0600");
                assert!(error.contains(&part), "{case}");
            }
        }
    }
}

/// Owner and mode of the linked file count, not those of the symbolic link.
#[test]
fn linked_key_is_checked_at_its_target() {
    let (folder, elsewhere) = (both_pairs(), tempfile::tempdir().unwrap());
    let (path, target) = (folder.path().join("key.pem"), elsewhere.path().join("key"));
    fs::rename(&path, &target).unwrap();
    symlink(&target, &path).unwrap();
    read_key(folder.path(), "key.pem").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
    let error = read_key(folder.path(), "key.pem").unwrap_err();
    assert!(
        matches!(error, CertificateError::ExposedKey { .. }),
        "{error}"
    );
}

/// A dangling link means a missing file. Without a link, no client CA was ever configured.
#[test]
fn dangling_link_to_client_ca_is_an_error() {
    let folder = go_folder();
    symlink("nowhere", folder.path().join("client-ca.pem")).unwrap();
    let error = load_clients(folder.path(), false)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("a link to a file that does not exist"),
        "{error}"
    );
}

#[test]
fn pipe_in_place_of_key_is_immediate_error() {
    let folder = go_folder();
    let path = folder.path().join("key.pem");
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = load(folder.path()).err().unwrap().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn key_of_secret_volume_gets_volume_advice() {
    let folder = go_folder();
    let (path, data) = (folder.path().join("key.pem"), folder.path().join("data"));
    fs::rename(&path, &data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("data", &path).unwrap();
    let error = load(folder.path()).err().unwrap().to_string();
    let advice = "set `defaultMode: 0400` of the Secret volume, and no `fsGroup`; ";
    assert!(error.contains(advice), "{error}");
    assert!(!error.contains("chmod"), "{error}");
}

/// The advice never suggests a mode that the server then refuses.
#[test]
fn unreadable_key_error_gives_the_command_that_grants_it() {
    let uid = process_uid();
    for (owner, command) in [
        (Some(uid), "run `chmod 600 K`".to_owned()),
        (Some(uid + 1), format!("run `chown {uid} K && chmod 600 K`")),
        (None, format!("run `chown {uid} K && chmod 600 K`")),
    ] {
        let source = std::io::ErrorKind::PermissionDenied.into();
        let path = "K".into();
        let error = CertificateError::UnreadableKey {
            path,
            owner,
            source,
        };
        let expected = format!("cannot read the key `K`: permission denied; {command}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn missing_required_client_ca_is_an_error() {
    let folder = go_folder();
    assert!(load_clients(folder.path(), false).unwrap().is_none());
    let error = load_clients(folder.path(), true).err().unwrap().to_string();
    let expected = format!(
        "`server.requireClientCertificate` is true, but the client CA `{}` does not exist; restore that file, or run `init --client-cert` in `{}`, which requires",
        folder.path().join("client-ca.pem").display(),
        folder.path().display()
    );
    assert!(error.starts_with(&expected), "{error}");
    load_or_create_clients(folder.path(), START).unwrap();
    assert!(load_clients(folder.path(), true).unwrap().is_some());
}

/// Every user who may read the state directory may lock it.
#[test]
fn foreign_lock_on_state_directory_does_not_block_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let locked = fs::File::open(folder.path()).unwrap();
    locked.lock().unwrap();
    load_or_create(folder.path(), &names(&["localhost"]), START).unwrap();
    assert_eq!(contents(folder.path()).len(), 2);
}
