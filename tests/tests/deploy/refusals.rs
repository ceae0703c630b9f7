//! The script leaves a manifest unchanged that it does not support, and says why.

use std::fs;
use std::os::unix::fs::symlink;

use crate::node::{KUBEADM, Node, run_without_node};

/// Changes to kubeadm's manifest that the script does not support, with a part of the error.
const REFUSED: &[(&str, &str, &str)] = &[
    // A manifest that is not a static pod of kube-apiserver.
    ("kind: Pod", "kind: Deployment", "its `kind` is not `Pod`"),
    // Several documents, or a document that is not YAML in block style.
    ("status: {}", "---\nkind: Pod", "more than one document"),
    ("status: {}", "...\n", "document ends"),
    (
        "apiVersion: v1",
        "%YAML 1.2\n---\napiVersion: v1",
        "directives",
    ),
    (
        "apiVersion: v1",
        "\u{feff}apiVersion: v1",
        "byte order mark",
    ),
    (
        "spec:\n",
        "spec:\n\thostPID: true\n",
        "line 12: a tab in the indentation",
    ),
    (
        "    - kube-apiserver\n",
        "    -\tkube-apiserver\n",
        "a tab after a dash",
    ),
    (
        "  hostNetwork",
        "   hostNetwork",
        "indentation matches no line above",
    ),
    ("status: {}", "status: {", "flow style"),
    ("status: {}", "status: 'open", "a quote is not closed"),
    ("status: {}", "status: {} {}", "follows a closing bracket"),
    ("status: {}", "status: a: b", "a second key"),
    ("status: {}", "spec: {}", "duplicate key"),
    ("status: {}", "? status\n: {}", "keys written with ?"),
    (
        "status: {}",
        "status:\n  one\n  two",
        "expected a key or a list item",
    ),
    (
        "--secure-port=6443\n",
        "--secure-port=6443\n      --more\n",
        "expected a key or a list item",
    ),
    ("  volumes:\n", "  volumes: &v\n", "anchors"),
    ("    name: ca-certs", "    name: *name", "anchors"),
    (
        "    name: ca-certs",
        "    <<: {}\n    name: ca-certs",
        "merge keys",
    ),
    (
        "    name: ca-certs",
        "    name: !!str ca-certs",
        "anchors, aliases and tags",
    ),
    // Flow style in a list that needs an addition.
    (
        "  volumes:\n",
        "  volumes: []\n  initVolumes:\n",
        "`volumes` is in flow style",
    ),
    (
        "    volumeMounts:\n",
        "    volumeMounts: []\n    other:\n",
        "`volumeMounts` is in flow style",
    ),
    (
        "    volumeMounts:\n",
        "    volumeMounts:\n    other:\n",
        "`volumeMounts` is empty",
    ),
    (
        "    - mountPath: /etc/ssl/certs\n      name: ca-certs\n      readOnly: true\n",
        "    - {mountPath: /a, name: ca-certs}\n",
        "of `volumeMounts` is not supported",
    ),
    (
        "  - command:\n",
        "  - command: [kube-apiserver, --secure-port=1]\n    args:\n",
        "`command` is in flow style",
    ),
    (
        "  - command:\n",
        "  - {name: kube-apiserver}\n  - command:\n",
        "of `containers` is not supported",
    ),
    // Flags in unexpected places, or values that the script must not replace.
    (
        "    - kube-apiserver\n",
        "    - /bin/sh\n    - -c\n    - kube-apiserver\n",
        "starts a program other",
    ),
    (
        "    - --secure-port=6443\n",
        "    - |\n      --secure-port=6443\n",
        "of `command` is not supported",
    ),
    (
        "    - --secure-port=6443\n",
        "    - \"--authentication\\x2dtoken-webhook-config-file=/x\"\n",
        "of `command` is not supported",
    ),
    (
        "    - --secure-port=6443\n",
        "    - --\n",
        "flags after `--`",
    ),
    (
        "    - --secure-port=6443\n",
        "    - --authentication-token-webhook-config-file=/other\n",
        "line 20: --authentication-token-webhook-config-file has another value: `/other`",
    ),
    (
        "    - --secure-port=6443\n",
        "    - --authentication-token-webhook-config-file\n    - /other\n",
        "has another value: `/other`",
    ),
    (
        "    - --secure-port=6443\n",
        "    - --authentication-token-webhook-config-file=KUBECONFIG\n    - --authentication-token-webhook-config-file=KUBECONFIG\n",
        "duplicate flag",
    ),
    // Names and paths that are already used.
    (
        "DirectoryOrCreate\n    name: ca-certs\n",
        "DirectoryOrCreate\n    name: ca-certs\n  - hostPath:\n      path: /other\n    name: ack-ram-authenticator\n",
        "there is already a volume `ack-ram-authenticator`",
    ),
    (
        "mountPath: /etc/ssl/certs",
        "mountPath: WEBHOOK/",
        "is not the folder of the host",
    ),
    (
        "mountPath: /etc/ssl/certs",
        "mountPath: KUBECONFIG",
        "is not the folder of the host",
    ),
    (
        "mountPath: /etc/ssl/certs",
        "mountPath: WEBHOOK/inside",
        "a mount inside",
    ),
];

