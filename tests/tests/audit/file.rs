//! What is in the audit file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::sts::{Fault, demo};
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};

use crate::fixture::{
    Fixture, SCRUBBED, SOON, audit_metrics, eventually, is_granted, objects, scrubbed_key,
};

#[tokio::test]
async fn a_decision_is_a_line_that_names_who_what_and_why() {
    let fixture = Fixture::new();
    let server = Authenticator::start_with(fixture.server()).unwrap();
    let webhook = fixture.webhook();
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let good = fixture.token(&demo::user_key());
    let tokens = [
        (good.clone(), None),
        (good, None),
        (Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"), None),
        (fixture.token(&demo::stranger_key()), None),
        (fixture.token(&wrong_secret), None),
        (Secret::new("k8s-ack-v2.e30="), None),
        (fixture.token(&scrubbed_key()), None),
        (
            fixture.token(&demo::user_key()),
            Some(Fault::CloseBeforeHeaders),
        ),
    ];
    let count = tokens.len();
    for (token, fault) in tokens {
        fixture.sts.set_fault(fault);
        webhook.review(&token).await.unwrap();
    }
    // What is not our token is about nobody.
    let lines = eventually("all lines", || {
        Some(objects(&fixture.audit)).filter(|lines| lines.len() == count - 1)
    })
    .await;
    let mode = fs::metadata(&fixture.audit).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (line, (decision, result, fields)) in lines.iter().zip([
        (
            "granted",
            "granted",
            "cache identity matched reference user",
        ),
        (
            "granted",
            "granted",
            "cache identity matched reference user",
        ),
        ("denied", "not_mapped", "cache identity reason reference"),
        ("denied", "sts_refused", "cache reason reference"),
        ("denied", "token_missing_field", "reason reference"),
        ("granted", "granted", "scrubbed"),
        ("unable", "sts_unreachable", "cache cause reason reference"),
    ]) {
        assert_eq!(line["decision"], decision, "{line}");
        assert_eq!(line["result"], result, "{line}");
        assert!(line["milliseconds"].is_number(), "{line}");
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        let always = ["decision", "milliseconds", "result", "time"];
        let expected: BTreeSet<&str> = fields.split(' ').chain(always).collect();
        let present = line.as_object().unwrap().keys().map(String::as_str);
        assert_eq!(present.collect::<BTreeSet<&str>>(), expected, "{line}");
    }
    let granted = &lines[0];
    assert_eq!(
        granted["user"],
        json!({
            "username": "alice",
            "uid": format!("ack-ram-authenticator:{}:{}", demo::ACCOUNT, demo::USER_ID),
            "groups": ["dev", "ops"],
        })
    );
    assert_eq!(
        granted["matched"],
        json!({ "backend": "MountedFile", "position": "server.mapUsers[0]" })
    );
    assert_eq!(
        granted["identity"],
        json!({
            "type": "RAMUser",
            "arn": demo::USER_ARN,
            "canonicalArn": demo::USER_ARN,
            "accountId": demo::ACCOUNT,
            "userId": demo::USER_ID,
            "sessionName": "",
            "accessKeyId": "LTAI5tDemoAlice0000001",
        })
    );
    let caches = lines[..2].iter().map(|line| &line["cache"]);
    assert_eq!(Vec::from_iter(caches), ["miss", "hit"]);
    assert_eq!(granted["reference"], lines[1]["reference"]);
    for line in &lines {
        let text = line.to_string();
        if let Some(reference) = line["reference"].as_str() {
            let in_log = || server.log().contains(reference).then_some(());
            eventually("the reference in the log", in_log).await;
        }
        assert!(
            !text.contains(SCRUBBED) && !text.contains("carol"),
            "{text}"
        );
        assert!(!text.contains("k8s-ack-v2"), "{text}");
    }
    let log = server.log();
    for private in [SCRUBBED, "carol", "Carol"] {
        assert!(!log.contains(private), "{private} is in the log:\n{log}");
    }
    // Lines are counted when they have been written.
    until(&webhook, [7.0, 0.0, 0.0]).await;
}

#[tokio::test]
async fn a_file_that_is_moved_away_or_deleted_is_made_anew() {
    let fixture = Fixture::new();
    let _server = Authenticator::start_with(fixture.server()).unwrap();
    let webhook = fixture.webhook();
    let review = async || {
        let token = fixture.token(&demo::user_key());
        assert!(is_granted(&webhook.review(&token).await.unwrap()));
    };
    let lines = |count| {
        let is_there = move |lines: &Vec<Value>| lines.len() == count;
        let path = &fixture.audit;
        eventually("lines", move || Some(objects(path)).filter(is_there))
    };
    review().await;
    review().await;
    lines(2).await;
    let moved = fixture.folder.path().join("audit.jsonl.1");
    fs::rename(&fixture.audit, &moved).unwrap();
    review().await;
    lines(1).await;
    assert_eq!(objects(&moved).len(), 2);
    fs::remove_file(&fixture.audit).unwrap();
    review().await;
    lines(1).await;
    // As logrotate's `copytruncate` does.
    fs::write(&fixture.audit, "").unwrap();
    review().await;
    lines(1).await;
    until(&webhook, [5.0, 0.0, 0.0]).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_holds_up_no_login() {
    for (name, breaks, repairs) in [
        (
            "the disk is full",
            (|fixture: &Fixture| symlink("/dev/full", &fixture.audit).unwrap()) as fn(&Fixture),
            (|fixture: &Fixture| fs::remove_file(&fixture.audit).unwrap()) as fn(&Fixture),
        ),
        (
            "it is a folder",
            |fixture| fs::create_dir(&fixture.audit).unwrap(),
            |fixture| fs::remove_dir(&fixture.audit).unwrap(),
        ),
        (
            "its folder is not there",
            |fixture| symlink("elsewhere/audit.jsonl", &fixture.audit).unwrap(),
            |fixture| fs::create_dir(fixture.folder.path().join("elsewhere")).unwrap(),
        ),
    ] {
        let fixture = Fixture::new();
        breaks(&fixture);
        let server = Authenticator::start_with(fixture.server()).unwrap();
        let webhook = fixture.webhook();
        let review = async || {
            let token = fixture.token(&demo::user_key());
            let reply = webhook.review(&token).await.unwrap();
            assert!(is_granted(&reply), "{name}: {reply:?}");
        };
        for lost in 1..=3 {
            review().await;
            until(&webhook, [0.0, f64::from(lost), 1.0]).await;
        }
        repairs(&fixture);
        review().await;
        until(&webhook, [1.0, 3.0, 0.0]).await;
        assert_eq!(objects(&fixture.audit).len(), 1, "{name}");
        let told = |what: &str| {
            let log = server.log();
            log.lines().filter(|line| line.contains(what)).count()
        };
        eventually(name, || (told("is written again") == 1).then_some(())).await;
        assert_eq!(told("cannot be written"), 1, "{name}:\n{}", server.log());
    }
}

#[tokio::test]
async fn what_breaks_off_in_the_middle_of_a_line_spoils_no_other() {
    let fixture = Fixture::new();
    // The shell has the server get an error in place of a signal when a file grows too long.
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let server = fixture.server();
    limited.arg(server.get_program()).args(server.get_args());
    limited.env_clear().env("HOME", fixture.folder.path());
    limited.current_dir(fixture.folder.path());
    let server = Authenticator::start_with(limited).unwrap();
    let webhook = fixture.webhook();
    let limit = |bytes: &str| {
        let pid = server.pid().to_string();
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]);
        assert!(prlimit.status().unwrap().success());
    };
    let review = async || {
        let token = fixture.token(&demo::user_key());
        assert!(is_granted(&webhook.review(&token).await.unwrap()));
    };
    review().await;
    until(&webhook, [1.0, 0.0, 0.0]).await;
    let length = fs::metadata(&fixture.audit).unwrap().len();
    limit(&(length + 10).to_string());
    review().await;
    until(&webhook, [1.0, 1.0, 1.0]).await;
    limit("unlimited");
    review().await;
    until(&webhook, [2.0, 1.0, 0.0]).await;
    let text = fs::read_to_string(&fixture.audit).unwrap();
    let whole = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).is_ok());
    assert_eq!(Vec::from_iter(whole), [true, false, true], "{text}");
}

/// Waits until the audit's metrics are these.
async fn until(webhook: &WebhookClient, wanted: [f64; 3]) {
    let deadline = Instant::now() + SOON;
    loop {
        let seen = audit_metrics(webhook).await;
        if seen == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{seen:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
