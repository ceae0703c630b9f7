//! The script adds the flag, the mount, and the volume to a manifest in any style, and changes nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use ack_ram_tests::scripts::write_script;
use serde_json::{Value, json};

use crate::node::{KUBEADM, Node, SHAPES, parse};

#[test]
fn every_manifest_shape_is_changed_once_and_undone_exactly() {
    for (name, manifest) in SHAPES {
        check(name, manifest);
    }
}

#[test]
fn line_endings_and_tabs_are_preserved() {
    // More tabs than this are not valid in some parsers.
    let tabs = KUBEADM.replace("--secure-port=6443\n", "--secure-port=6443 #\tthe\tport\n");
    check("tabs", &tabs);
    check("no newline at the end", KUBEADM.trim_end());
    let volumes_last = KUBEADM.replace("status: {}\n", "");
    check("nothing after the volumes", volumes_last.trim_end());

    let lines = KUBEADM.replace('\n', "\r\n");
    check("CRLF", &lines);
    let node = Node::new(&lines);
    node.run_successfully(&[]);
    let changed = node.read_manifest();
    let bare = changed.matches('\n').count() - changed.matches("\r\n").count();
    assert_eq!(bare, 0, "{changed:?}");
}

fn check(name: &str, manifest: &str) {
    let node = Node::new(manifest);
    let before = node.read_manifest();
    let wanted = with_additions(&node, parse(&before));

    let shown = node.run_successfully(&["--dry-run"]);
    assert!(shown.contains("\n@@ "), "{name}: no difference: {shown}");
    assert_eq!(
        node.read_manifest(),
        before,
        "{name}: --dry-run changed the file"
    );
    assert!(!node.backups().exists(), "{name}: --dry-run made a backup");

    node.run_successfully(&[]);
    let after = node.read_manifest();
    assert_eq!(parse(&after), wanted, "{name}:\n{after}");
    assert!(
        keeps_lines(&before, &after),
        "{name}: a line was changed:\n{after}"
    );
    assert_eq!(node.mode(), 0o640, "{name}");
    node.assert_no_other_files();
    let [backup] = &node.backups_ending(".before")[..] else {
        panic!("{name}: {:?}", node.backups_ending(""));
    };
    assert_eq!(fs::read_to_string(backup).unwrap(), before, "{name}");

    let again = node.run_successfully(&[]);
    assert!(
        again.contains("nothing has been changed"),
        "{name}: {again}"
    );
    assert_eq!(
        node.read_manifest(),
        after,
        "{name}: the second run changed it"
    );
    assert_eq!(node.backups_ending(".before").len(), 1, "{name}");

    node.run_successfully(&["--undo"]);
    assert_eq!(node.read_manifest(), before, "{name}: --undo");
    assert_eq!(node.mode(), 0o640, "{name}");
    node.assert_no_other_files();
    let again = node.run_successfully(&["--undo"]);
    assert!(
        again.contains("nothing has been changed"),
        "{name}: {again}"
    );
    assert_eq!(node.read_manifest(), before, "{name}: the second --undo");
}

/// Returns whether `after` contains all lines of `before` in the same order.
fn keeps_lines(before: &str, after: &str) -> bool {
    let mut after = after.split('\n');
    before
        .split('\n')
        .all(|line| after.any(|other| other == line))
}

/// Returns the manifest with the expected additions.
fn with_additions(node: &Node, mut pod: Value) -> Value {
    let (flag, folder) = (node.flag(), node.webhook_folder());
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    let container = containers
        .iter_mut()
        .find(|container| {
            let program = container["command"][0].as_str();
            program.is_some_and(|program| program.ends_with("kube-apiserver"))
        })
        .unwrap();
    let list = if container["args"].is_array() {
        "args"
    } else {
        "command"
    };
    let flags = container[list].as_array_mut().unwrap();
    if !flags.contains(&json!(flag)) {
        flags.push(json!(flag));
    }
    push(
        &mut container["volumeMounts"],
        json!({"name": "ack-ram-authenticator", "mountPath": folder, "readOnly": true}),
    );
    push(
        &mut pod["spec"]["volumes"],
        json!({"name": "ack-ram-authenticator", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}),
    );
    pod
}

fn push(list: &mut Value, item: Value) {
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().unwrap().push(item);
}

