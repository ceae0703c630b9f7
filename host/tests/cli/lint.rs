//! `lint`: what is wrong or risky in configuration files.

use serde_json::Value;

use crate::program::{CommandRun, TestFolder};

const GOOD: &str = "clusterID: c1\nserver:\n  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}]\n";

fn lint(yaml: &str, more: &[&str]) -> CommandRun {
    let folder = TestFolder::new(&[("config.yaml", yaml)]);
    folder.run(&[&["lint", "config.yaml"], more].concat(), &[])
}

/// The findings as `<severity> <code> <line>:<column> <entry>`.
#[track_caller]
fn check(yaml: &str, code: i32, expected: &[&str]) {
    let run = lint(yaml, &["-o", "json"]);
    assert_eq!(
        (run.code, &*run.stderr),
        (Some(code), ""),
        "{yaml}: {run:?}"
    );
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let told: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let position = &finding["position"];
            assert_eq!(position["file"], "config.yaml", "{finding}");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            let (line, column) = (number(&position["line"]), number(&position["column"]));
            let entry = text(&position["entry"]);
            let (severity, code) = (text(&finding["severity"]), text(&finding["code"]));
            format!("{severity} {code} {line}:{column} {entry}")
                .trim_end()
                .to_owned()
        })
        .collect();
    assert_eq!(told, expected, "{yaml}");
    let count = |severity: &str| {
        told.iter()
            .filter(|line| line.starts_with(severity))
            .count()
    };
    assert_eq!(report["errors"], count("error"));
    assert_eq!(report["warnings"], count("warning"));
    assert_eq!(report["infos"], count("info"));
}

