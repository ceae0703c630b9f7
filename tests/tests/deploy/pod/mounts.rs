//! Mounts above the folder of the kubeconfig, in which the runtime creates the mount point.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::node::{KUBEADM, Node};
use crate::pod::{MOUNTS, POD_CONTEXT, VOLUMES, check, set_mode};

/// Writes a manifest with a mount above the folder of the webhook kubeconfig. `ABOVE` is the parent of that folder, and
/// `AUDIT` another folder of the host.
fn with_parent(node: &Node, mount: &str, volume: &str) {
    let manifest = KUBEADM
        .replace(MOUNTS, &format!("{MOUNTS}{mount}"))
        .replace(VOLUMES, &format!("{VOLUMES}{volume}"))
        .replace("ABOVE", &node.folder().to_string_lossy())
        .replace("AUDIT", &node.folder().join("audit").to_string_lossy());
    node.write(&manifest);
    fs::create_dir_all(node.folder().join("audit")).unwrap();
}

const READ_ONLY: &str = "    - mountPath: ABOVE\n      name: audit\n      readOnly: true\n";
const READ_WRITE: &str = "    - mountPath: ABOVE\n      name: audit\n";
const HOST: &str = "  - hostPath:\n      path: AUDIT\n    name: audit\n";

#[test]
fn uncreatable_mount_point_is_refused() {
    let not_there = "is a read-only mount of";
    let cases: &[(&str, &str, Option<&str>)] = &[
        (READ_ONLY, HOST, Some(not_there)),
        // The same path in other notations.
        (
            "    - mountPath: ABOVE/\n      name: audit\n      readOnly: true\n",
            HOST,
            Some(not_there),
        ),
        (
            "    - mountPath: /ABOVE/./\n      name: audit\n      readOnly: true\n",
            HOST,
            Some(not_there),
        ),
        (
            "    - mountPath: \"ABOVE\"\n      readOnly: \"true\"\n      name: audit\n",
            HOST,
            Some(not_there),
        ),
        (
            "    - mountPath: /\n      name: audit\n      readOnly: true\n",
            HOST,
            Some(not_there),
        ),
        (READ_WRITE, HOST, None),
        (READ_WRITE, "  - emptyDir: {}\n    name: audit\n", None),
        (
            READ_ONLY,
            "  - emptyDir: {}\n    name: audit\n",
            Some("the runtime could not create the mount point"),
        ),
        (
            READ_WRITE,
            "  - configMap:\n      name: x\n    name: audit\n",
            Some("the runtime could not create the mount point"),
        ),
        (
            READ_WRITE,
            "  - projected:\n      sources: []\n    name: audit\n",
            Some("the runtime could not create the mount point"),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n      subPath: x\n",
            HOST,
            Some("`subPath`"),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n      readOnly: maybe\n",
            HOST,
            Some("`readOnly` is not supported"),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n      readOnly: True\n",
            HOST,
            Some(not_there),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n      readOnly: False\n",
            HOST,
            None,
        ),
        // Flow style.
        (
            READ_ONLY,
            "  - hostPath: {path: AUDIT, type: Directory}\n    name: audit\n",
            Some(not_there),
        ),
        (
            READ_WRITE,
            "  - hostPath: {\"type\": \"DirectoryOrCreate\", \"path\": 'AUDIT'}\n    name: audit\n",
            None,
        ),
        (
            READ_WRITE,
            "  - hostPath: {path: AUDIT, type: null}\n    name: audit\n",
            None,
        ),
        (
            READ_WRITE,
            "  - hostPath: {path: AUDIT, type: Socket}\n    name: audit\n",
            Some("which is not a folder"),
        ),
        (
            READ_WRITE,
            "  - hostPath: {path: \"/x,y\"}\n    name: audit\n",
            Some("this `hostPath` in flow style is not supported"),
        ),
        (
            READ_WRITE,
            "  - hostPath:\n      path: AUDIT\n      type: ~\n    name: audit\n",
            None,
        ),
        (
            "    - mountPath: ABOVE/x/..\n      name: audit\n",
            HOST,
            Some("a path with `..`"),
        ),
        (READ_WRITE, "", Some("there is no volume `audit`")),
        (
            READ_WRITE,
            "  - hostPath:\n      path: AUDIT\n      type: Socket\n    name: audit\n",
            Some("which is not a folder"),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n    - mountPath: ABOVE/\n      name: audit\n",
            HOST,
            Some("a second mount"),
        ),
        (
            READ_WRITE,
            "  - hostPath:\n      path: AUDIT\n    name: audit\n  - emptyDir: {}\n    name: audit\n",
            Some("a second volume `audit`"),
        ),
    ];
    for &(mount, volume, says) in cases {
        let node = Node::new("");
        with_parent(&node, mount, volume);
        check(&node, says);
    }
}

