//! User and groups of the process that reads the kubeconfig.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use nix::unistd::geteuid;

use crate::node::{KUBEADM, Node};
use crate::pod::{POD_CONTEXT, check, set_mode};

const CONTAINER: &str = "    name: kube-apiserver\n";

/// Returns a manifest with these lines in the security context of the pod, and these in the container.
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
    // Security contexts of pod and container, and the expected error, for a folder of mode 0755 and a file of mode
    // 0600.
    let usual_modes: &[(&str, &str, Option<&str>)] = &[
        ("", "", None),
        ("    runAsUser: 0\n", "", None),
        (stranger, "", cannot),
        // The security context of the container takes precedence.
        (stranger, &container("0"), None),
        ("    runAsUser: 0\n", &container("64999"), cannot),
        (
            "    runAsUser: nobody\n",
            "",
            Some("`runAsUser` is not supported"),
        ),
        (
            "    runAsNonRoot: yes\n",
            "",
            Some("`runAsNonRoot` without"),
        ),
        // Pods that the kubelet does not start, and contexts that the script does not support.
        (
            "    runAsNonRoot: true\n",
            "",
            Some("the user of the image is unknown"),
        ),
        (
            "    runAsNonRoot: true\n    runAsUser: 0\n",
            "",
            Some("`runAsNonRoot` with `runAsUser: 0`"),
        ),
        ("    runAsNonRoot: False\n", "", None),
        ("    runAsNonRoot: \"false\"\n", "", None),
        // Notations of null in YAML. In the container, null does not override the value of the pod.
        ("    runAsUser: null\n", "", None),
        ("    runAsUser: ~\n", "", None),
        (stranger, &container("null"), cannot),
        (stranger, &container("~"), cannot),
        (
            "",
            "    securityContext: {runAsUser: 1}\n",
            Some("`securityContext` in flow style"),
        ),
        ("", "    securityContext: {}\n", None),
        (
            "",
            "    securityContext: {seccompProfile: {type: RuntimeDefault}}\n",
            None,
        ),
        (
            "",
            "    securityContext: {allowPrivilegeEscalation: false}\n",
            None,
        ),
        (
            "",
            "    securityContext: {\"run\\x41sUser\": 1}\n",
            Some("`securityContext` in flow style"),
        ),
        (
            "",
            "    securityContext: {capabilities: {drop: [ALL]}}\n",
            Some("`securityContext` in flow style"),
        ),
        (
            "",
            "    securityContext: {privileged: true}\n",
            Some("`securityContext` in flow style"),
        ),
    ];
    // The same, with the modes of the folder and the file.
    let other_modes: [(&str, &str, u32, u32, Option<&str>); 11] = [
        (stranger, "", 0o755, 0o640, cannot),
        (stranger, "", 0o755, 0o604, None),
        (stranger, "", 0o700, 0o604, cannot_enter),
        (&in_group, "", 0o755, 0o640, None),
        (&in_group, "", 0o750, 0o640, None),
        (&in_group, "", 0o740, 0o640, cannot_enter),
        (&through_fs_group, "", 0o755, 0o640, None),
        (&through_groups, "", 0o755, 0o640, None),
        (&as_owner, "", 0o700, 0o600, None),
        // An octal number in YAML.
        (
            "    runAsUser: 010\n",
            "",
            0o755,
            0o604,
            Some("`runAsUser` is not supported"),
        ),
        (
            "    runAsNonRoot: true\n    runAsUser: 64999\n",
            "",
            0o755,
            0o644,
            None,
        ),
    ];
    let usual_modes = usual_modes.iter();
    let usual_modes =
        usual_modes.map(|&(pod, container, says)| (pod, container, 0o755, 0o600, says));
    for (pod, container, folder_mode, mode, says) in usual_modes.chain(other_modes) {
        let node = Node::new(&with_contexts(pod, container));
        set_mode(node.kubeconfig(), mode);
        set_mode(node.webhook_folder(), folder_mode);
        check(&node, says);
    }
}

#[test]
fn pod_with_user_namespace_is_refused() {
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

/// Root needs a capability to read the files of other users. Only root can change the owner of a file.
#[test]
fn root_without_capabilities_reads_only_own_files() {
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
