//! `verify`: whose a token is, by STS's word.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

use crate::program::{CommandRun, TestFolder};

/// STS with the demonstration account, and a folder whose configuration names it.
struct Fixture {
    sts: Emulator,
    folder: TestFolder,
}

impl Fixture {
    fn start() -> Self {
        let sts = Emulator::builder().demo().start().unwrap();
        // However slow the machine is, STS answers in time.
        let config = format!(
            "clusterID: c1\nserver: {{sts: {{endpoint: '{}', caFile: sts-ca.pem, connectTimeout: 30s, timeout: 30s}}}}\n",
            sts.url()
        );
        let folder = TestFolder::new(&[("config.yaml", &config), ("sts-ca.pem", sts.ca_pem())]);
        Self { sts, folder }
    }

    fn token(&self, key: &AccessKey, cluster: &str) -> Secret {
        let cluster = ClusterId::parse(cluster).unwrap();
        sign::sign_token_v2(key, &cluster, "test", self.sts.now()).unwrap()
    }

    fn verify(&self, token: &str, more: &[&str]) -> CommandRun {
        let args = ["verify", "-c", "config.yaml", "--token", token];
        self.folder.run(&[&args, more].concat(), &[])
    }
}

#[test]
fn the_identity_is_printed() {
    let world = Fixture::start();
    let token = world.token(&demo::session_key(), "c1");
    let json = world.verify(token.expose(), &["-o", "json"]).printed();
    let identity: Value = serde_json::from_str(&json).unwrap();
    for (member, expected) in [
        ("type", "AssumedRoleUser"),
        ("arn", demo::SESSION_ARN),
        ("canonicalArn", demo::ROLE_ARN),
        ("accountId", demo::ACCOUNT),
        ("userId", demo::ROLE_ID),
        ("sessionName", demo::SESSION),
        ("accessKeyId", demo::session_key().id.as_str()),
    ] {
        assert_eq!(identity[member], expected, "{member}");
    }
    let text = world.verify(token.expose(), &[]).printed();
    for (member, value) in identity.as_object().unwrap() {
        let value = value.as_str().unwrap();
        let shown = |line: &str| line.starts_with(&format!("{member}: ")) && line.ends_with(value);
        assert!(text.lines().any(shown), "{member}: {text}");
    }
}

#[test]
fn the_token_may_come_from_standard_input() {
    let world = Fixture::start();
    let token = world.token(&demo::user_key(), "c2");
    let args = ["verify", "-c=config.yaml", "-t", "-", "--cluster-id=c2"];
    let credential = json!({"status": {"token": token.expose()}}).to_string();
    for input in [format!("{}\n", token.expose()), credential] {
        let printed = world.folder.run_with_input(&args, &[], &input).printed();
        assert!(printed.contains(demo::USER_ARN), "{printed}");
    }
    let run = world.folder.run_with_input(&args, &[], "\n");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("no token on standard input"), "{run:?}");
}

#[test]
fn a_refusal_says_why_and_shows_no_token() {
    let world = Fixture::start();
    let wrong_secret = AccessKey {
        secret: Secret::new("wrong"),
        ..demo::user_key()
    };
    let now = world.sts.now();
    let expired = |now: UnixTime| {
        let cluster = ClusterId::parse("c1").unwrap();
        sign::sign_token_v2(&demo::user_key(), &cluster, "test", now).unwrap()
    };
    for (token, says) in [
        (world.token(&wrong_secret, "c1"), "SignatureDoesNotMatch"),
        (world.token(&demo::user_key(), "c2"), "cluster"),
        (expired(now.plus_seconds(-3600)), "make a new token"),
        (Secret::new("eyJhbGciOi.CANARY"), "`k8s-ack-`"),
    ] {
        let run = world.verify(token.expose(), &[]);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
        assert!(run.stderr.starts_with("error: "), "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        assert!(!run.stderr.contains(token.expose()), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
}

#[test]
fn sts_that_cannot_be_reached_is_told() {
    let Fixture { sts, folder } = Fixture::start();
    let world = Fixture {
        sts: Emulator::builder().demo().start().unwrap(),
        folder,
    };
    drop(sts);
    let token = world.token(&demo::user_key(), "c1");
    let run = world.verify(token.expose(), &[]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    let says = "error: STS could not be reached: no connection: ";
    assert!(run.stderr.starts_with(says), "{run:?}");
}
