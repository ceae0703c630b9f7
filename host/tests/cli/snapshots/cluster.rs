//! `add`, `remove` and `list`: their changes to the cluster, and their output.

use serde_json::json;

use super::Transcript;
use super::api_server::ApiServer;
use crate::program::TestFolder;

const ROLE: [&str; 4] = ["add", "role", "--rolearn", "acs:ram::1:role/a"];
pub(super) const USER: [&str; 4] = ["add", "user", "--userarn", "acs:ram::1:user/a"];
const NO_ROLE: [&str; 5] = ["remove", "role", "--rolearn", "acs:ram::1:role/a", "--yes"];

pub(super) const LIST: &str = "\
# People of the first team.
- userarn: acs:ram::1:user/b
  username: b # by hand
  groups:
  - g
- userarn: acs:ram::1:user/twice
  username: c
- userarn: acs:ram::1:user/twice
  username: d
- userarn: acs:ram::1:user/e
";

/// An API server, and a folder with a kubeconfig for it.
pub(super) struct ClusterFixture {
    pub(super) server: ApiServer,
    pub(super) folder: TestFolder,
    pub(super) transcript: Transcript,
}

impl ClusterFixture {
    pub(super) fn start() -> Self {
        let server = ApiServer::start();
        let config = "clusterID: c\nserver:\n  reservedPrefixConfig:\n  - backendMode: ACKConfigMap\n    usernamePrefixReserveList: ['ops:']\n";
        let folder = TestFolder::new(&[
            ("kubeconfig", &server.kubeconfig()),
            ("config.yaml", config),
        ]);
        let mut transcript = Transcript::new();
        transcript.replace(&format!("127.0.0.1:{}", server.port()), "<API server>");
        Self {
            server,
            folder,
            transcript,
        }
    }

    pub(super) fn run(&mut self, args: &[&str]) {
        let env = [("KUBECONFIG", "kubeconfig")];
        self.transcript.run(&self.folder, args, &env);
    }

    /// Shows the current text at `key` of the ConfigMap.
    fn show(&mut self, key: &str) {
        let text = self.server.config_map_text(key);
        self.transcript.file(key, &text);
    }
}

#[test]
fn add_refuses_invalid_mappings() {
    let mut fixture = ClusterFixture::start();
    for (start, more) in [
        (ROLE, &["--username", ""][..]),
        (ROLE, &["--username", "{{Sesion}}"]),
        (ROLE, &["--username", "a\nb"]),
        (ROLE, &["--username", "a", "--groups", "a,{{"]),
        (ROLE, &["--username", "a", "--groups", "a,"]),
        (ROLE, &["--username", "system:{{SessionName}}"]),
        (ROLE, &["--username", "ops:a", "-c", "config.yaml"]),
        (ROLE, &["--username", "a", "-c", "nowhere.yaml"]),
        (USER, &["--username", "{{RoleName}}"]),
        (
            ["add", "role", "--rolearn", "acs:ram::1:user/a"],
            &["--username", "a"],
        ),
        (
            ["add", "user", "--userarn", "acs:ram::1:role/a"],
            &["--username", "a"],
        ),
        (["add", "user", "--userarn", "alice"], &["--username", "a"]),
        (
            ["add", "role", "--rolearn", "acs:ram::1:assumed-role/a/s"],
            &["--username", "a"],
        ),
        (
            ["add", "role", "--rolearn", "acs:ram::1:assumed-role/a/s"],
            &["--username", "a", "--backend", "crd"],
        ),
        (
            ["add", "role", "--rolearn", "acs:ram::*:role/a"],
            &["--username", "a", "--backend", "crd"],
        ),
        (
            ["add", "role", "--rolearn", "acs:ram::1:role/a-*"],
            &["--username", "a", "--dry-run"],
        ),
        (
            ROLE,
            &["--username", "a", "--groups", "system:masters", "--dry-run"],
        ),
        (ROLE, &["--username", "{{SessionName}}", "--dry-run"]),
        (ROLE, &["--username", "a:{{SessionName}}", "--dry-run"]),
        (ROLE, &["--username", " a ", "--dry-run"]),
        (ROLE, &["--username", "system:a", "--dry-run"]),
    ] {
        fixture.run(&[&start, more].concat());
    }
    fixture.transcript.check("add_refused");
}

