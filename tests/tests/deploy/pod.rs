//! The script refuses to change a pod that the kubelet or the runtime would not start, or whose process could not read
//! the kubeconfig.

mod mounts;
mod process;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::node::{KUBEADM, Node, Outcome};

const MOUNTS: &str = "    volumeMounts:\n";
const VOLUMES: &str = "  volumes:\n";
const POD_CONTEXT: &str = "  securityContext:\n";

/// Runs the script. With `says`, the script must fail with this message and change nothing. Otherwise, it must succeed.
#[track_caller]
fn check(node: &Node, says: Option<&str>) {
    let before = node.read_manifest();
    let Outcome {
        code,
        stdout,
        stderr,
    } = node.run(&[]);
    let case = format!("{says:?}: {code:?} {stdout} {stderr}\n{before}");
    match says {
        Some(says) => {
            assert!(code == Some(1) && stderr.contains(says), "{case}");
            assert_eq!(node.read_manifest(), before);
            assert!(!node.backups().exists());
        }
        None => {
            assert_eq!(code, Some(0), "{case}");
            assert_ne!(node.read_manifest(), before);
        }
    }
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Faults anywhere in the pod for which the kubelet rejects it.
#[test]
fn pod_with_duplicate_or_missing_names_is_refused() {
    let second = "  - emptyDir: {}\n    name: a\n  - emptyDir: {}\n    name: a\n";
    let other = |mounts: &str| {
        format!("  containers:\n  - name: other\n    image: x\n    volumeMounts:\n{mounts}")
    };
    let init = "  initContainers:\n  - name: first\n    image: x\n    volumeMounts:\n    - mountPath: /x\n      name: nowhere\n";
    let twice =
        "    - mountPath: /x\n      name: k8s-certs\n    - mountPath: /x\n      name: k8s-certs\n";
    for (from, to, says) in [
        (
            VOLUMES,
            format!("{VOLUMES}{second}"),
            Some("a second volume `a`"),
        ),
        (
            "  containers:\n",
            other("    - mountPath: /x\n      name: nowhere\n"),
            Some("there is no volume `nowhere`"),
        ),
        (
            "  containers:\n",
            other(twice),
            Some("a second mount at /x"),
        ),
        (
            "  containers:\n",
            other("    - mountPath: /x\n      name: k8s-certs\n"),
            None,
        ),
        (
            VOLUMES,
            format!("{init}{VOLUMES}"),
            Some("there is no volume `nowhere`"),
        ),
    ] {
        let node = Node::new(KUBEADM);
        node.edit(from, &to);
        check(&node, says);
    }
}

#[test]
fn volume_type_that_differs_from_the_host_is_refused() {
    for (kind, says) in [
        ("Directory", None),
        ("DirectoryOrCreate", None),
        ("\"\"", None),
        ("null", None),
        ("~", None),
        ("File", Some("the volume `mine` has the type `File`")),
        ("FileOrCreate", Some("the kubelet would not start the pod")),
        ("Socket", Some("the kubelet would not start the pod")),
    ] {
        let mount = "    - mountPath: WEBHOOK\n      name: mine\n      readOnly: true\n";
        let volume =
            format!("  - hostPath:\n      path: WEBHOOK\n      type: {kind}\n    name: mine\n");
        let node = Node::new("");
        let webhook = node.webhook_folder();
        let manifest = KUBEADM
            .replace(MOUNTS, &format!("{MOUNTS}{mount}"))
            .replace(VOLUMES, &format!("{VOLUMES}{volume}"))
            .replace("WEBHOOK", &webhook.to_string_lossy());
        node.write(&manifest);
        check(&node, says);
        // The same volume in flow style.
        let lines = format!("hostPath:\n      path: {}\n", webhook.display());
        let flow = format!("hostPath: {{path: {}, type: {kind}}}\n", webhook.display());
        node.write(&manifest.replace(&format!("{lines}      type: {kind}\n"), &flow));
        assert!(
            node.read_manifest().contains(&flow),
            "{}",
            node.read_manifest()
        );
        if says.is_some() {
            check(&node, says);
        } else {
            let said = node.run_successfully(&["--dry-run"]);
            assert!(said.contains("a mount that shows"), "{kind}: {said}");
        }
    }
    let node = Node::new("");
    let volume = format!(
        "{VOLUMES}  - hostPath:\n      path: {}\n      type: File\n    name: ack-ram-authenticator\n",
        node.webhook_folder().display()
    );
    node.write(&KUBEADM.replace(VOLUMES, &volume));
    check(
        &node,
        Some("the volume `ack-ram-authenticator` has the type `File`"),
    );
}
