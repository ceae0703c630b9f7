//! Commands for a cluster that refuses requests or is unreachable.

use super::cluster::{ClusterFixture, LIST, USER};
use crate::program::TestFolder;

#[test]
fn unavailable_cluster_fails_commands_with_advice() {
    let mut fixture = ClusterFixture::start();
    fixture.server.set_config_map(&[("mapUsers", LIST)]);
    fixture.server.set_objects(&[]);
    let add = [&USER[..], &["--username", "a", "--yes"]].concat();
    let object = [&add[..], &["--backend", "crd"]].concat();
    for (method, code, message) in [
        ("GET", 401, "Unauthorized"),
        ("GET", 403, "configmaps is forbidden"),
        ("GET", 500, "etcd is gone"),
        ("PATCH", 403, "configmaps is forbidden"),
        ("PATCH", 409, "the object has been modified"),
        ("POST", 403, "ramidentitymappings is forbidden"),
        ("POST", 404, "not found"),
    ] {
        fixture.server.fail(method, code, message);
        fixture.transcript.heading(&format!("{method}: {code}"));
        if method != "POST" {
            fixture.run(&add);
        }
        if method != "PATCH" {
            fixture.run(&object);
        }
        if method == "GET" {
            fixture.run(&["list"]);
            fixture.run(&["remove", "--name", "x", "--yes"]);
        }
    }
    let nowhere = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: SECRET}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n";
    let folder = TestFolder::new(&[("kubeconfig", nowhere)]);
    fixture.transcript.heading("nothing listens");
    for args in [
        &add[..],
        &[&add[..], &["--namespace", "n", "--configmap-name", "m"]].concat(),
        &[&add[..], &["--backend", "CRD"]].concat(),
        &["remove", "user", "--userarn", "acs:ram::1:user/a", "--yes"],
        &[
            "remove",
            "user",
            "--userarn",
            "acs:ram::1:user/a",
            "--backend",
            "crd",
            "--yes",
        ],
        &["remove", "--name", "x", "--yes"],
        &["list"],
        &["list", "--backend", "crd"],
        // As in the Go version, options may come before `role`.
        &[
            "add",
            "--kubeconfig",
            "kubeconfig",
            "--prompt=false",
            "role",
            "--rolearn",
            "acs:ram::1:role/a",
            "--username",
            "a",
            "--groups",
            "g",
        ],
    ] {
        let env = [("KUBECONFIG", "kubeconfig")];
        fixture.transcript.run(&folder, args, &env);
    }
    for (title, kubeconfig) in [
        ("not YAML", "clusters: [{name: SECRET\n".to_owned()),
        ("no context", "apiVersion: v1\nkind: Config\n".to_owned()),
        ("no cluster", nowhere.replace("name: c,", "name: d,")),
        ("no user", nowhere.replace("name: u,", "name: v,")),
        ("a proxy", nowhere.replace("https://127.0.0.1:1'", "https://127.0.0.1:1', proxy-url: 'http://u:SECRET@127.0.0.1:1'")),
        ("no certificate", nowhere.replace("https://127.0.0.1:1'", "https://127.0.0.1:1', certificate-authority: nowhere.pem")),
        ("an invalid certificate", nowhere.replace("https://127.0.0.1:1'", "https://127.0.0.1:1', certificate-authority-data: eA==")),
        ("no token file", nowhere.replace("token: SECRET", "tokenFile: nowhere")),
        ("no program", nowhere.replace("token: SECRET", "exec: {apiVersion: client.authentication.k8s.io/v1, command: nowhere-to-be-found, interactiveMode: Never}")),
        ("an invalid URL", nowhere.replace("https://127.0.0.1:1", "a b")),
    ] {
        let folder = TestFolder::new(&[("kubeconfig", &kubeconfig)]);
        fixture.transcript.heading(title);
        let env = [("KUBECONFIG", "kubeconfig")];
        fixture.transcript.run(&folder, &["list"], &env);
    }
    for args in [
        &["list", "--kubeconfig", "nowhere"][..],
        &["list", "--kubeconfig-context", "y"],
        &["list", "--master-url", "x"],
        &["list", "--master-url", "ftp://x"],
        &[
            "list",
            "--master-url",
            "https://127.0.0.1:1",
            "--backend",
            "crd",
        ],
        &["list", "-c", "nowhere.yaml"],
        &[
            "list",
            "--namespace",
            "n",
            "--configmap-name",
            "m",
            "--backend",
            "configmap",
        ],
    ] {
        fixture.run(args);
    }
    fixture.transcript.check("cluster_refused");
}