#[test]
fn add_and_remove_edit_config_map() {
    let mut fixture = ClusterFixture::start();
    let add = [&USER[..], &["--username", "a", "--groups", "x,y"]].concat();
    fixture.run(&add);
    fixture.run(&[&add[..], &["--dry-run"]].concat());
    fixture.run(&[&add[..], &["--yes"]].concat());
    fixture.show("mapUsers");
    fixture.run(&[&add[..], &["--yes"]].concat());
    fixture
        .server
        .set_config_map(&[("mapUsers", LIST), ("mapRoles", "[]\n"), ("other", "x")]);
    fixture.run(&[&add[..], &["--prompt=false"]].concat());
    fixture.show("mapUsers");
    let another = [&USER[..], &["--username", "b", "--yes"]].concat();
    fixture.run(&another);
    fixture.run(&[&another[..], &["--replace"]].concat());
    fixture.show("mapUsers");
    for user in ["twice", "e"] {
        let arn = format!("acs:ram::1:user/{user}");
        fixture.run(&["add", "user", "--userarn", &arn, "--username", "z", "--yes"]);
        fixture.run(&[
            "add",
            "user",
            "--userarn",
            &arn,
            "--username",
            "z",
            "--replace",
            "--dry-run",
        ]);
    }
    fixture.run(&[&ROLE[..], &["--username", "r:{{SessionName}}", "--yes"]].concat());
    fixture.show("mapRoles");
    fixture.run(&["remove", "user", "--userarn", "acs:ram::1:user/b"]);
    fixture.run(&[
        "remove",
        "user",
        "--userarn",
        "acs:ram::1:user/b",
        "--dry-run",
    ]);
    fixture.run(&["remove", "user", "--userarn", "acs:ram::1:user/b", "--yes"]);
    fixture.run(&[
        "remove",
        "user",
        "--userarn",
        "acs:ram::1:user/twice",
        "--yes",
    ]);
    fixture.run(&[
        "remove",
        "user",
        "--userarn",
        "acs:ram::1:user/nobody",
        "--yes",
    ]);
    fixture.run(&NO_ROLE);
    fixture.show("mapUsers");
    fixture.show("mapRoles");
    for text in [
        "a: [",
        "a: b\n",
        "text\n",
        "- &a {userarn: x, username: y}\n- *a\n",
    ] {
        fixture.server.set_config_map(&[("mapUsers", text)]);
        fixture.transcript.file("mapUsers", text);
        fixture.run(&[&add[..], &["--yes"]].concat());
        fixture.run(&["remove", "user", "--userarn", "x", "--yes"]);
    }
    fixture.transcript.check("config_map");
}

#[test]
fn add_and_remove_edit_objects() {
    let mut fixture = ClusterFixture::start();
    let add = [
        &USER[..],
        &["--username", "a", "--groups", "x,y", "--backend", "crd"],
    ]
    .concat();
    fixture.run(&[&add[..], &["--yes"]].concat());
    fixture.run(&[
        "remove",
        "user",
        "--userarn",
        "acs:ram::1:user/a",
        "--backend",
        "crd",
        "--yes",
    ]);
    fixture.server.set_objects(&[
        (
            "b",
            json!({"arn": "acs:ram::1:user/b", "username": "b", "groups": ["g"]}),
        ),
        (
            "two",
            json!({"arn": "acs:ram::1:user/twice", "username": "b"}),
        ),
        (
            "twice",
            json!({"arn": "acs:ram::1:user/twice", "username": "b"}),
        ),
        (
            "taken",
            json!({"arn": "acs:ram::1:user/taken", "username": "b"}),
        ),
    ]);
    fixture.run(&add);
    fixture.run(&[&add[..], &["--dry-run"]].concat());
    fixture.run(&[&add[..], &["--yes"]].concat());
    fixture.run(&[&add[..], &["--yes"]].concat());
    let other = [&USER[..], &["--username", "c", "--backend", "crd", "--yes"]].concat();
    fixture.run(&other);
    fixture.run(&[&other[..], &["--replace", "--dry-run"]].concat());
    fixture.run(&[&other[..], &["--replace"]].concat());
    let named = [
        &ROLE[..],
        &["--username", "r", "--backend", "crd", "--yes", "--name"],
    ]
    .concat();
    for name in ["taken", "No Name", "mine"] {
        fixture.run(&[&named[..], &[name]].concat());
    }
    let twice = [
        "add",
        "user",
        "--userarn",
        "acs:ram::1:user/twice",
        "--username",
        "x",
    ];
    fixture.run(&[&twice[..], &["--backend", "crd", "--yes"]].concat());
    for args in [
        &["remove", "--name", "b"][..],
        &["remove", "--name", "b", "--dry-run"],
        &["remove", "--name", "b", "--yes"],
        &["remove", "--name", "b", "--yes"],
        &[
            "remove",
            "user",
            "--userarn",
            "acs:ram::1:user/twice",
            "--backend",
            "crd",
            "--yes",
        ],
        &[
            "remove",
            "user",
            "--userarn",
            "acs:ram::1:user/nobody",
            "--backend",
            "crd",
            "--yes",
        ],
    ] {
        fixture.run(args);
    }
    fixture.transcript.check("objects");
}

#[test]
fn list_prints_mappings_of_the_cluster() {
    let mut fixture = ClusterFixture::start();
    let all = [&["list"][..], &["list", "-o", "json"]];
    for args in all {
        fixture.run(args);
    }
    fixture.run(&["list", "--backend", "crd"]);
    fixture.run(&["list", "--backend", "configmap"]);
    fixture.server.set_config_map(&[
        ("mapUsers", LIST),
        ("mapRoles", "a: ["),
        ("mapAccounts", "['0123', x]\n"),
    ]);
    fixture.server.set_objects(&[
        ("b", json!({"arn": "acs:ram::1:user/b", "username": "b", "groups": ["g", "h"]})),
        ("c", json!({"arn": "acs:ram::1:user/b", "username": "c"})),
        ("d", json!({"arn": "", "roleID": "3", "usernameExpression": "'x'", "groupsExpression": "['system:a']", "groupsExpressionMayAdd": ["system:a"]})),
        ("e", json!({"arn": "alice", "username": "c"})),
        ("f", json!({"arn": 5, "username": "c"})),
        ("g", json!({"arn": "acs:ram::1:assumed-role/r/s", "username": "c"})),
    ]);
    for args in all {
        fixture.run(args);
    }
    fixture.transcript.check("list");
}
