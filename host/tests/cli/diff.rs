//! `diff`: what changes for whom between two configurations.

use serde_json::{Value, json};

use crate::program::{CommandRun, TestFolder};

fn config(server: &str) -> String {
    format!("clusterID: c1\nserver:\n{server}")
}

const OLD: &str = "  mapUsers:
  - {userARN: 'acs:ram::1:user/a', username: a, groups: [x, y]}
  - {userARN: 'acs:ram::1:user/b', username: b}
  - {userARN: 'acs:ram::1:user/c', username: c}
  mapRules:
  - {arn: 'acs:ram::1:role/r*', username: r}
";

const NEW: &str = "  mapUsers:
  - {userARN: 'acs:ram::1:user/c', username: new}
  - {userARN: 'acs:ram::1:user/d', username: d, groups: [g]}
  mapRules:
  - {match: 'identity.userName == \"a\"', username: a, groups: [y, x]}
  - {arn: 'acs:ram::1:role/r*', username: r, groups: [g]}
  mapAccounts: ['2']
";

fn diff(old: &str, new: &str, more: &[&str]) -> CommandRun {
    let folder = TestFolder::new(&[("old.yaml", &config(old)), ("new.yaml", &config(new))]);
    folder.run(&[&["diff", "old.yaml", "new.yaml"], more].concat(), &[])
}

#[test]
fn nothing_changes() {
    assert_eq!(
        diff(OLD, OLD, &[]).printed(),
        "nothing changes for anybody\n"
    );
    let json = diff(OLD, OLD, &["-o", "json"]).printed();
    let told: Value = serde_json::from_str(&json).unwrap();
    let none = json!({"identities": [], "rules": [], "accounts": [], "scrubbedAccounts": []});
    assert_eq!(told, none);
}

#[test]
fn changes_are_told_for_each() {
    let run = diff(OLD, NEW, &[]);
    assert_eq!((run.code, &*run.stderr), (Some(1), ""), "{run:?}");
    assert_eq!(
        run.stdout,
        "\
identities
  - acs:ram::1:user/b
      before  b, no groups
  ~ acs:ram::1:user/c
      before  c, no groups
      after   new, no groups
  + acs:ram::1:user/d
      after   d, in g

patterns, ids and conditions, as written
  ~ acs:ram::1:role/r*
      before  r, no groups
      after   r, in g
  + whoever meets the condition
      after   a, in x, y, if `identity.userName == \"a\"`

whole accounts
  + 2
      after   all may log in
"
    );
    let run = diff(OLD, NEW, &["-o", "json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        told["identities"][1],
        json!({
            "subject": "acs:ram::1:user/c",
            "change": "changed",
            "before": {"username": "c", "groups": []},
            "after": {"username": "new", "groups": []},
        })
    );
    assert_eq!(
        told["accounts"],
        json!([{"subject": "2", "change": "added", "after": "2"}])
    );
}

#[test]
fn entries_that_are_left_out_are_gone_with_a_word() {
    let broken = OLD.replace("acs:ram::1:user/b", "acs:ram:1:user/b");
    let run = diff(OLD, &broken, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("- acs:ram::1:user/b"), "{run:?}");
    assert!(
        run.stderr.contains("server.mapUsers[1] is left out"),
        "{run:?}"
    );
}

#[test]
fn trouble_is_no_difference() {
    let folder = TestFolder::new(&[("a.yaml", &config(OLD)), ("bad.yaml", "a: [\n")]);
    for (args, says) in [
        (
            &["diff", "a.yaml", "nowhere.yaml"] as &[&str],
            "nowhere.yaml",
        ),
        (&["diff", "bad.yaml", "a.yaml"], "bad.yaml"),
        (&["diff", "a.yaml"], "NEW"),
    ] {
        let run = folder.run(args, &[]);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{args:?}: {run:?}");
        assert!(run.stderr.contains(says), "{args:?}: {run:?}");
    }
}
