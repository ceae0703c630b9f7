//! Sessions in the file of the CLI, with and without a role after them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nix::unistd::Uid;

use crate::fixture::{Fixture, LIFETIME, START, key, secret};
use crate::process::{ClientProcess, ClientSetup};
use crate::server::{Call, Reply};

const PROCESSES: usize = 50;

/// Issues keys of CloudSSO and of STS.
fn issue(call: &Call) -> Reply {
    let key = key(call.number, START);
    match &*call.path {
        "/cloud-credentials" => (
            200,
            format!(r#"{{"CloudCredential": {{{key}}}, "RequestId": "1"}}"#),
        ),
        _ => (
            200,
            format!(r#"{{"RequestId": "1", "Credentials": {{{key}}}}}"#),
        ),
    }
}

fn write_config(fixture: &Fixture, access_token: &str) -> PathBuf {
    let path = fixture.home().join(".aliyun/config.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let port = fixture.server.port;
    let end = START.plus_seconds(86_400).seconds();
    let text = format!(
        r#"{{
	"current": "role",
	"profiles": [
		{{
			"name": "sso",
			"mode": "CloudSSO",
			"cloud_sso_sign_in_url": "http://127.0.0.1:{port}/login",
			"cloud_sso_account_id": "1234567890123456",
			"cloud_sso_access_config": "ac-1",
			"access_token": "{access_token}",
			"cloud_sso_access_token_expire": {end},
			"unknown": 1.50
		}},
		{{
			"name": "role",
			"mode": "ChainableRamRoleArn",
			"source_profile": "sso",
			"ram_role_arn": "acs:ram::1234567890123456:role/dev",
			"ram_session_name": "alice",
			"sts_endpoint": "http://127.0.0.1:{port}"
		}}
	]
}}
"#
    );
    fs::write(&path, text).unwrap();
    path
}

fn client_of(fixture: &Fixture, profile: &str) -> ClientSetup {
    fixture
        .client_without_source(START)
        .variable("ALIBABA_CLOUD_PROFILE", profile)
}

#[test]
fn fifty_processes_renew_a_session_once() {
    for has_cache in [true, false] {
        let (fixture, gate) = Fixture::with_gate(1, issue);
        let config = write_config(&fixture, "FakeAccess1");
        let mut client = client_of(&fixture, "sso");
        if !has_cache {
            client = client.variable("ACK_RAM_AUTHENTICATOR_CACHE_DIR", "/proc/1/nothing");
        }
        let processes: Vec<ClientProcess> = (0..PROCESSES).map(|_| client.start()).collect();
        fixture.server.wait_for_call(1);
        gate.add();
        for process in processes {
            assert_eq!(process.finish(), secret(1));
        }
        assert_eq!(fixture.server.calls(), 1);
        let text = fs::read_to_string(&config).unwrap();
        assert!(
            text.contains("\"access_key_secret\": \"FakeSecret1\""),
            "{text}"
        );
        assert!(text.contains("\"unknown\": 1.50"), "{text}");
        // The file of the CLI is the only place of the key.
        assert!(fixture.cache_files(".json").is_empty());
    }
}

#[test]
fn fifty_processes_assume_the_role_of_a_session_once() {
    let (fixture, gate) = Fixture::with_gate(1, issue);
    write_config(&fixture, "FakeAccess1");
    let client = client_of(&fixture, "role");
    let processes: Vec<ClientProcess> = (0..PROCESSES).map(|_| client.start()).collect();
    fixture.server.wait_for_call(1);
    gate.add();
    for process in processes {
        assert_eq!(process.finish(), secret(2));
    }
    assert_eq!(client.run(), secret(2));
    assert_eq!(fixture.server.calls(), 2);
}

#[test]
fn session_is_renewed_after_the_holder_of_the_lock_is_killed() {
    let (fixture, _closed) = Fixture::with_gate(1, issue);
    write_config(&fixture, "FakeAccess1");
    let client = client_of(&fixture, "role");
    let holder = client.start();
    fixture.server.wait_for_call(1);
    let waiting = client.start();
    holder.kill();
    assert_eq!(waiting.finish(), secret(3));
    assert_eq!(fixture.server.calls(), 3);
}

#[test]
fn process_killed_while_it_writes_leaves_the_file() {
    let fixture = Fixture::new(issue);
    let path = write_config(&fixture, "FakeAccess1");
    let text = fs::read_to_string(&path).unwrap();
    let client = client_of(&fixture, "sso");
    client.clone().killed_at_write().start().wait_for_signal();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(client.run(), secret(2));
    assert_eq!(client.run(), secret(2));
    assert_eq!(fixture.server.calls(), 2);
}

#[test]
fn key_of_a_replaced_session_is_not_used() {
    let fixture = Fixture::new(issue);
    write_config(&fixture, "FakeAccess1");
    let client = client_of(&fixture, "role");
    assert_eq!(client.run(), secret(2));
    // Another person signs in.
    write_config(&fixture, "FakeAccess2");
    assert_eq!(client.run(), secret(4));
    assert_eq!(client.run(), secret(4));
    assert_eq!(fixture.server.calls(), 4);
}

#[test]
fn revoked_session_is_refused_once_in_five_seconds() {
    let fixture = Fixture::new(|_| (401, r#"{"ErrorCode": "InvalidToken"}"#.to_owned()));
    write_config(&fixture, "FakeAccess1");
    for profile in ["sso", "role"] {
        let error = client_of(&fixture, profile).run().unwrap_err();
        assert!(
            error.contains("aliyun configure --mode CloudSSO --profile sso"),
            "{error}"
        );
    }
    assert_eq!(fixture.server.calls(), 1);
    // After the person has signed in again, the refusal does not matter.
    write_config(&fixture, "FakeAccess2");
    client_of(&fixture, "sso").run().unwrap_err();
    assert_eq!(fixture.server.calls(), 2);
}

#[test]
fn session_that_another_program_has_renewed_is_used_after_a_refusal() {
    let by_other = Arc::new(Mutex::new(None::<(PathBuf, String)>));
    let written = Arc::clone(&by_other);
    let fixture = Fixture::new(move |_| {
        let (path, text) = written.lock().unwrap().clone().unwrap();
        fs::write(path, text).unwrap();
        (401, String::new())
    });
    let path = write_config(&fixture, "FakeAccess1");
    let end = START.plus_seconds(LIFETIME).seconds();
    let session = format!(
        r#""access_key_id": "STS.FakeAccessKeyId9", "access_key_secret": "FakeSecret9", "sts_token": "FakeToken9",
            "sts_expiration": {end}"#
    );
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace(r#""unknown": 1.50"#, &session);
    *by_other.lock().unwrap() = Some((path, text));
    assert_eq!(client_of(&fixture, "sso").run(), secret(9));
    assert_eq!(fixture.server.calls(), 1);
}

#[test]
fn role_outlives_a_session_that_cannot_be_renewed() {
    let fixture = Fixture::new(|call| match call.number {
        1 | 2 => issue(call),
        _ => (401, String::new()),
    });
    write_config(&fixture, "FakeAccess1");
    let client = client_of(&fixture, "role");
    assert_eq!(client.run(), secret(2));
    // The session ends five seconds earlier than the role, and so in its last minute earlier.
    let late = client.at(START.plus_seconds(LIFETIME - 63));
    assert_eq!(late.run(), secret(2));
    assert_eq!(fixture.server.calls(), 3);
    assert_eq!(late.run(), secret(2));
    assert_eq!(fixture.server.calls(), 3);
}

#[test]
fn session_that_cannot_be_written_is_used() {
    if !Uid::effective().is_root() {
        return;
    }
    let fixture = Fixture::new(issue);
    let path = write_config(&fixture, "FakeAccess1");
    fs::set_permissions(fixture.home(), fs::Permissions::from_mode(0o755)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let client = client_of(&fixture, "role").for_user(12_345);
    assert_eq!(client.run(), secret(2));
    assert_eq!(client.run(), secret(4));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn refresh_token_in_a_file_that_cannot_be_written_is_not_used_up() {
    if !Uid::effective().is_root() {
        return;
    }
    let fixture = Fixture::new(|_| (404, String::new()));
    let path = fixture.home().join(".aliyun/config.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = r#"{"current": "p", "profiles": [{"name": "p", "mode": "OAuth", "oauth_site_type": "CN",
        "oauth_refresh_token": "FakeRefresh1"}]}"#;
    fs::write(&path, text).unwrap();
    fs::set_permissions(fixture.home(), fs::Permissions::from_mode(0o755)).unwrap();
    let proxy = format!("http://127.0.0.1:{}", fixture.server.port);
    let client = fixture
        .client_without_source(START)
        .variable("HTTPS_PROXY", &proxy)
        .for_user(12_345);
    let error = client.run().unwrap_err();
    assert!(
        error.contains("cannot be renewed, because its file cannot be written"),
        "{error}"
    );
    assert_eq!(fixture.server.calls(), 0);
}
