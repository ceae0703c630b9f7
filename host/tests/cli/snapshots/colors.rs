//! Output with forced colors. All other snapshots are without colors.

use super::Transcript;
use crate::program::TestFolder;

#[test]
fn forced_colors_appear_in_output() {
    let config = "clusterID: c1\ncolor: x\nserver:\n  bind: 0.0.0.0\n  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}]\n  mapAccounts: ['2']\n";
    let new = config
        .replace("username: a", "username: b")
        .replace("'2'", "'3'");
    let folder = TestFolder::new(&[("config.yaml", config), ("new.yaml", &new)]);
    let mut transcript = Transcript::new();
    for args in [
        &["lint", "config.yaml"][..],
        &["explain", "-c", "config.yaml", "acs:ram::1:user/a"],
        &["explain", "-c", "config.yaml", "acs:ram::1:user/b"],
        &["diff", "config.yaml", "new.yaml"],
        &["inspect", "k8s-ack-v2.e30="],
        &["init", "-c", "config.yaml"],
        &["list", "--kubeconfig", "nowhere"],
        &["completion", "-h"],
        &["nothing"],
    ] {
        for variable in ["CLICOLOR_FORCE", "NO_COLOR"] {
            transcript.run(&folder, args, &[(variable, "1")]);
        }
    }
    transcript.hide("(reference +)[0-9a-f]{8,}", "${1}<reference>");
    transcript.check("colors");
}
