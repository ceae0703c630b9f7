//! A pod that the kubelet or the runtime would not start, or whose process could not read the kubeconfig, is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use nix::unistd::geteuid;

use crate::node::{KUBEADM, Node, Outcome};

const MOUNTS: &str = "    volumeMounts:\n";
const VOLUMES: &str = "  volumes:\n";
const POD_CONTEXT: &str = "  securityContext:\n";
const CONTAINER: &str = "    name: kube-apiserver\n";

/// Runs the script, which must refuse and change nothing if `says` is what it must say, and must succeed otherwise.
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

/// A manifest with a mount above the folder of the webhook kubeconfig. `ABOVE` is that folder's parent, and `AUDIT`
/// another folder of the host.
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
        // The same, however the path is written.
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
            Some("the runtime could not make the mount point"),
        ),
        (
            READ_WRITE,
            "  - configMap:\n      name: x\n    name: audit\n",
            Some("the runtime could not make the mount point"),
        ),
        (
            READ_WRITE,
            "  - projected:\n      sources: []\n    name: audit\n",
            Some("the runtime could not make the mount point"),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n      subPath: x\n",
            HOST,
            Some("`subPath`"),
        ),
        (
            "    - mountPath: ABOVE\n      name: audit\n      readOnly: maybe\n",
            HOST,
            Some("`readOnly` is not understood"),
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
            Some("which is no folder"),
        ),
        (
            READ_WRITE,
            "  - hostPath: {path: \"/x,y\"}\n    name: audit\n",
            Some("this `hostPath` in flow style is not understood"),
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
            Some("which is no folder"),
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
            Some("is no folder"),
        ),
        (
            |path| symlink("/", path).unwrap(),
            READ_WRITE,
            Some("is no folder"),
        ),
    ];
    for (make, mount, says) in make {
        let node = Node::new("");
        with_parent(&node, mount, HOST);
        make(&node.folder().join("audit/webhook"));
        check(&node, says);
    }
}

/// Of several mounts above the folder, the mount point is in the deepest.
#[test]
fn deepest_mount_above_the_folder_wins() {
    let node = Node::new("");
    let deeper = "    - mountPath: ABOVE\n      name: audit\n    - mountPath: /tmp\n      name: audit\n      readOnly: true\n";
    if node.folder().starts_with("/tmp") {
        with_parent(&node, deeper, HOST);
        check(&node, None);
    }
}

