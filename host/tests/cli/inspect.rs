//! `inspect`: the contents and offline checks of a token.

use ack_ram_authenticator::clock;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::program::{CommandRun, TestFolder};

/// Signs a token with a temporary key for the cluster `c1`, `age` seconds ago.
fn token(age: i64) -> String {
    let key = AccessKey {
        security_token: Some(Secret::new("CANARY-SECURITY-TOKEN")),
        ..demo::session_key()
    };
    let cluster = ClusterId::parse("c1").unwrap();
    let token =
        sign::sign_token_v2(&key, &cluster, "test", clock::now().plus_seconds(-age)).unwrap();
    token.expose().to_owned()
}

fn inspect(token: &str, more: &[&str]) -> CommandRun {
    let folder = TestFolder::new(&[(
        "config.yaml",
        "clusterID: c2\nserver: {maxTokenBytes: 1024}\n",
    )]);
    folder.run(&[&["inspect", token], more].concat(), &[])
}

#[test]
fn valid_token_is_shown_without_secrets() {
    let token = token(60);
    for more in [&[] as &[&str], &["-i", "c1"], &["-o", "json"]] {
        let page = inspect(&token, more).printed();
        for expected in [
            demo::session_key().id.as_str(),
            "c1",
            "x-acs-date",
            "emporary",
            "POST",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        let signature = demo::session_key().secret;
        for secret in ["CANARY", "Signature=", &token, signature.expose(), "\u{1b}"] {
            assert!(!page.contains(secret), "{secret}: {page}");
        }
    }
}

#[test]
fn inspect_lists_every_check() {
    let fresh = token(0);
    let old = token(7200);
    let statuses = |run: &CommandRun| -> Vec<String> {
        let inspection: Value = serde_json::from_str(&run.stdout).unwrap();
        let checks = inspection["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["status"] != "passed")
            .map(|check| format!("{} {}", check["name"], check["status"]).replace('"', ""))
            .collect()
    };
    for (token, more, code, expected) in [
        (
            &fresh,
            &["-i", "c1"] as &[&str],
            0,
            &["sts notChecked"] as &[&str],
        ),
        (&fresh, &[], 0, &["cluster notChecked", "sts notChecked"]),
        (
            &fresh,
            &["-i", "c2"],
            1,
            &["cluster failed", "sts notChecked"],
        ),
        (
            &fresh,
            &["-c", "config.yaml"],
            1,
            &["cluster failed", "sts notChecked"],
        ),
        (
            &old,
            &["-c", "config.yaml"],
            1,
            &["cluster failed", "freshness failed", "sts notChecked"],
        ),
        (&"eyJhbGciOi.e30.x".to_owned(), &[], 1, &["prefix failed"]),
        (
            &"k8s-ack-v1.AAAA".to_owned(),
            &[],
            1,
            &[
                "version failed",
                "contents failed",
                "cluster notChecked",
                "query notChecked",
                "signature notChecked",
                "freshness notChecked",
                "sts notChecked",
            ],
        ),
    ] {
        let run = inspect(token, &[&["-o", "json"], more].concat());
        assert_eq!((run.code, &*run.stderr), (Some(code), ""), "{run:?}");
        assert_eq!(statuses(&run), expected, "{more:?}: {run:?}");
        let text = inspect(token, more);
        assert_eq!(text.code, Some(code), "{text:?}");
        assert_eq!(
            text.stdout.contains("would be refused"),
            code == 1,
            "{text:?}"
        );
    }
}

#[test]
fn inspect_reads_token_from_standard_input() {
    let folder = TestFolder::new(&[]);
    let bare = format!("{}\n", token(0));
    let credential = json!({"kind": "ExecCredential", "status": {"token": token(0)}});
    let credential = format!("{credential:#}\n");
    for args in [
        &["inspect"] as &[&str],
        &["inspect", "-"],
        &["inspect", "-t", "-"],
        &["inspect", "--token=-"],
    ] {
        for input in [&bare, &credential] {
            let page = folder.run_with_input(args, &[], input).printed();
            assert!(page.starts_with("a token v2"), "{page}");
        }
        let run = folder.run_with_input(args, &[], " \n");
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains("no token on standard input"), "{run:?}");
    }
}

#[test]
fn inspect_accepts_argument_option_and_exec_credential() {
    let token = token(0);
    let credential = json!({"kind": "ExecCredential", "status": {"token": token}}).to_string();
    let expected = inspect(&token, &["-o", "json"]).printed();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(
        expected["reference"],
        Fingerprint::from_text(&token).to_string()
    );
    for args in [
        [&*credential].as_slice(),
        &["--token", &token],
        &["-t", &credential],
    ] {
        let args = [&["inspect", "-o", "json"], args].concat();
        let run = TestFolder::new(&[]).run(&args, &[]).printed();
        let found: Value = serde_json::from_str(&run).unwrap();
        assert_eq!(found["reference"], expected["reference"]);
    }
}

#[test]
fn wrong_usage_shows_no_token() {
    let token = token(0);
    let run = inspect(&token, &[&token]);
    assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run:?}");
    assert!(!run.stderr.contains(&token), "{run:?}");
    let run = inspect(&token, &["-i", ""]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("a cluster ID is required"), "{run:?}");
}