#[test]
fn existing_mount_of_kubeconfig_is_reused() {
    let mount = "    - mountPath: /etc/kubernetes/pki\n      name: k8s-certs\n";
    let volume = "  - hostPath:\n      path: /etc/kubernetes/pki\n";
    assert!(KUBEADM.contains(mount) && KUBEADM.contains(volume));
    // The folder of the kubeconfig with any mount name, a parent folder, and the file itself, as in the script of the
    // Go version.
    for (place, name) in [
        ("WEBHOOK", "webhook"),
        ("WEBHOOK/", "webhook"),
        ("WEBHOOK/..", "up"),
        ("KUBECONFIG", "ack-ram-authenticator"),
    ] {
        let manifest = KUBEADM
            .replace(
                mount,
                &format!("    - mountPath: {place}\n      name: {name}\n{mount}"),
            )
            .replace(
                volume,
                &format!("  - hostPath:\n      path: {place}\n    name: {name}\n{volume}"),
            );
        let node = Node::new("");
        let folder = node.webhook_folder();
        let manifest = manifest
            .replace("WEBHOOK/..", &folder.parent().unwrap().to_string_lossy())
            .replace("WEBHOOK", &folder.to_string_lossy())
            .replace("KUBECONFIG", &node.kubeconfig().to_string_lossy());
        node.write(&manifest);
        let said = node.run_successfully(&[]);
        assert!(said.contains("already there: a mount"), "{place}: {said}");
        let mut wanted = parse(&manifest);
        let flags = &mut wanted["spec"]["containers"][0]["command"];
        push(flags, json!(node.flag()));
        assert_eq!(parse(&node.read_manifest()), wanted, "{place}");
    }
}

#[test]
fn existing_volume_of_the_folder_is_reused() {
    let node = Node::new("");
    let folder = node.webhook_folder();
    let volume = "  volumes:\n";
    let present = format!(
        "{volume}  - name: ack-ram-authenticator\n    hostPath: \n      path: {}/\n",
        folder.display()
    );
    node.write(&KUBEADM.replace(volume, &present));
    let before = parse(&node.read_manifest());
    node.run_successfully(&[]);
    let after = parse(&node.read_manifest());
    assert_eq!(after["spec"]["volumes"], before["spec"]["volumes"]);
    let mounts = after["spec"]["containers"][0]["volumeMounts"].as_array();
    assert_eq!(mounts.unwrap().len(), 3);
}

#[test]
fn flag_in_another_notation_is_recognized() {
    for arguments in [
        "    - --authentication-token-webhook-config-file\n    - KUBECONFIG\n",
        "    - --authentication_token_webhook_config_file=KUBECONFIG\n",
        "    - \"--authentication-token-webhook-config-file=KUBECONFIG\" # ours\n",
    ] {
        let node = Node::new(&KUBEADM.replace("    - --secure-port=6443\n", arguments));
        let said = node.run_successfully(&[]);
        assert!(said.contains("already there: the flag"), "{said}");
        assert!(
            !node
                .read_manifest()
                .contains(&format!("    - {}\n", node.flag()))
        );
    }
}

#[test]
fn owner_and_mode_are_preserved() {
    let node = Node::new(KUBEADM);
    fs::set_permissions(node.manifest(), Permissions::from_mode(0o604)).unwrap();
    let owner = |node: &Node| {
        let metadata = fs::metadata(node.manifest()).unwrap();
        (metadata.uid(), metadata.gid())
    };
    let before = owner(&node);
    node.run_successfully(&[]);
    assert_eq!((node.mode(), owner(&node)), (0o604, before));
}

/// Returns a folder with the programs that the script needs, and without a YAML parser.
pub fn path_without_parser() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "awk", "basename", "bash", "cat", "cmp", "cp", "date", "diff", "dirname", "grep", "mkdir",
        "mktemp", "mv", "readlink", "rm", "sed", "sort", "stat", "sync", "tail",
    ] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        let program = found.unwrap_or_else(|| panic!("no `{name}` on PATH"));
        symlink(program, folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn missing_parser_is_reported_and_change_works() {
    let node = Node::new(KUBEADM);
    let path = path_without_parser();
    let outcome = node.run_with_path(path.path(), &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("neither kubectl nor"),
        "{outcome:?}"
    );
    let wanted = with_additions(&node, parse(KUBEADM));
    assert_eq!(parse(&node.read_manifest()), wanted);
}

#[test]
fn rejected_or_misread_manifest_is_not_written() {
    for (kubectl, says) in [
        ("echo 'error: no YAML' >&2; exit 1", "kubectl cannot read"),
        // A kubectl that does not show one flag of the new manifest.
        (
            "if grep -q webhook $4; then grep -v secure-port $4; else cat $4; fi",
            "differs from the planned change",
        ),
    ] {
        let node = Node::new(KUBEADM);
        let path = path_without_parser();
        let program = path.path().join("kubectl");
        write_script(&program, &format!("#!/usr/bin/env bash\n{kubectl}\n")).unwrap();
        symlink("/usr/bin/env", path.path().join("env")).unwrap();
        let outcome = node.run_with_path(path.path(), &[]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{outcome:?}");
        assert_eq!(node.read_manifest(), KUBEADM);
        assert!(!node.backups().exists());
    }
}