#[test]
fn findings_have_their_place() {
    check(GOOD, 0, &[]);
    let with = |lines: &str| format!("{GOOD}{lines}");
    for (lines, code, expected) in [
        ("  mapRole: []\n", 1, &["error unknown-key 4:3"] as &[&str]),
        ("  mapRoles:\n", 1, &["error empty-list 4:11"]),
        ("# a\0b\n", 1, &["error unreadable 4:4"]),
        (
            "  scrubbedAccounts: '1,2'\n",
            1,
            &["error text-for-list 4:21"],
        ),
        (
            "  mapAccounts: [1234567890123456]\n",
            1,
            &[
                "error numeric-account 4:17",
                "info whole-account 4:17 server.mapAccounts[0]",
            ],
        ),
        ("  mapAccounts: [x]\n", 1, &["error invalid-entry 4:17"]),
        ("  bind: 0.0.0.0\n", 0, &["warning bind-wins 4:9"]),
        (
            "  extAuthz: {enabled: true}\n",
            0,
            &["warning groups-unjoined 4:13"],
        ),
        (
            "  mapRoles:\n  - {roleARN: 'acs:ram:1:role/x', username: x, groups: [g]}\n",
            1,
            &["error invalid-arn 5:5 server.mapRoles[0]"],
        ),
        (
            "  mapRoles:\n  - {roleARN: 'acs:ram::1:role/x*', username: x, groups: [g]}\n",
            0,
            &["warning wildcard-in-file 5:5 server.mapRoles[0]"],
        ),
        (
            "  globs: true\n  mapRoles:\n  - {roleARN: 'acs:ram::1:role/x*', username: x, groups: [g]}\n",
            0,
            &["info pattern-grants-anew 6:5 server.mapRoles[0]"],
        ),
        (
            "  mapRules:\n  - {arn: 'acs:ram::1:role/x*', username: '{{SessionNameRaw}}', groups: [g]}\n",
            0,
            &[
                "warning impersonation 5:5 server.mapRules[0]",
                "warning unprefixed-session-name 5:5 server.mapRules[0]",
            ],
        ),
        (
            "  reservedPrefixConfig:\n  - {backendMode: MountedFile, groupPrefixReserveList: [g]}\n",
            1,
            &["error reserved-name 3:14 server.mapUsers[0]"],
        ),
        (
            "  mapRoles:\n  - roleARN: acs:ram::1:role/x\n    username: {{SessionName}}\n",
            1,
            &["error invalid-entry 6:15 server.mapRoles[0]"],
        ),
        (
            "  protect: ['acs:ram::1:role/path/x']\n  mapRoles:\n  - {roleARN: 'acs:ram::1:role/path/x', username: x, groups: [g]}\n",
            0,
            &[
                "warning arn-with-path 4:13",
                "warning arn-with-path 6:5 server.mapRoles[0]",
            ],
        ),
        (
            "  mapRoles:\n  - {roleARN: 'acs:ram::1:role/x', username: 'a{{SessionNameRaw}}', groups: [g]}\n  mapRules:\n  - {arn: 'acs:ram::1:user/b', username: ab, groups: [g]}\n",
            0,
            &["warning impersonation 5:5 server.mapRoles[0]"],
        ),
        (
            "  mapRoles:\n  - {roleARN: 'acs:ram::1:role/x', username: 'x ', groups: [\" g\"]}\n",
            0,
            &[
                "warning outer-space 5:5 server.mapRoles[0]",
                "warning outer-space 5:5 server.mapRoles[0]",
            ],
        ),
        (
            "  extAuthz: {enabled: true, joinGroups: true}\n  mapRoles:\n  - {roleARN: 'acs:ram::1:role/x', username: 'x ', groups: [g]}\n",
            1,
            &["error outer-space 6:5 server.mapRoles[0]"],
        ),
        ("  port: many\n", 1, &["error invalid-setting 4:9"]),
        (
            "  mapRoles:\n  - {roleARN: 'acs:ram::1:role/x', username: x, groups: }\n",
            1,
            &["error empty-list 5:55 server.mapRoles[0]"],
        ),
        ("  mapAccounts: [012]\n", 1, &["error invalid-entry 4:17"]),
        (
            "  mapRules:\n  - {matches: 'true', username: x, groups: [g]}\n",
            1,
            &["error invalid-entry 5:6 server.mapRules[0]"],
        ),
        (
            "  mapRules:\n  - {match: \"identity.roleName == 'a'\", username: x, groups: [g]}\n",
            0,
            &["warning any-account 5:5 server.mapRules[0]"],
        ),
        (
            "  userValidationRules: [{expression: 'size(user.groups) > 1', message: m}]\n",
            0,
            &["warning always-refused 3:14 server.mapUsers[0]"],
        ),
    ] {
        check(&with(lines), code, expected);
    }
    check("clusterID: c1\n", 1, &["error nobody-mapped 0:0"]);
    check("a: [\n", 1, &["error unreadable 1:4"]);
    check(
        "clusterID: c1\nserver:\n\tport: 1\n",
        1,
        &["error unreadable 3:1"],
    );
    check("c\0:\0 \0x\0\n\0", 1, &["error unreadable 0:0"]);
    let without_id = GOOD.replace("clusterID: c1\n", "mapUser: 1\n");
    check(
        &without_id,
        1,
        &["error no-cluster-id 0:0", "error unknown-key 1:1"],
    );
}

#[test]
fn one_wrong_setting_hides_no_other_finding() {
    check(
        "server:
  port: many
  stateDir: [x]
  scrubbedAccount: ['1']
  reservedPrefixConfig: [{backendMode: MountedFile, groupPrefixReserveList: [ops]}]
  userValidationRules: [{expression: '1 +', message: m}]
  globs: true
  sts: {timeout: never}
  mapRoles:
  - {roleARN: 'acs:ram::1:role/x*', username: x, groups: [ops]}
",
        1,
        &[
            "error no-cluster-id 0:0",
            "error invalid-setting 2:9",
            "error invalid-setting 3:13",
            "error invalid-setting 4:3",
            "error invalid-setting 6:38",
            "error invalid-setting 8:18",
            "info pattern-grants-anew 10:5 server.mapRoles[0]",
            "error reserved-name 10:5 server.mapRoles[0]",
        ],
    );
    // What cannot be read may map somebody.
    check(
        "clusterID: c1\nserver: {backendMode: [crd]}\n",
        1,
        &["error invalid-setting 2:24"],
    );
    check(
        "clusterID: c1\nserver: {mapRoles: 5}\n",
        1,
        &["error invalid-setting 2:20"],
    );
    check(
        "clusterID: c1\nserver: 5\n",
        1,
        &["error nobody-mapped 0:0", "error invalid-setting 2:9"],
    );
}

#[test]
fn what_is_in_the_cluster_is_not_taken_for_what_is_in_the_file() {
    check(
        "clusterID: c1
server:
  backendMode: [CRD, MountedFile]
  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: ['system:masters']}]