/// A manifest in which the node's folder is mounted at its own path.
fn with_own_folder(node: &Node) {
    let mount = "    - mountPath: ABOVE\n      name: above\n      readOnly: true\n";
    let volume = "  - hostPath:\n      path: ABOVE\n    name: above\n";
    with_parent(node, mount, volume);
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// In the container, a link leads elsewhere or nowhere, and kube-apiserver does not come back.
#[test]
fn link_below_a_mount_that_shows_the_kubeconfig_is_refused() {
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

/// Each folder from the host path of a mount down must let the process enter.
#[test]
fn folder_above_in_a_mount_must_let_the_process_enter() {
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
    // The folder is mounted on its own, below another mount.
    for (mode, says) in [(0o700, Some("who cannot enter")), (0o755, None)] {
        let node = Node::new("");
        with_parent(&node, READ_WRITE, HOST);
        node.edit(POD_CONTEXT, &format!("{POD_CONTEXT}{user}"));
        set_mode(node.kubeconfig(), 0o644);
        set_mode(node.folder().join("audit"), mode);
        check(&node, says);
    }
}

/// What the kubelet refuses anywhere in the pod.
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
        // The same in flow style.
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
            let said = node.run_well(&["--dry-run"]);
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

/// A manifest with these lines in the security context of the pod, and this one of the container.
fn with_contexts(pod: &str, container: &str) -> String {
    KUBEADM
        .replace(POD_CONTEXT, &format!("{POD_CONTEXT}{pod}"))
        .replace(CONTAINER, &format!("{CONTAINER}{container}"))
}

#[test]
fn process_that_cannot_read_the_kubeconfig_is_refused() {
    let metadata = fs::metadata(Node::new("").kubeconfig()).unwrap();
    let (owner, group) = (metadata.uid(), metadata.gid());
    let stranger = "    runAsUser: 64999\n    runAsGroup: 64999\n";
    let in_group = format!("    runAsUser: 64999\n    runAsGroup: {group}\n");
    let through_fs_group = format!("{stranger}    fsGroup: {group}\n");
    let through_groups = format!("{stranger}    supplementalGroups:\n    - {group}\n");
    let as_owner = format!("    runAsUser: {owner}\n    runAsGroup: 64999\n");
    let container = |user: &str| {
        format!("    securityContext:\n      runAsUser: {user}\n      runAsGroup: 64999\n")
    };
    let cannot = Some("who cannot read");
    let cannot_enter = Some("who cannot enter");
    // Security contexts of pod and container, modes of folder and file, and what is said.
    let cases: &[(&str, &str, u32, u32, Option<&str>)] = &[
        ("", "", 0o755, 0o600, None),
        ("    runAsUser: 0\n", "", 0o755, 0o600, None),
        (stranger, "", 0o755, 0o600, cannot),
        (stranger, "", 0o755, 0o640, cannot),
        (stranger, "", 0o755, 0o604, None),
        (stranger, "", 0o700, 0o604, cannot_enter),
        (&in_group, "", 0o755, 0o640, None),
        (&in_group, "", 0o750, 0o640, None),
        (&in_group, "", 0o740, 0o640, cannot_enter),
        (&through_fs_group, "", 0o755, 0o640, None),
        (&through_groups, "", 0o755, 0o640, None),
        (&as_owner, "", 0o700, 0o600, None),
        // The container's own wins.
        (stranger, &container("0"), 0o755, 0o600, None),
        (
            "    runAsUser: 0\n",
            &container("64999"),
            0o755,
            0o600,
            cannot,
        ),
        (
            "    runAsUser: nobody\n",
            "",
            0o755,
            0o600,
            Some("`runAsUser` is not understood"),
        ),
        // An octal number in YAML.
        (
            "    runAsUser: 010\n",
            "",
            0o755,
            0o604,
            Some("`runAsUser` is not understood"),
        ),
        (
            "    runAsNonRoot: yes\n",
            "",
            0o755,
            0o600,
            Some("`runAsNonRoot` without"),
        ),
        // Pods that the kubelet does not start, and contexts that the script does not understand.
        (
            "    runAsNonRoot: true\n",
            "",
            0o755,
            0o600,
            Some("it is not known which user the image has"),
        ),
        (
            "    runAsNonRoot: true\n    runAsUser: 0\n",
            "",
            0o755,
            0o600,
            Some("`runAsNonRoot` with `runAsUser: 0`"),
        ),
        ("    runAsNonRoot: False\n", "", 0o755, 0o600, None),
        ("    runAsNonRoot: \"false\"\n", "", 0o755, 0o600, None),
        // YAML's words for no value: the container's leaves the pod's as it is.
        ("    runAsUser: null\n", "", 0o755, 0o600, None),
        ("    runAsUser: ~\n", "", 0o755, 0o600, None),
        (stranger, &container("null"), 0o755, 0o600, cannot),
        (stranger, &container("~"), 0o755, 0o600, cannot),
        (
            "    runAsNonRoot: true\n    runAsUser: 64999\n",
            "",
            0o755,
            0o644,
            None,
        ),
        (
            "",
            "    securityContext: {runAsUser: 1}\n",
            0o755,
            0o600,
            Some("`securityContext` in flow style"),
        ),
        ("", "    securityContext: {}\n", 0o755, 0o600, None),
        (
            "",
            "    securityContext: {seccompProfile: {type: RuntimeDefault}}\n",
            0o755,
            0o600,
            None,
        ),
        (
            "",
            "    securityContext: {allowPrivilegeEscalation: false}\n",
            0o755,
            0o600,
            None,
        ),
        (
            "",
            "    securityContext: {\"run\\x41sUser\": 1}\n",
            0o755,
            0o600,
            Some("`securityContext` in flow style"),
        ),
        (
            "",
            "    securityContext: {capabilities: {drop: [ALL]}}\n",
            0o755,
            0o600,
            Some("`securityContext` in flow style"),
        ),
        (
            "",
            "    securityContext: {privileged: true}\n",
            0o755,
            0o600,
            Some("`securityContext` in flow style"),
        ),
    ];
    for &(pod, container, folder_mode, mode, says) in cases {
        let node = Node::new(&with_contexts(pod, container));
        let set = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        set(node.kubeconfig(), mode);
        set(node.webhook_folder(), folder_mode);
        check(&node, says);
    }
}

#[test]
fn pod_with_other_users_than_the_host_is_refused() {
    for (value, says) in [
        ("false", Some("`hostUsers: true`")),
        ("False", Some("`hostUsers: true`")),
        ("no", Some("`hostUsers: true`")),
        ("true", None),
        ("True", None),
        ("null", None),
    ] {
        let line = format!("  hostNetwork: true\n  hostUsers: {value}\n");
        let node = Node::new(&KUBEADM.replace("  hostNetwork: true\n", &line));
        check(&node, says);
    }
}

/// Root reads the files of others by a capability. Only root may give files away.
#[test]
fn root_without_capabilities_reads_only_what_belongs_to_it() {
    if !geteuid().is_root() {
        return;
    }
    let drop = |list: &str| format!("    securityContext:\n      capabilities:\n{list}");
    let all = "        drop:\n        - ALL\n";
    for (container, owner, says) in [
        (String::new(), 65534, None),
        (drop(all), 0, None),
        (drop(all), 65534, Some("who cannot read")),
        (
            drop("        drop: [\"all\"]\n"),
            65534,
            Some("who cannot read"),
        ),
        (
            drop("        drop:\n        - CAP_DAC_OVERRIDE\n"),
            65534,
            Some("who cannot read"),
        ),
        (drop("        drop:\n        - NET_RAW\n"), 65534, None),
        (
            "    securityContext:\n      capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}\n"
                .into(),
            0,
            None,
        ),
        (
            "    securityContext:\n      capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}\n"
                .into(),
            65534,
            Some("who cannot read"),
        ),
        (
            "    securityContext:\n      capabilities: {drop: [dac_override]}\n".into(),
            65534,
            Some("who cannot read"),
        ),
        (
            "    securityContext:\n      capabilities: {drop: [NET_RAW]}\n".into(),
            65534,
            None,
        ),
        (
            "    securityContext:\n      privileged: True\n      capabilities: {drop: [ALL]}\n"
                .into(),
            65534,
            None,
        ),
        (
            drop(&format!("        add:\n        - DAC_OVERRIDE\n{all}")),
            65534,
            None,
        ),
    ] {
        let node = Node::new(&with_contexts("", &container));
        chown(node.kubeconfig(), Some(owner), None).unwrap();
        chown(node.webhook_folder(), Some(owner), None).unwrap();
        check(&node, says);
    }
}
