//! Wrong usage: what is wrong, the usage, and exit code 2.

use super::Transcript;
use crate::program::Folder;

const TOKEN: &str = "k8s-ack-v2.eyJjbHVzdGVySUQiOiJjMSJ9";
const LONG: &str = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjjjjjjjk";

#[test]
fn command_lines_that_cannot_be_read() {
    let folder = Folder::new(&[
        ("config.yaml", "clusterID: c1\n"),
        ("odd.yaml", "clusterID: c1\nserver: {port: many}\n"),
    ]);
    let mut transcript = Transcript::new();
    for args in [
        &[] as &[&str],
        &["nothing"],
        &["serve"],
        &["--nothing"],
        &["--confg", "x", "lint"],
        &["-l", "xml", "version"],
        &["-c"],
        &["-c", "a", "-c", "b", "lint"],
        &["-i", "", "token"],
        &["-i", "a b", "token"],
        &["token", "-i", "c1", "--cluster-id", "c2"],
        &["server", "--port", "many"],
        &["server", "--port", "70000"],
        &["server", "--kubeconfig-pregenerated=yes"],
        &["server", "--install-crd=maybe"],
        &["server", "--output", "json"],
        &["server", "--check", "-o", "xml"],
        &["server", "extra"],
        &["init", "--hostname"],
        &["init", "--hostname", "a b"],
        &["init", "--hostname", ""],
        &["init", "--address", "a b"],
        &["token", "--api-version", "v2"],
        &["token", "extra"],
        &["verify"],
        &["verify", "--token"],
        &["verify", TOKEN],
        &["verify", "--token", "x", "--output", "yaml"],
        &["inspect", "a", "b"],
        &["inspect", TOKEN, TOKEN],
        &["inspect", "a", "--token", "b"],
        &["inspect", LONG, LONG],
        &["inspect", "{\"status\": 1}", "x"],
        &["inspector", "--port", "x"],
        &["inspector", "extra"],
        &["explain"],
        &["explain", "a", "--arn", "b"],
        &["explain", "--token", "a", "--arn", "b"],
        &["explain", "--token", "a", "--user-id", "1"],
        &["explain", "acs:ram::1:user/a"],
        &["explain", "-c", "config.yaml", "nobody"],
        &["explain", "-c", "config.yaml", ""],
        &["explain", "-c", "config.yaml", "acs:ram::1:user/a", "--user-id", ""],
        &["explain", "-c", "config.yaml", "acs:ram::1:user/a", "--access-key-id", "a b"],
        &["lint"],
        &["lint", "--strict=yes", "x"],
        &["lint", "x", "-o", "sarif"],
        &["diff"],
        &["diff", "a"],
        &["diff", "a", "b", "c"],
        &["add"],
        &["add", "group"],
        &["add", "user"],
        &["add", "user", "--userarn", "acs:ram::1:user/a"],
        &["add", "role", "--userarn", "acs:ram::1:user/a"],
        &["add", "user", "--userarn", "a", "--username", "b", "--backend", "file"],
        &["add", "user", "--userarn", "acs:ram::1:user/a", "--username", "b", "--name", "n"],
        &["add", "user", "--userarn", "acs:ram::1:user/a", "--username", "b", "--prompt=maybe"],
        &["remove"],
        &["remove", "user"],
        &["remove", "--name", "x", "user", "--userarn", "a"],
        &["list", "--backend", "file"],
        &["list", "--master-url", "x"],
        &["list", "--master-url", "ftp://x"],
        &["get"],
        &["get", "objects"],
        &["get", "mappings", "--backend", "etcd"],
        &["get", "mappings", "-o", "yaml"],
        &["credential-plugin"],
        &["credential-plugin", "nothing"],
        &["credential-plugin", "get-token"],
        &["--mode", "AK", "token", "-i", "c1"],
        &["version", "--shorts"],
        &["completion"],
        &["completion", "tcsh"],
    ] {
        transcript.run(&folder, args, &[]);
    }
    transcript.check("usage");
}