#[test]
fn existing_mount_point_must_be_a_folder() {
    type Make = fn(&Path);
    let make: [(Make, &str, Option<&str>); 6] = [
        (|path| fs::create_dir(path).unwrap(), READ_ONLY, None),
        (|path| fs::create_dir(path).unwrap(), READ_WRITE, None),
        (
            |path| fs::write(path, "").unwrap(),
            READ_ONLY,
            Some("there is no folder"),
        ),
        (
            |path| symlink("/", path).unwrap(),
            READ_ONLY,
            Some("there is no folder"),
        ),
        (
            |path| fs::write(path, "").unwrap(),
            READ_WRITE,
            Some("is not a folder"),
        ),
        (
            |path| symlink("/", path).unwrap(),
            READ_WRITE,
            Some("is not a folder"),
        ),
    ];
    for (make, mount, says) in make {
        let node = Node::new("");
        with_parent(&node, mount, HOST);
        make(&node.folder().join("audit/webhook"));
        check(&node, says);
    }
}

/// With several mounts above the folder, the mount point is in the deepest one.
#[test]
fn deepest_mount_above_the_folder_wins() {
    let node = Node::new("");
    let deeper = "    - mountPath: ABOVE\n      name: audit\n    - mountPath: /tmp\n      name: audit\n      readOnly: true\n";
    if node.folder().starts_with("/tmp") {
        with_parent(&node, deeper, HOST);
        check(&node, None);
    }
}

/// Writes a manifest that mounts the folder of the node at the same path.
fn with_own_folder(node: &Node) {
    let mount = "    - mountPath: ABOVE\n      name: above\n      readOnly: true\n";
    let volume = "  - hostPath:\n      path: ABOVE\n    name: above\n";
    with_parent(node, mount, volume);
}

/// In the container, a link leads to another file or to none, and kube-apiserver would not start again.
#[test]
fn link_below_mount_of_kubeconfig_is_refused() {
    let is_a_link = Some("is a link");
    for (target, below, says) in [
        ("webhook", "webhook", None),
        ("link", "link", is_a_link),
        ("link", "link/w", is_a_link),
        ("webhook/w", "webhook/w", None),
    ] {
        let node = Node::new("");
        with_own_folder(&node);
        let elsewhere = tempfile::tempdir().unwrap();
        for folder in [elsewhere.path().join("w"), node.webhook_folder().join("w")] {
            fs::create_dir(&folder).unwrap();
            set_mode(&folder, 0o755);
        }
        if target == "link" {
            symlink(elsewhere.path(), node.folder().join("link")).unwrap();
        }
        let kubeconfig = node.folder().join(below).join("kubeconfig.yaml");
        fs::write(&kubeconfig, "kind: Config\n").unwrap();
        set_mode(&kubeconfig, 0o600);
        let before = node.read_manifest();
        let outcome = node.run(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
        match says {
            Some(says) => {
                assert_eq!(outcome.code, Some(1), "{below}: {outcome:?}");
                assert!(outcome.stderr.contains(says), "{below}: {outcome:?}");
                let real = elsewhere.path().to_str().unwrap();
                assert!(outcome.stderr.contains(real), "{below}: {outcome:?}");
                assert_eq!(node.read_manifest(), before);
            }
            None => {
                assert_eq!(outcome.code, Some(0), "{below}: {outcome:?}");
                assert!(outcome.stdout.contains("a mount that shows"), "{outcome:?}");
            }
        }
    }
}

/// The process must have the right to enter each folder from the host path of a mount down.
#[test]
fn folder_above_in_mount_must_be_enterable() {
    let user = "    runAsUser: 64999\n    runAsGroup: 64999\n";
    for (mode, shows, says) in [
        (0o700, true, Some("who cannot enter")),
        (0o711, true, None),
        (0o700, false, None),
    ] {
        let node = Node::new("");
        if shows {
            with_own_folder(&node);
        } else {
            node.write(KUBEADM);
        }
        node.edit(POD_CONTEXT, &format!("{POD_CONTEXT}{user}"));
        set_mode(node.kubeconfig(), 0o644);
        set_mode(node.folder(), mode);
        check(&node, says);
    }
    // The folder has a mount of its own below another mount.
    for (mode, says) in [(0o700, Some("who cannot enter")), (0o755, None)] {
        let node = Node::new("");
        with_parent(&node, READ_WRITE, HOST);
        node.edit(POD_CONTEXT, &format!("{POD_CONTEXT}{user}"));
        set_mode(node.kubeconfig(), 0o644);
        set_mode(node.folder().join("audit"), mode);
        check(&node, says);
    }
}
