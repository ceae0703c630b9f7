use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn texts(files: &SensitiveFiles<'_>, folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let exposures = files.exposures().into_iter();
    exposures
        .map(|found| format!("{}: {}", found.setting, found.text.replace(&folder, "F")))
        .collect()
}

#[test]
fn writable_file_is_reported_with_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, "").unwrap();
        chmod(&path, 0o644);
        path
    };
    let (config, dynamic, ca) = (path("config.yaml"), path("dynamic.json"), path("ca.pem"));
    let tls = TlsFiles {
        certificate: path("tls.crt"),
        key: path("tls.key"),
        ca: None,
    };
    chmod(&tls.key, 0o600);
    for name in ["cert.pem", "client-ca.pem"] {
        path(name);
    }
    let files = SensitiveFiles {
        config: Some(&config),
        state_dir: Some(folder.path()),
        tls: Some(&tls),
        sts_ca: Some(&ca),
        dynamic_file: Some(&dynamic),
        ..SensitiveFiles::default()
    };
    assert_eq!(files.exposures(), []);
    chmod(&tls.key, 0o440);
    chmod(&config, 0o664);
    chmod(&ca, 0o646);
    chmod(&dynamic, 0o666);
    chmod(&folder.path().join("client-ca.pem"), 0o622);
    let uid = process_uid();
    assert_eq!(
        texts(&files, folder.path()),
        [
            format!(
                "server.stateDir: `F/client-ca.pem` belongs to uid {uid} and has mode 0622, so other users may change it; run `chmod go-w F/client-ca.pem`"
            ),
            format!(
                ": `F/config.yaml` belongs to uid {uid} and has mode 0664, so other users may change it; run `chmod go-w F/config.yaml`"
            ),
            format!(
                "server.sts.caFile: `F/ca.pem` belongs to uid {uid} and has mode 0646, so other users may change it; run `chmod go-w F/ca.pem`"
            ),
            format!(
                "server.dynamicFilePath: `F/dynamic.json` belongs to uid {uid} and has mode 0666, so other users may change it; run `chmod go-w F/dynamic.json`"
            ),
            format!(
                "server.tls.keyFile: `F/tls.key` belongs to uid {uid} and has mode 0440, so other users may read it; run `chmod go= F/tls.key`"
            ),
        ]
    );
}

/// The files of a Secret volume are links, and the kubelet gives them the group in `fsGroup`.
#[test]
fn key_in_a_secret_volume_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let (data, key) = (folder.path().join("data"), folder.path().join("tls.key"));
    fs::write(&data, "").unwrap();
    std::os::unix::fs::symlink("data", &key).unwrap();
    for (mode, advice) in [
        (0o440, "make sure that no other process has the group"),
        (0o444, "run `chmod go= "),
        (
            0o660,
            "so other users may read or change it; run `chmod go= ",
        ),
    ] {
        chmod(&data, mode);
        let text = file_exposure(&key, ForbiddenAccess::Read).unwrap();
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
fn writable_folder_is_reported_once() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("a/b");
    fs::create_dir_all(&folder).unwrap();
    for name in ["a", "a/b"] {
        chmod(&top.path().join(name), 0o755);
    }
    let (config, dynamic) = (folder.join("config.yaml"), folder.join("dynamic.json"));
    fs::write(&config, "").unwrap();
    let later = folder.join("c/d/kubeconfig.yaml");
    let link = top.path().join("link");
    symlink(&config, &link).unwrap();
    for (name, mode, path, expected) in [
        ("a/b", 0o755, &config, None),
        (
            "a/b",
            0o777,
            &config,
            Some("the folder `F/a/b` belongs to uid"),
        ),
        ("a", 0o775, &config, Some("the folder `F/a` belongs to uid")),
        // A link leads to the folders of its target.
        ("a", 0o775, &link, Some("the folder `F/a` belongs to uid")),
        // Other users can create a file that does not exist yet, or a folder that leads to it.
        ("a/b", 0o755, &later, None),
        (
            "a/b",
            0o1777,
            &later,
            Some("the folder `F/a/b` belongs to uid"),
        ),
        // In a sticky folder, other users can create files, but not replace them.
        ("a/b", 0o1777, &config, None),
        (
            "a/b",
            0o1777,
            &dynamic,
            Some("the folder `F/a/b` belongs to uid"),
        ),
        ("a", 0o1777, &dynamic, None),
    ] {
        chmod(&top.path().join(name), mode);
        let files = SensitiveFiles {
            config: Some(path),
            kubeconfig: Some(path),
            ..SensitiveFiles::default()
        };
        let found = texts(&files, top.path());
        chmod(&top.path().join(name), 0o755);
        match expected {
            None => assert!(found.is_empty(), "{name} {mode:o}: {found:?}"),
            Some(start) => {
                let start = format!(": {start}");
                assert!(
                    found.len() == 1 && found.iter().all(|text| text.starts_with(&start)),
                    "{name} {mode:o}: {found:?}"
                );
            }
        }
    }
}
