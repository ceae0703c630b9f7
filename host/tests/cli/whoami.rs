//! `whoami`: who one is for STS, and who one would be in a cluster.

use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::Value;

use crate::program::{CommandRun, TestFolder};

/// An STS emulator without TLS, and a folder with the profiles of a CLI.
pub(crate) struct LoginFixture {
    pub(crate) sts: Emulator,
    pub(crate) folder: TestFolder,
}

/// Profiles with the key `LTAI5tFakeAccessKeyId001` of the demo user.
pub(crate) const PROFILES: &str = r#"{"current": "role", "profiles": [
  {"name": "key", "mode": "AK", "access_key_id": "<id>", "access_key_secret": "<secret>"},
  {"name": "role", "mode": "ChainableRamRoleArn", "source_profile": "key",
   "ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "alice"}]}
"#;

/// A configuration that grants access to the demo user.
pub(crate) const CONFIG: &str = "\
clusterID: c1
server:
  mapUsers: [{userARN: 'acs:ram::1234567890123456:user/alice', username: alice, groups: [dev]}]
";

impl LoginFixture {
    pub(crate) fn start() -> Self {
        let sts = Emulator::builder().demo().plain_http().start().unwrap();
        let key = demo::user_key();
        let profiles = PROFILES
            .replace("<id>", key.id.as_str())
            .replace("<secret>", key.secret.expose());
        let folder = TestFolder::new(&[("profiles.json", &profiles), ("config.yaml", CONFIG)]);
        folder.set_mode("profiles.json", 0o600);
        Self { sts, folder }
    }

    /// Runs the program with the profile `profile`.
    pub(crate) fn run(&self, args: &[&str], profile: &str) -> CommandRun {
        let url = self.sts.url();
        let options = [
            "--profile-file",
            "profiles.json",
            "--profile-name",
            profile,
            "--sts-endpoint",
            &url,
        ];
        self.folder.run(&[args, &options].concat(), &[])
    }
}

#[test]
fn whoami_prints_identity_source_and_end() {
    let fixture = LoginFixture::start();
    for (profile, arn, expires) in [
        ("key", demo::USER_ARN, false),
        (
            "role",
            "acs:ram::1234567890123456:assumed-role/dev/alice",
            true,
        ),
    ] {
        let printed = fixture.run(&["whoami", "-o", "json"], profile).printed();
        let answer: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(answer["identity"]["arn"], arn, "{printed}");
        assert_eq!(answer["expires"].is_string(), expires, "{printed}");
        assert_eq!(answer.get("mapping"), None, "{printed}");
        let steps = answer["source"].as_array().unwrap();
        assert_eq!(steps.len(), if expires { 2 } else { 1 }, "{printed}");
    }
}

#[test]
fn whoami_with_configuration_prints_user_or_denial() {
    let fixture = LoginFixture::start();
    for (profile, code, exit) in [("key", "granted", 0), ("role", "not_mapped", 1)] {
        for format in ["text", "json"] {
            let args = ["whoami", "-c", "config.yaml", "-o", format];
            let run = fixture.run(&args, profile);
            assert_eq!(run.code, Some(exit), "{run:?}");
            assert_eq!(run.stderr, "", "{run:?}");
            if format == "json" {
                let answer: Value = serde_json::from_str(&run.stdout).unwrap();
                assert_eq!(answer["mapping"]["code"], code, "{run:?}");
                assert_eq!(answer["mapping"]["user"].is_object(), exit == 0, "{run:?}");
            }
        }
    }
}

#[test]
fn whoami_without_identity_exits_with_1_and_prints_nothing() {
    let fixture = LoginFixture::start();
    let key = demo::user_key();
    fixture.sts.disable_key(&key.id);
    let run = fixture.run(&["whoami"], "key");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(
        run.stderr.contains("InvalidAccessKeyId") && run.stderr.contains("\n  help: "),
        "{run:?}"
    );
    let run = fixture.folder.run(&["whoami"], &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    let run = fixture.run(&["whoami", "--role-arn", "x"], "key");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
}

#[test]
fn throttled_identity_call_is_made_again() {
    let fixture = LoginFixture::start();
    fixture.sts.fault_next(1, Fault::ThrottleUser);
    fixture.run(&["whoami"], "key").printed();
    assert_eq!(fixture.sts.requests().len(), 2);
}