#[test]
fn unsupported_manifest_is_left_unchanged() {
    for &(from, to, says) in REFUSED {
        assert!(KUBEADM.contains(from), "no `{from}`");
        let node = Node::new("");
        let to = to.replace("WEBHOOK", &node.webhook_folder().to_string_lossy());
        let to = to.replace("KUBECONFIG", &node.kubeconfig().to_string_lossy());
        node.write(&KUBEADM.replacen(from, &to, 1));
        check_refused(&node, says);
    }
}

#[test]
fn manifest_without_exactly_one_api_server_is_refused() {
    let container = "  - name: NAME\n    command:\n    - kube-apiserver\n";
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n";
    for names in [&["kube-apiserver", "kube-apiserver"][..], &["a", "b"]] {
        let containers: String = names
            .iter()
            .map(|name| container.replace("NAME", name))
            .collect();
        check_refused(
            &Node::new(&format!("{pod}{containers}")),
            "expected one container",
        );
    }
    check_refused(
        &Node::new(&format!("{pod}  - name: other\n")),
        "expected one container",
    );
    check_refused(
        &Node::new(&format!("{pod}  - name: kube-apiserver\n")),
        "neither `command` nor `args`",
    );
    check_refused(
        &Node::new("{kind: Pod, spec: {containers: []}}\n"),
        "flow style",
    );
    check_refused(&Node::new(""), "not `Pod`");
}

/// Checks that the script fails with this message and leaves no trace.
#[track_caller]
fn check_refused(node: &Node, says: &str) {
    let before = node.read_manifest();
    let outcome = node.run(&[]);
    assert_eq!(outcome.code, Some(1), "{says}: {outcome:?}\n{before}");
    assert!(outcome.stderr.contains(says), "{says}: {outcome:?}");
    assert_eq!(node.read_manifest(), before, "{says}");
    assert!(!node.backups().exists(), "{says}");
    node.assert_no_other_files();
}

#[test]
fn invalid_kubeconfig_is_never_configured() {
    let node = Node::new(KUBEADM);
    fs::write(node.kubeconfig(), "").unwrap();
    check_refused(&node, "there is no webhook kubeconfig");
    for content in ["x", "#kind: Config\n", "apiVersion: v1\n"] {
        fs::write(node.kubeconfig(), content).unwrap();
        check_refused(&node, "is not a kubeconfig");
    }
    fs::remove_file(node.kubeconfig()).unwrap();
    check_refused(&node, "there is no webhook kubeconfig");
}

#[test]
fn backup_inside_manifests_folder_is_refused() {
    let node = Node::new(KUBEADM);
    let link = node.webhook_folder().join("link");
    symlink(node.manifests(), &link).unwrap();
    for folder in [
        node.manifests(),
        node.manifests().join("backups"),
        node.manifests().join("a/../../manifests/b"),
        link.join("backups"),
    ] {
        let outcome = node.run(&["--backup-dir", &folder.to_string_lossy()]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let said = "where the kubelet would start each copy";
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
        node.assert_no_other_files();
    }
}

#[test]
fn symbolic_link_is_not_replaced() {
    let node = Node::new(KUBEADM);
    let link = node.webhook_folder().join("kube-apiserver.yaml");
    symlink(node.manifest(), &link).unwrap();
    let outcome = node.run(&["--manifest", &link.to_string_lossy()]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("is a link"), "{outcome:?}");
    assert!(link.is_symlink());
}

#[test]
fn invalid_command_line_is_refused() {
    for (args, code, says) in [
        (&["--help"][..], 0, "Exit codes:"),
        (&["-h"], 0, "--undo"),
        (&["--undone"], 2, "unknown argument: --undone"),
        (&["file.yaml"], 2, "unknown argument: file.yaml"),
        (&["--manifest"], 2, "--manifest needs a value"),
        (&["--backup-dir="], 2, "--backup-dir needs a value"),
        (&["--kubeconfig", "relative/file"], 2, "absolute path"),
        (&["--kubeconfig=/a/../b"], 2, "absolute path"),
        (&["--kubeconfig=/a b/c"], 2, "absolute path"),
        (&["--kubeconfig=/file"], 2, "a folder of its own"),
        (&["--kubeconfig=/etc/file"], 2, "would hide"),
        (&["--kubeconfig=/usr/local/bin/file"], 2, "would hide"),
        (&["--kubeconfig=/proc/1/file"], 2, "would hide"),
        (&["--manifest=/no/such/file"], 1, "there is no file"),
    ] {
        let outcome = run_without_node(args);
        assert_eq!(outcome.code, Some(code), "{args:?}: {outcome:?}");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains(says), "{args:?}: {outcome:?}");
    }
}
