//! Contents of the audit file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Fault, demo};
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};

use crate::fixture::{
    SCRUBBED, audit_file, audit_metrics, objects, prepare, scrubbed_key, server_command,
};

#[tokio::test]
async fn decision_writes_line_with_user_result_and_reason() {
    let fixture = prepare();
    let server = Authenticator::start_with(server_command(&fixture)).unwrap();
    let webhook = fixture.new_webhook();
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let good = fixture.token();
    let tokens = [
        (good.clone(), None),
        (good, None),
        (Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"), None),
        (fixture.token_of(&demo::stranger_key()), None),
        (fixture.token_of(&wrong_secret), None),
        (Secret::new("k8s-ack-v2.e30="), None),
        (fixture.token_of(&scrubbed_key()), None),
        (fixture.token(), Some(Fault::CloseBeforeHeaders)),
    ];
    let count = tokens.len();
    for (token, fault) in tokens {
        fixture.sts.set_fault(fault);
        webhook.review(&token).await.unwrap();
    }
    // A token of another type has no line.
    let lines = eventually("all lines", async || {
        Some(objects(&audit_file(&fixture))).filter(|lines| lines.len() == count - 1)
    })
    .await;
    let mode = fs::metadata(audit_file(&fixture))
        .unwrap()
        .permissions()
        .mode();
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
            let is_logged = async || server.log().contains(reference);
            eventually("the reference in the log", is_logged).await;
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
    // Lines are counted after they have been written.
    wait_for_audit_metrics(&webhook, [7.0, 0.0, 0.0]).await;
}

#[tokio::test]
async fn moved_or_deleted_audit_file_is_recreated() {
    let fixture = prepare();
    let _server = Authenticator::start_with(server_command(&fixture)).unwrap();
    let webhook = fixture.new_webhook();
    let review = async || {
        let token = fixture.token();
        assert!(webhook.review(&token).await.unwrap().is_granted());
    };
    let lines = async |count| {
        let are_written = async || objects(&audit_file(&fixture)).len() == count;
        eventually("lines", are_written).await;
    };
    review().await;
    review().await;
    lines(2).await;
    let moved = fixture.path("audit.jsonl.1");
    fs::rename(audit_file(&fixture), &moved).unwrap();
    review().await;
    lines(1).await;
    assert_eq!(objects(&moved).len(), 2);
    fs::remove_file(audit_file(&fixture)).unwrap();
    review().await;
    lines(1).await;
    // Like logrotate's `copytruncate`.
    fs::write(audit_file(&fixture), "").unwrap();
    review().await;
    lines(1).await;
    wait_for_audit_metrics(&webhook, [5.0, 0.0, 0.0]).await;
}

#[tokio::test]
async fn unwritable_audit_file_does_not_delay_logins() {
    for (name, breaks, repairs) in [
        (
            "the disk is full",
            (|fixture: &Fixture| symlink("/dev/full", audit_file(fixture)).unwrap())
                as fn(&Fixture),
            (|fixture: &Fixture| fs::remove_file(audit_file(fixture)).unwrap()) as fn(&Fixture),
        ),
        (
            "it is a folder",
            |fixture| fs::create_dir(audit_file(fixture)).unwrap(),
            |fixture| fs::remove_dir(audit_file(fixture)).unwrap(),
        ),
        (
            "its folder is missing",
            |fixture| symlink("elsewhere/audit.jsonl", audit_file(fixture)).unwrap(),
            |fixture| fs::create_dir(fixture.path("elsewhere")).unwrap(),
        ),
    ] {
        let fixture = prepare();
        breaks(&fixture);
        let server = Authenticator::start_with(server_command(&fixture)).unwrap();
        let webhook = fixture.new_webhook();
        let review = async || {
            let token = fixture.token();
            let reply = webhook.review(&token).await.unwrap();
            assert!(reply.is_granted(), "{name}: {reply:?}");
        };
        for lost in 1..=3 {
            review().await;
            wait_for_audit_metrics(&webhook, [0.0, f64::from(lost), 1.0]).await;
        }
        repairs(&fixture);
        review().await;
        wait_for_audit_metrics(&webhook, [1.0, 3.0, 0.0]).await;
        assert_eq!(objects(&audit_file(&fixture)).len(), 1, "{name}");
        let log_lines = |what: &str| {
            let log = server.log();
            log.lines().filter(|line| line.contains(what)).count()
        };
        eventually(name, async || log_lines("can be written again") == 1).await;
        assert_eq!(
            log_lines("cannot write the audit file"),
            1,
            "{name}:\n{}",
            server.log()
        );
    }
}

#[tokio::test]
async fn truncated_line_leaves_other_lines_intact() {
    let fixture = prepare();
    // The shell ignores SIGXFSZ, so the server gets an error instead of a signal when a file grows too long.
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let server = server_command(&fixture);
    limited.arg(server.get_program()).args(server.get_args());
    limited.env_clear().env("HOME", fixture.folder());
    limited.current_dir(fixture.folder());
    let server = Authenticator::start_with(limited).unwrap();
    let webhook = fixture.new_webhook();
    let limit = |bytes: &str| {
        let pid = server.pid().to_string();
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]);
        assert!(prlimit.status().unwrap().success());
    };
    let review = async || {
        let token = fixture.token();
        assert!(webhook.review(&token).await.unwrap().is_granted());
    };
    review().await;
    wait_for_audit_metrics(&webhook, [1.0, 0.0, 0.0]).await;
    let length = fs::metadata(audit_file(&fixture)).unwrap().len();
    limit(&(length + 10).to_string());
    review().await;
    wait_for_audit_metrics(&webhook, [1.0, 1.0, 1.0]).await;
    limit("unlimited");
    review().await;
    wait_for_audit_metrics(&webhook, [2.0, 1.0, 0.0]).await;
    let text = fs::read_to_string(audit_file(&fixture)).unwrap();
    let are_complete = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).is_ok());
    assert_eq!(Vec::from_iter(are_complete), [true, false, true], "{text}");
}

/// Waits until the audit metrics are `expected`.
async fn wait_for_audit_metrics(webhook: &WebhookClient, expected: [f64; 3]) {
    eventually("the audit metrics", async || {
        match audit_metrics(webhook).await {
            found if found == expected => Ok(()),
            found => Err(format!("{found:?}, not {expected:?}")),
        }
    })
    .await;
}
