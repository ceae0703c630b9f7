//! `diff`: whose access changes between two configurations.

use super::Transcript;
use crate::program::TestFolder;

const OLD: &str = "clusterID: c1
server:
  scrubbedAccounts: ['3']
  mapUsers:
  - {userARN: 'acs:ram::1:user/a', username: a, groups: [x, y]}
  - {userARN: 'acs:ram::1:user/b', username: b}
  - {userARN: 'acs:ram::1:user/c', username: c}
  mapRules:
  - {arn: 'acs:ram::1:role/r*', username: r}
  mapAccounts: ['3', '4']
";

const NEW: &str = "clusterID: c1
server:
  scrubbedAccounts: ['4']
  mapUsers:
  - {userARN: 'acs:ram::1:user/c', username: new}
  - {userARN: 'acs:ram::1:user/d', username: d, groups: [g]}
  mapRules:
  - {match: 'identity.userName == \"a\"', username: a, groups: [y, x]}
  - {arn: 'acs:ram::1:role/r*', username: r, groups: [g]}
  mapAccounts: ['2', '3']
";

#[test]
fn diff_prints_changed_access() {
    let left_out = OLD.replace("acs:ram::1:user/b", "acs:ram:1:user/b");
    let files = [
        ("old.yaml", OLD),
        ("new.yaml", NEW),
        ("left-out.yaml", &left_out),
        ("no-mappings.yaml", "clusterID: c1\n"),
        ("bad.yaml", "a: [\n"),
    ];
    let folder = TestFolder::new(&files);
    let mut transcript = Transcript::new();
    for (name, text) in files {
        transcript.file(name, text);
    }
    for args in [
        &["old.yaml", "new.yaml"][..],
        &["new.yaml", "old.yaml"],
        &["old.yaml", "no-mappings.yaml"],
        &["old.yaml", "left-out.yaml"],
        &["old.yaml", "old.yaml"],
        &["old.yaml", "new.yaml", "-o", "json"],
        &["old.yaml", "old.yaml", "-o", "json"],
        &["bad.yaml", "old.yaml"],
        &["old.yaml", "nowhere.yaml"],
        &["old.yaml", "bad.yaml", "-o", "json"],
    ] {
        transcript.run(&folder, &[&["diff"], args].concat(), &[]);
    }
    transcript.check("diff");
}
