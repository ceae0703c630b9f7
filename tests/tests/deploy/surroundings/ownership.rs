//! Files and folders that other users own or may write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use nix::unistd::geteuid;

use crate::node::{KUBEADM, Node};

#[test]
fn file_writable_by_another_user_is_refused_with_fix() {
    type Place = fn(&Node) -> PathBuf;
    let cases: &[(Place, u32, &str)] = &[
        (Node::manifests, 0o777, "chmod go-w"),
        (Node::manifests, 0o1777, "chmod go-w"),
        (Node::manifests, 0o775, "chmod go-w"),
        (Node::manifest, 0o666, "chmod go-w"),
        (Node::webhook_folder, 0o777, "chmod go-w"),
        (Node::webhook_folder, 0o1777, "chmod go-w"),
        (Node::kubeconfig, 0o622, "chmod go-w"),
        // The parent of all these folders.
        (Node::folder, 0o777, "chmod go-w"),
    ];
    for &(place, mode, says) in cases {
        let node = Node::new(KUBEADM);
        let path = place(&node);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let outcome = node.run(&[]);
        let said = format!("{} has mode {mode:o}", path.display());
        assert_eq!(outcome.code, Some(1), "{said}: {outcome:?}");
        assert!(
            outcome.stderr.contains(&said) && outcome.stderr.contains(says),
            "{said}: {outcome:?}"
        );
        assert_eq!(node.read_manifest(), KUBEADM);
        assert!(!node.backups().exists());
    }
}

/// Only root can change the owner of a file.
#[test]
fn file_owned_by_another_user_is_refused_outside_two_folders() {
    if !geteuid().is_root() {
        return;
    }
    type Place = fn(&Node) -> PathBuf;
    let places: [(Place, bool); 4] = [
        (Node::manifests, true),
        (Node::manifest, false),
        (Node::kubeconfig, false),
        (Node::webhook_folder, true),
    ];
    for (place, is_accepted) in places {
        let node = Node::new(KUBEADM);
        chown(place(&node), Some(65534), None).unwrap();
        let outcome = node.run(&["--dry-run"]);
        let expected = if is_accepted { Some(0) } else { Some(1) };
        assert_eq!(outcome.code, expected, "{outcome:?}");
        let said = "is owned by uid 65534, who may change it";
        assert_eq!(outcome.stderr.contains(said), !is_accepted, "{outcome:?}");
    }
    // A webhook with a user of its own.
    let node = Node::new(KUBEADM);
    chown(node.webhook_folder(), Some(65534), None).unwrap();
    chown(node.kubeconfig(), Some(65534), None).unwrap();
    node.run_successfully(&["--dry-run"]);
}