",
        0,
        &[
            "info file-after-dynamic 0:0",
            "info system-masters 4:14 server.mapUsers[0]",
        ],
    );
}

#[test]
fn the_text_says_what_to_do() {
    let run = lint(&format!("{GOOD}  mapRole: []\n  bind: 0.0.0.0\n"), &[]);
    assert_eq!((run.code, &*run.stderr), (Some(1), ""), "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "config.yaml:4:3: error [unknown-key] unknown key `server.mapRole` is ignored",
            "    did you mean `mapRoles`?",
        ]
    );
    assert_eq!(lines.last(), Some(&"1 error, 1 warning, 0 notes"));
    assert_eq!(lint(GOOD, &[]).printed(), "nothing found\n");
    let left_out = format!("{GOOD}  mapRoles: [{{roleARN: 'acs:ram::1:role/x'}}]\n");
    assert_eq!(
        lint(&left_out, &[])
            .stdout
            .lines()
            .take(2)
            .collect::<Vec<_>>(),
        [
            "config.yaml:4:14 server.mapRoles[0]: error [invalid-entry] the entry is left out: `username` is missing",
            "    add it",
        ]
    );
    let missing = TestFolder::new(&[]).run(&["lint", "nowhere.yaml"], &[]);
    assert_eq!(
        missing.stdout.lines().nth(1),
        Some("    name one that can be read")
    );
}

/// Programs read it: all names and their order.
#[test]
fn the_whole_of_it_as_json() {
    let run = lint(&format!("{GOOD}  mapAccounts: ['1']\n"), &["-o", "json"]);
    assert_eq!(
        run.printed(),
        r#"{
  "findings": [
    {
      "code": "whole-account",
      "severity": "info",
      "position": {
        "file": "config.yaml",
        "line": 4,
        "column": 17,
        "entry": "server.mapAccounts[0]"
      },
      "message": "every user and every role of account 1 may log in, under its own ARN and without groups",
      "advice": "map single users and roles, if that is not meant"
    }
  ],
  "errors": 0,
  "warnings": 0,
  "infos": 1
}
"#
    );
}

#[test]
fn strict_lets_warnings_fail() {
    let warned = format!("{GOOD}  bind: 0.0.0.0\n");
    let noted = format!("{GOOD}  mapAccounts: ['1']\n");
    for (yaml, more, code) in [
        (&warned, &[] as &[&str], 0),
        (&warned, &["--strict"], 1),
        (&noted, &["--strict"], 0),
    ] {
        let run = lint(yaml, more);
        assert_eq!(run.code, Some(code), "{run:?}");
    }
}

#[test]
fn several_files_and_none() {
    let folder = TestFolder::new(&[("a.yaml", GOOD), ("b.yaml", "clusterID: c1\n")]);
    let run = folder.run(&["lint", "-c", "a.yaml", "b.yaml", "nowhere.yaml"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    for line in [
        "b.yaml: error [nobody-mapped]",
        "nowhere.yaml: error [unreadable]",
    ] {
        assert!(run.stdout.contains(line), "{run:?}");
    }
    let run = folder.run(&["lint"], &[]);
    assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run:?}");
    assert!(run.stderr.contains("needs a file"), "{run:?}");
}

#[test]
fn objects_in_a_file_are_looked_at() {
    let objects = "
apiVersion: v1
kind: List
items:
- apiVersion: ramauthenticator.k8s.alibabacloud/v1alpha1
  kind: RAMIdentityMapping
  metadata: {name: bob}
  spec: {arn: 'acs:ram::1:assumed-role/r3/bob', username: bob-the-admin, groups: [g]}
- apiVersion: ramauthenticator.k8s.alibabacloud/v1alpha1
  kind: RAMIdentityMapping
  metadata: {name: ops}
  spec: {arn: '', roleID: '3', username: ops, groups: ['system:masters'], groupsExpression: '[identity.roleName]'}
";
    check(
        objects,
        1,
        &[
            "warning only-dynamic-backends 0:0",
            "error session-arn 5:3 bob",
            "info system-masters 9:3 ops",
            "error unconditional-system-group 9:3 ops",
        ],
    );
    check("kind: Pod\n", 1, &["error invalid-setting 1:1"]);
}
