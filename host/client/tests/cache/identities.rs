//! Commands of different identities, which never share a key, and of one identity, which do.

use std::fs;

use crate::fixture::{Fixture, LIFETIME, START, key, secret};
use crate::process::ClientSetup;

fn write_profile(fixture: &Fixture, profile: &str) {
    let path = fixture.home().join(".aliyun/config.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = format!(r#"{{"current": "p", "profiles": [{{"name": "p", {profile}}}]}}"#);
    fs::write(path, text).unwrap();
}

fn sts() -> Fixture {
    Fixture::new(|call| {
        let key = key(call.number, START);
        (
            200,
            format!(r#"{{"RequestId": "1", "Credentials": {{{key}}}}}"#),
        )
    })
}

/// Returns the members of the role and of its session.
fn role(fixture: &Fixture, session: &str) -> String {
    format!(
        r#""ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "{session}",
           "sts_endpoint": "http://127.0.0.1:{}""#,
        fixture.server.port
    )
}

#[test]
fn replaced_secret_and_other_session_have_keys_of_their_own() {
    let fixture = sts();
    let client = fixture.client_without_source(START);
    // The keys of the first two calls are used again.
    for (secret_of_user, session, expected) in [
        ("FakeUserSecret1", "alice", 1),
        ("FakeUserSecret1", "alice", 1),
        ("FakeUserSecret2", "alice", 2),
        ("FakeUserSecret2", "bob", 3),
        ("FakeUserSecret1", "alice", 1),
        ("FakeUserSecret2", "alice", 2),
    ] {
        let role = role(&fixture, session);
        let profile = format!(
            r#""mode": "RamRoleArn", "access_key_id": "LTAI5tFakeAccessKeyId001",
               "access_key_secret": "{secret_of_user}", {role}"#
        );
        write_profile(&fixture, &profile);
        assert_eq!(client.run(), secret(expected), "{secret_of_user} {session}");
    }
}

#[test]
fn replaced_oidc_token_has_a_key_of_its_own() {
    let fixture = sts();
    let client = fixture.client_without_source(START);
    let token = fixture.home().join("token");
    let role = role(&fixture, "alice");
    let profile = format!(
        r#""mode": "OIDC", "oidc_provider_arn": "acs:ram::1234567890123456:oidc-provider/a",
           "oidc_token_file": "{}", {role}"#,
        token.display()
    );
    write_profile(&fixture, &profile);
    for (content, expected) in [
        ("FakeOidcToken1", 1),
        ("FakeOidcToken1\n", 1),
        ("FakeOidcToken2", 2),
    ] {
        fs::write(&token, content).unwrap();
        assert_eq!(client.run(), secret(expected), "{content}");
    }
}

#[test]
fn process_runs_again_for_another_environment_cluster_or_folder() {
    let fixture = Fixture::new(|_| (404, String::new()));
    let script = fixture.home().join("get-key");
    let end = START.plus_seconds(LIFETIME).seconds();
    // The script uses no program, because there is no `PATH`.
    let text = format!(
        r#"echo >> "$0.calls"
calls=0
while read -r _; do calls=$((calls + 1)); done < "$0.calls"
echo '{{"mode": "StsToken", "access_key_id": "STS.FakeAccessKeyId001", "access_key_secret": "FakeSecret'$calls'",
"sts_token": "FakeToken1", "sts_expiration": {end}}}'
"#
    );
    fs::write(&script, text).unwrap();
    let command = format!("/bin/sh {}", script.display());
    write_profile(
        &fixture,
        &format!(r#""mode": "External", "process_command": "{command}""#),
    );
    let client = fixture.client_without_source(START);
    let with = |name: &str, value: &str| -> ClientSetup { client.clone().variable(name, value) };
    for (client, expected) in [
        (client.clone(), 1),
        (with("TERM", "dumb"), 1),
        (with("VAULT_TOKEN", "FakeToken2"), 2),
        (with("PWD", "/other"), 3),
        (client.clone().in_folder(fixture.home()), 4),
        // The process can print another key for another cluster.
        (with("KUBECONFIG", "/other"), 5),
        (
            with("KUBERNETES_EXEC_INFO", r#"{"kind": "ExecCredential"}"#),
            6,
        ),
        (client.clone(), 1),
    ] {
        assert_eq!(client.run(), secret(expected));
    }
}

#[test]
fn process_in_a_process_in_a_process_is_refused() {
    let fixture = Fixture::new(|_| (404, String::new()));
    write_profile(
        &fixture,
        r#""mode": "External", "process_command": "/bin/sh -c 'exit 1'""#,
    );
    let client = fixture
        .client_without_source(START)
        .variable("ACK_RAM_AUTHENTICATOR_PROCESS_DEPTH", "3");
    let error = client.run().unwrap_err();
    assert!(error.contains("has called this client"), "{error}");
}

#[test]
fn key_without_an_end_is_not_stored() {
    let fixture = Fixture::new(|call| {
        let number = call.number;
        let key = format!(
            r#"{{"AccessKeyId": "LTAI5tFakeAccessKeyId001", "AccessKeySecret": "FakeSecret{number}"}}"#
        );
        (200, key)
    });
    let client = fixture.client(START);
    for call in 1..=2 {
        assert_eq!(client.run(), secret(call));
    }
    assert!(fixture.cache_files(".json").is_empty());
}
