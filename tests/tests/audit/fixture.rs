//! A server with an audit file, its STS, and a client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
pub(crate) use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};

pub(crate) const SCRUBBED: &str = "9999999999999999";

/// Prepares a server with an audit file without starting the server.
pub(crate) fn prepare() -> Fixture {
    let sts = Emulator::builder().demo();
    let sts = sts.user(SCRUBBED, "carol", "400000000000000001", scrubbed_key());
    let folder = tempfile::tempdir().unwrap();
    // Long lines, so that few of them fill the log.
    let groups: Vec<String> = (0..100).map(|n| format!("{n:0>40}")).collect();
    let settings = json!({
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops"] }],
        "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "many", "groups": groups }],
        "mapAccounts": [SCRUBBED],
        "scrubbedAccounts": [SCRUBBED],
        "audit": { "file": folder.path().join("audit.jsonl") },
    });
    let builder = Fixture::builder().folder(folder).sts(sts.start().unwrap());
    builder.settings(&settings).prepare()
}

/// Returns the command that starts the server.
pub(crate) fn server_command(fixture: &Fixture) -> Command {
    fixture.command(&["server", "-c", "config.yaml", "-l", "json"])
}

/// Returns the path of the audit file.
pub(crate) fn audit_file(fixture: &Fixture) -> PathBuf {
    fixture.path("audit.jsonl")
}

/// Returns the access key of a user whose account is scrubbed.
pub(crate) fn scrubbed_key() -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("LTAI5tDemoCarol0000001").unwrap(),
        secret: Secret::new("DemoCarolSecret00000000000001"),
        security_token: None,
    }
}

/// Returns the objects in the complete lines of a file. An unfinished last line is ignored.
pub(crate) fn objects(path: &Path) -> Vec<Value> {
    let mut text = fs::read_to_string(path).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    let object =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(object).collect()
}

/// Returns the numbers of written and lost audit lines, and whether the file has trouble (1 or 0).
pub(crate) async fn audit_metrics(webhook: &WebhookClient) -> [f64; 3] {
    let metrics = webhook.metrics().await;
    let lines = |result| {
        metrics.value(
            "ack_ram_authenticator_audit_lines_total",
            &[("result", result)],
        )
    };
    let trouble = metrics.value("ack_ram_authenticator_audit_trouble", &[]);
    [lines("written"), lines("lost"), trouble].map(Option::unwrap)
}
