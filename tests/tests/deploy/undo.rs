//! `--undo` after somebody has edited the manifest.

use std::fs;

use crate::node::{KUBEADM, Node, SHAPES, parse};

#[test]
fn undo_of_edited_manifest_removes_only_additions() {
    for (name, manifest) in SHAPES {
        let node = Node::new(manifest);
        let before = node.read_manifest();
        let edit = |manifest: &str| {
            let edited = manifest
                .replace("kube-apiserver:v1.35.3", "kube-apiserver:v1.36.0")
                .replace("name: k8s-certs", "name: certificates")
                // An edit below the additions, too.
                .replace("\nspec:", "\n# An upgrade.\nspec:");
            format!("{edited}# Edited.\n")
        };
        node.run_successfully(&[]);
        node.write(&edit(&node.read_manifest()));
        let shown = node.run_successfully(&["--undo", "--dry-run"]);
        assert!(shown.contains("\n@@ "), "{name}: {shown}");
        let said = node.run_successfully(&["--undo"]);
        assert!(
            said.contains("only the addition has been removed"),
            "{name}: {said}"
        );
        assert_eq!(node.read_manifest(), edit(&before), "{name}");
        node.assert_no_other_files();
    }
}

#[test]
fn moved_items_are_undone() {
    let node = Node::new(KUBEADM);
    node.run_successfully(&[]);
    let flag = format!("    - {}\n", node.flag());
    node.edit(&flag, "");
    node.edit(
        "    - --secure-port=6443\n",
        &format!("{flag}    - --secure-port=6443\n    - --profiling=false\n"),
    );
    node.edit("status: {}\n", "  - name: later\n    emptyDir: {}\n");
    node.run_successfully(&["--undo"]);
    let wanted = KUBEADM
        .replace(
            "    - --secure-port=6443\n",
            "    - --secure-port=6443\n    - --profiling=false\n",
        )
        .replace("status: {}\n", "  - name: later\n    emptyDir: {}\n");
    assert_eq!(node.read_manifest(), wanted);
}

#[test]
fn undo_keeps_earlier_content() {
    // The administrator has set the flag, so the script adds only the mount.
    let (_, manifest) = SHAPES[2];
    let node = Node::new(manifest);
    node.run_successfully(&[]);
    node.edit("namespace: kube-system", "namespace: kube-system # edited");
    node.run_successfully(&["--undo"]);
    let pod = parse(&node.read_manifest());
    let command = pod["spec"]["containers"][0]["command"].as_array().unwrap();
    assert!(command.contains(&node.flag().into()), "{pod}");
    assert_eq!(pod["spec"]["volumes"].as_array().unwrap().len(), 1);
}

#[test]
fn edited_addition_is_not_undone() {
    let node = Node::new(KUBEADM);
    node.run_successfully(&[]);
    let added = "name: ack-ram-authenticator\n      readOnly: true";
    node.edit(added, "name: ack-ram-authenticator\n      readOnly: false");
    let before = node.read_manifest();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("is missing or has been edited"),
        "{outcome:?}"
    );
    assert_eq!(node.read_manifest(), before);
}

#[test]
fn undo_without_record_changes_nothing() {
    let node = Node::new(KUBEADM);
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("has no record of a change"),
        "{outcome:?}"
    );

    node.run_successfully(&[]);
    let after = node.read_manifest();
    fs::remove_dir_all(node.backups()).unwrap();
    let outcome = node.run(&["--undo"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(node.read_manifest(), after);
}

#[test]
fn change_and_undo_alternate() {
    let node = Node::new(KUBEADM);
    node.run_successfully(&[]);
    let first = node.read_manifest();
    node.run_successfully(&["--undo"]);
    node.edit("--secure-port=6443", "--secure-port=8443");
    let edited = node.read_manifest();
    node.run_successfully(&[]);
    node.run_successfully(&["--undo"]);
    assert_eq!(node.read_manifest(), edited);
    // These bytes are the same as after the first change, so the script knows the content before them.
    node.write(&first);
    node.run_successfully(&["--undo"]);
    assert_eq!(node.read_manifest(), KUBEADM);
    assert_eq!(node.backups_ending(".undone").len(), 3);
}