/// Kubespray makes a user the owner of `/etc/kubernetes` and of the folder of static pods. This user can start pods as
/// root anyway.
#[test]
fn owner_of_the_manifests_folder_is_trusted() {
    if !geteuid().is_root() {
        return;
    }
    type Places = fn(&Node) -> Vec<PathBuf>;
    let cases: [(Places, bool); 5] = [
        (|node| vec![node.folder(), node.manifests()], true),
        (
            |node| vec![node.folder(), node.manifests(), node.manifest()],
            true,
        ),
        (
            |node| {
                vec![
                    node.folder(),
                    node.manifests(),
                    node.webhook_folder(),
                    node.kubeconfig(),
                ]
            },
            true,
        ),
        // A user who owns the parent folder, but not the folder of static pods, is not trusted.
        (|node| vec![node.folder()], false),
        (|node| vec![node.folder(), node.manifest()], false),
    ];
    for (places, is_accepted) in cases {
        let node = Node::new(KUBEADM);
        for place in places(&node) {
            chown(place, Some(65534), None).unwrap();
        }
        let outcome = node.run(&[]);
        if !is_accepted {
            let said = "is owned by uid 65534, who may change it";
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(outcome.stderr.contains(said), "{outcome:?}");
            assert_eq!(node.read_manifest(), KUBEADM);
            continue;
        }
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_ne!(node.read_manifest(), KUBEADM);
        chown(node.backups(), Some(65534), None).unwrap();
        let outcome = node.run(&["--undo"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(!outcome.stderr.contains("warning:"), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
        // A third user is not trusted.
        chown(node.backups(), Some(65533), None).unwrap();
        for args in [&[][..], &["--undo"]] {
            let outcome = node.run(args);
            let said = "is owned by uid 65533, who may change it";
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(outcome.stderr.contains(said), "{outcome:?}");
            assert_eq!(node.read_manifest(), KUBEADM);
        }
    }
}

/// `--undo` is used while kube-apiserver is down.
#[test]
fn undo_only_warns_about_the_folders_of_the_manifest() {
    type Place = fn(&Node) -> PathBuf;
    let cases: [(Place, u32, u32); 4] = [
        (Node::manifests, 0o775, 0),
        (Node::manifests, 0o777, 0),
        (Node::manifest, 0o660, 0),
        (Node::manifest, 0o640, 65534),
    ];
    for (place, mode, owner) in cases {
        let node = Node::new(KUBEADM);
        // The backups are outside the folders of the manifest.
        let elsewhere = tempfile::tempdir().unwrap();
        let backups = elsewhere.path().join("backups");
        let option = ["--backup-dir", backups.to_str().unwrap()];
        node.run_successfully(&option);
        let changed = node.read_manifest();
        let path = place(&node);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if owner != 0 {
            if !geteuid().is_root() {
                continue;
            }
            chown(&path, Some(owner), None).unwrap();
        }
        let outcome = node.run(&option);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert_eq!(node.read_manifest(), changed);
        let outcome = node.run(&["--undo", option[0], option[1]]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let warning = format!("warning: {} ", path.display());
        assert!(outcome.stderr.contains(&warning), "{outcome:?}");
        assert!(outcome.stderr.contains("`--undo` continues"), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
    }
    // A folder further up.
    let node = Node::new(KUBEADM);
    let elsewhere = tempfile::tempdir().unwrap();
    let backups = elsewhere.path().join("backups");
    let option = ["--backup-dir", backups.to_str().unwrap()];
    node.run_successfully(&option);
    fs::set_permissions(node.folder(), Permissions::from_mode(0o770)).unwrap();
    let outcome = node.run(&["--undo", option[0], option[1]]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("chmod go-w"), "{outcome:?}");
    assert_eq!(node.read_manifest(), KUBEADM);
    // Backups in a folder that other users may write are still not used.
    let node = Node::new(KUBEADM);
    node.run_successfully(&[]);
    let changed = node.read_manifest();
    fs::set_permissions(node.folder(), Permissions::from_mode(0o770)).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(node.read_manifest(), changed);
}

#[test]
fn backups_writable_by_other_users_are_not_used() {
    let node = Node::new(KUBEADM);
    for mode in [0o777, 0o1777] {
        fs::create_dir_all(node.backups()).unwrap();
        fs::set_permissions(node.backups(), Permissions::from_mode(mode)).unwrap();
        for args in [&[][..], &["--undo"]] {
            let outcome = node.run(args);
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(outcome.stderr.contains("chmod go-w"), "{outcome:?}");
            assert_eq!(node.read_manifest(), KUBEADM);
        }
    }
    fs::remove_dir_all(node.backups()).unwrap();

    node.run_successfully(&[]);
    let changed = node.read_manifest();
    let [before] = &node.backups_ending(".before")[..] else {
        panic!("{:?}", node.backups_ending(""));
    };
    let good = fs::read_to_string(before).unwrap();
    let planted = node.folder().join("planted");
    fs::write(&planted, "kind: Pod\n").unwrap();
    fs::remove_file(before).unwrap();
    symlink(&planted, before).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("is a link"), "{outcome:?}");
    assert_eq!(node.read_manifest(), changed);
    fs::remove_file(before).unwrap();
    fs::write(before, &good).unwrap();
    fs::set_permissions(before, Permissions::from_mode(0o666)).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(node.read_manifest(), changed);
    fs::set_permissions(before, Permissions::from_mode(0o640)).unwrap();
    node.run_successfully(&["--undo"]);
    assert_eq!(node.read_manifest(), KUBEADM);
}
