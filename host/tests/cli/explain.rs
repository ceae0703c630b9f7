//! `explain`: what a configuration makes of somebody.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

use crate::program::{CommandRun, TestFolder};

const CONFIG: &str = "
clusterID: c1
server:
  mapUsers:
  - {userARN: 'acs:ram::1:user/alice', username: alice, groups: [dev]}
  - {userARN: 'acs:ram::1:user/alice', username: other}
  mapRules:
  - {roleID: '77', username: by-id}
  - {match: 'identity.roleName == \"Ops\"', username: 'ops:{{SessionName}}', groups: [ops]}
  mapAccounts: ['2']
  scrubbedAccounts: ['2']
";

fn explain(args: &[&str]) -> CommandRun {
    let folder = TestFolder::new(&[("config.yaml", CONFIG)]);
    folder.run(&[&["explain", "-c", "config.yaml"], args].concat(), &[])
}

fn trace(args: &[&str], code: i32) -> Value {
    let run = explain(&[args, &["-o", "json"]].concat());
    assert_eq!((run.code, &*run.stderr), (Some(code), ""), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn the_rule_and_the_user_are_told() {
    let told = trace(&["--arn", "acs:ram::1:user/Alice"], 0);
    for (pointer, expected) in [
        ("/code", json!("granted")),
        ("/backends/0/answer", json!("matched")),
        ("/backends/0/rules", json!(5)),
        ("/matched/position", json!("server.mapUsers[0]")),
        ("/outranked/0/position", json!("server.mapUsers[1]")),
        ("/passedOver", Value::Null),
        ("/rule/place", json!("config.yaml:5:5")),
        ("/user/username", json!("alice")),
        ("/user/groups", json!(["dev"])),
        ("/user/extra/arn", json!("acs:ram::1:user/Alice")),
        ("/reason", Value::Null),
    ] {
        let found = told.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(*found, expected, "{pointer}: {told}");
    }
    let text = explain(&["acs:ram::1:user/alice"]).printed();
    for line in [
        "MountedFile   5 rules   matched by MountedFile server.mapUsers[0]",
        "  username               alice",
        "  at                     config.yaml:5:5",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn who_is_given_by_hand() {
    for (args, username) in [
        (
            &["--arn", "acs:ram::1:role/Ops"] as &[&str],
            "ops:<session-name>",
        ),
        (&["--arn", "acs:ram::1:assumed-role/Ops/a@b"], "ops:a-b"),
        (&["--arn", "acs:ram::1:role/x", "--user-id", "77"], "by-id"),
        (&["--arn", "acs:ram::2:user/x"], "acs:ram::2:user/x"),
    ] {
        assert_eq!(trace(args, 0)["user"]["username"], username, "{args:?}");
    }
    let args = [
        "--arn",
        "acs:ram::1:user/alice",
        "--access-key-id",
        "LTAI5t",
    ];
    assert_eq!(trace(&args, 0)["identity"]["accessKeyId"], "LTAI5t");
}

#[test]
fn who_is_not_mapped_is_told_what_is_near() {
    let told = trace(&["--arn", "acs:ram::3:user/alice"], 1);
    assert_eq!(told["code"], "not_mapped");
    assert_eq!(told["nearMisses"][0]["difference"], "account");
    assert_eq!(
        told["passedOver"][0]["rule"]["position"],
        "server.mapRules[1]"
    );
    let run = explain(&["--arn", "acs:ram::3:user/alice"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    for said in [
        "no rule matches",
        "another account",
        "no user: no rule speaks",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
    assert!(
        explain(&["--arn", "acs:ram::2:user/x"])
            .printed()
            .contains("scrubbed")
    );
}

/// Programs read it: all names and their order.
#[test]
fn the_whole_of_it_as_json() {
    let run = explain(&["--arn", "acs:ram::1:user/Alice", "-o", "json"]);
    assert_eq!(
        run.printed(),
        r#"{
  "code": "granted",
  "backends": [
    {
      "backend": "MountedFile",
      "rules": 5,
      "answer": "matched"
    }
  ],
  "identity": {
    "type": "RAMUser",
    "arn": "acs:ram::1:user/Alice",
    "canonicalArn": "acs:ram::1:user/Alice",
    "accountId": "1",
    "userId": "<user-id>",
    "sessionName": "",
    "accessKeyId": "ACCESS-KEY-ID"
  },
  "matched": {
    "backend": "MountedFile",
    "position": "server.mapUsers[0]"
  },
  "outranked": [
    {
      "backend": "MountedFile",
      "position": "server.mapUsers[1]"
    }
  ],
  "rule": {
    "place": "config.yaml:5:5",
    "about": "acs:ram::1:user/alice",
    "username": "alice",
    "groups": [
      "dev"
    ]
  },
  "user": {
    "username": "alice",
    "uid": "ack-ram-authenticator:1:<user-id>",
    "groups": [
      "dev"
    ],
    "extra": {
      "arn": "acs:ram::1:user/Alice",
      "canonicalArn": "acs:ram::1:user/Alice",
      "sessionName": ""
    }
  }
}
"#
    );
    let run = explain(&["--arn", "acs:ram::3:user/alice", "-o", "json"]);
    assert_eq!(
        run.stdout,
        r#"{
  "code": "not_mapped",
  "backends": [
    {
      "backend": "MountedFile",
      "rules": 5,
      "answer": "noMatch"
    }
  ],
  "identity": {
    "type": "RAMUser",
    "arn": "acs:ram::3:user/alice",
    "canonicalArn": "acs:ram::3:user/alice",
    "accountId": "3",
    "userId": "<user-id>",
    "sessionName": "",
    "accessKeyId": "ACCESS-KEY-ID"
  },
  "passedOver": [
    {
      "rule": {
        "backend": "MountedFile",
        "position": "server.mapRules[1]"
      }
    }
  ],
  "nearMisses": [
    {
      "rule": {
        "backend": "MountedFile",
        "position": "server.mapUsers[0]"
      },
      "subject": "acs:ram::1:user/alice",
      "difference": "account"
    },
    {
      "rule": {
        "backend": "MountedFile",
        "position": "server.mapUsers[1]"
      },
      "subject": "acs:ram::1:user/alice",
      "difference": "account"
    }
  ],
  "reason": "no rule speaks for this identity"
}
"#
    );
}

/// What is asked in which order, where not all is in the file.
#[test]
fn each_backend_is_told_of() {
    let config = |order: &str, protect: &str| {
        format!(
            "clusterID: c1
server:
  backendMode: [{order}]
  {protect}
  mapUsers:
  - {{userARN: 'acs:ram::1:user/alice', username: alice}}
"
        )
    };
    let protect = "protect: ['acs:ram::1:user/alice']";
    let (alice, bob) = ("acs:ram::1:user/alice", "acs:ram::1:user/bob");
    for (order, protect, arn, exit, code, answers) in [
        (
            "MountedFile, CRD",
            "",
            alice,
            0,
            "granted",
            "matched notAsked",
        ),
        (
            "MountedFile, CRD",
            "",
            bob,
            1,
            "rules_not_read",
            "noMatch notRead",
        ),
        (
            "CRD, MountedFile",
            "",
            alice,
            1,
            "rules_not_read",
            "notRead notAsked",
        ),
        (
            "CRD, MountedFile",
            protect,
            alice,
            0,
            "granted",
            "notAsked matched",
        ),
        (
            "CRD, MountedFile",
            protect,
            bob,
            1,
            "rules_not_read",
            "notRead notAsked",
        ),
    ] {
        let folder = TestFolder::new(&[("config.yaml", &config(order, protect))]);
        let args = ["explain", "-c", "config.yaml", "--arn", arn];
        let run = folder.run(&[&args[..], &["-o", "json"]].concat(), &[]);
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        let backends = told["backends"].as_array().unwrap().iter();
        let found: Vec<&str> = backends.map(|b| b["answer"].as_str().unwrap()).collect();
        let case = format!("{order} {protect} {arn}: {run:?}");
        assert_eq!(
            (run.code, &told["code"]),
            (Some(exit), &json!(code)),
            "{case}"
        );
        assert_eq!(found.join(" "), answers, "{case}");
        let text = folder.run(&args, &[]).stdout;
        assert_eq!(
            text.contains("not read"),
            answers.contains("notRead"),
            "{text}"
        );
    }
}

#[test]
fn a_token_is_asked_about() {
    let sts = Emulator::builder().demo().start().unwrap();
    let config = format!(
        "clusterID: c1\nserver:\n  sts: {{endpoint: '{}', caFile: ca.pem}}\n  mapRoles: [{{roleARN: '{}', username: 'dev:{{{{SessionNameRaw}}}}'}}]\n",
        sts.url(),
        demo::ROLE_ARN
    );
    let folder = TestFolder::new(&[("config.yaml", &config), ("ca.pem", sts.ca_pem())]);
    let token = |cluster: &str| {
        let cluster = ClusterId::parse(cluster).unwrap();
        sign::sign_token_v2(&demo::session_key(), &cluster, "test", sts.now()).unwrap()
    };
    let args = ["explain", "-c", "config.yaml", "-o", "json", "--token", "-"];
    let printed = folder
        .run_with_input(&args, &[], token("c1").expose())
        .printed();
    let told: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(told["user"]["username"], format!("dev:{}", demo::SESSION));
    assert_eq!(told["identity"]["userId"], demo::ROLE_ID);

    for (token, code) in [
        (token("c2").expose(), "token_other_cluster"),
        ("eyJhbGciOi.e30.x", "not_ours"),
    ] {
        let run = folder.run_with_input(&args, &[], token);
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            (run.code, &told["code"]),
            (Some(1), &json!(code)),
            "{run:?}"
        );
        assert_eq!(told["backends"][0]["answer"], "notAsked");
        assert!(
            told["reason"].is_string() && !run.stdout.contains(token),
            "{run:?}"
        );
    }
}

#[test]
fn bad_input_is_told() {
    for (args, code, says) in [
        (&[] as &[&str], 2, "--arn"),
        (&["--arn", "x"], 2, "an ARN starts `acs:ram::`"),
        (
            &["--arn", "acs:ram::1:root", "--token", "-"],
            2,
            "cannot be used with",
        ),
        (
            &["--token", "-", "--user-id", "1"],
            2,
            "cannot be used with",
        ),
        (
            &["--arn", "acs:ram::1:root", "--access-key-id", "a b"],
            2,
            "letters, digits",
        ),
    ] {
        let run = explain(args);
        assert_eq!(
            (run.code, &*run.stdout),
            (Some(code), ""),
            "{args:?}: {run:?}"
        );
        assert!(run.stderr.contains(says), "{args:?}: {run:?}");
    }
    for (config, code, says) in [
        (&[] as &[&str], 2, "--config"),
        (&["-c", "nowhere.yaml"], 1, "nowhere.yaml"),
    ] {
        let args = [&["explain", "--arn", "acs:ram::1:root"], config].concat();
        let run = TestFolder::new(&[]).run(&args, &[]);
        assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
    }
}
