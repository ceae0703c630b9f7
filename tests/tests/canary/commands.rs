//! Output of commands that receive secrets: in the environment, on standard input, and in arguments where no secret
//! belongs.

use std::fs::{self, File};
use std::process::{Output, Stdio};

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::json;
use tempfile::TempDir;

use crate::secrets::{Search, Secrets};
use crate::tokens::{
    CLUSTER, KEY_SECRET, MARKS, PROXY_PASSWORD, SECURITY_TOKEN, Tokens, key, session_key,
    with_marked_keys,
};

struct CommandFixture {
    sts: Emulator,
    tokens: Tokens,
    folder: TempDir,
}

impl CommandFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sts = with_marked_keys(Emulator::builder()).start().unwrap();
        fs::write(folder.path().join("sts-ca.pem"), sts.ca_pem()).unwrap();
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "acceptTokenV1": true,
                "sts": {
                    "endpoint": sts.url(),
                    "caFile": "sts-ca.pem",
                    "connectTimeout": "300ms",
                    "timeout": "600ms",
                },
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
            },
        });
        fs::write(folder.path().join("config.yaml"), config.to_string()).unwrap();
        Self {
            tokens: Tokens::at(sts.now()),
            sts,
            folder,
        }
    }

    /// Runs a command at log level trace, with `key` in its environment and `input` on its standard input.
    fn run(&self, args: &[&str], key: &AccessKey, input: &str) -> Output {
        let path = self.folder.path().join("input");
        fs::write(&path, input).unwrap();
        let mut command = authenticator::command(self.folder.path(), args);
        command
            .env("ACK_RAM_AUTHENTICATOR_LOG", "trace")
            .env(
                "HTTPS_PROXY",
                format!("http://user:{PROXY_PASSWORD}@127.0.0.1:1"),
            )
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str())
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose())
            .stdin(Stdio::from(File::open(path).unwrap()));
        if let Some(token) = &key.security_token {
            command.env("ALIBABA_CLOUD_SECURITY_TOKEN", token.expose());
        }
        command.output().unwrap()
    }
}

#[track_caller]
fn check_no_secret(search: &Search, what: &str, output: &[u8]) {
    assert_eq!(search.find(output), None, "{what}");
}

#[test]
fn token_command_prints_the_token_and_no_other_secret() {
    let fixture = CommandFixture::new();
    let search = Secrets::new(&MARKS).search();
    let broken = |token: &str| AccessKey {
        security_token: Some(Secret::new(token)),
        ..session_key()
    };
    for (name, key) in [
        ("a key", key()),
        ("a temporary key", session_key()),
        ("a line feed", broken(&format!("{SECURITY_TOKEN}\n"))),
        (
            "a control character",
            broken(&format!("{SECURITY_TOKEN}\u{7f}")),
        ),
    ] {
        for args in [
            &["token", "-i", CLUSTER][..],
            &["token", "-i", CLUSTER, "--token-only"],
            &["-l", "json", "token", "-c", "config.yaml"],
            &["credential-plugin", "get-token", "-c", CLUSTER],
        ] {
            let output = fixture.run(args, &key, "");
            let case = format!("{name}: {args:?}: {output:?}");
            check_no_secret(&search, &case, &output.stderr);
            let has_token = key.security_token.is_some() && output.status.success();
            // The search finds the token where it belongs, so it would also find the token elsewhere.
            assert_eq!(search.find(&output.stdout).is_some(), has_token, "{case}");
        }
    }
}

#[test]
fn token_commands_print_no_secret_of_the_token() {
    let fixture = CommandFixture::new();
    let mut tokens = fixture.tokens.refused_tokens();
    tokens.push(fixture.tokens.v2(&key()));
    tokens.push(fixture.tokens.v2(&session_key()));
    tokens.push(fixture.tokens.v1(&session_key()));
    let odd = fixture.tokens.unusual_tokens();
    let mut secrets = Secrets::new(&MARKS);
    for token in tokens.iter().chain(&odd) {
        secrets.add_token(token);
    }
    let search = secrets.search();
    let run = |args: &[&str], token: &Secret| {
        let Output { stdout, stderr, .. } = fixture.run(args, &key(), token.expose());
        let output = [stdout, stderr].concat();
        check_no_secret(&search, &format!("{args:?} of {token:?}"), &output);
    };
    for token in tokens.iter().chain(&odd) {
        run(&["verify", "-c", "config.yaml", "-t", "-"], token);
        let explain = ["explain", "-c", "config.yaml", "-o", "json", "-t", "-"];
        run(&[&["-l", "json"][..], &explain].concat(), token);
    }
    // `inspect` shows names, constants, and the user agent of the client.
    for token in &tokens {
        run(&["inspect", "-c", "config.yaml", "-"], token);
        run(&["inspect", "-o", "json", "-"], token);
    }
}

#[test]
fn command_with_failing_sts_prints_no_secret() {
    let fixture = CommandFixture::new();
    for fault in [
        Fault::CloseOnAccept,
        Fault::StallOnAccept,
        Fault::Hang,
        Fault::CloseBeforeHeaders,
        Fault::CloseInBody,
        Fault::HugeHeaders,
        Fault::EndlessBody,
        Fault::Garbage,
        Fault::ThrottleUser,
        Fault::InternalError,
        Fault::Redirect(format!(
            "https://127.0.0.1:1/?SecurityToken={SECURITY_TOKEN}"
        )),
    ] {
        fixture.sts.set_fault(Some(fault.clone()));
        for token in [
            fixture.tokens.v2(&session_key()),
            fixture.tokens.v1(&session_key()),
        ] {
            let mut secrets = Secrets::new(&MARKS);
            secrets.add_token(&token);
            let args = ["verify", "-c", "config.yaml", "-t", "-"];
            let Output {
                status,
                stdout,
                stderr,
            } = fixture.run(&args, &key(), token.expose());
            assert!(!status.success(), "{fault:?}");
            let output = [stdout, stderr].concat();
            check_no_secret(&secrets.search(), &format!("{fault:?}"), &output);
        }
    }
}

#[test]
fn misplaced_secret_is_not_echoed() {
    let fixture = CommandFixture::new();
    let token = fixture.tokens.v2(&session_key());
    let mut secrets = Secrets::new(&MARKS);
    secrets.add_token(&token);
    let search = secrets.search();
    let exec_credential = json!({ "status": { "token": token.expose() } }).to_string();
    fs::write(fixture.folder.path().join("token.yaml"), token.expose()).unwrap();
    fs::write(
        fixture.folder.path().join("key.yaml"),
        format!("clusterID: c\nsecret: {KEY_SECRET}\n{SECURITY_TOKEN}"),
    )
    .unwrap();
    for secret in [token.expose(), &exec_credential] {
        // Commands whose arguments are files print the file names, so `lint` and `diff` are missing here.
        for args in [
            &[secret][..],
            &["verify", secret],
            &["token", secret],
            &["token", "-i", secret],
            &["token", "-c", secret],
            &["server", secret],
            &["server", "-c", secret],
            &["server", "--port", secret],
            &["server", "--backend-mode", secret],
            &["server", "--bind", secret],
            &["--log-format", secret, "server"],
            &["explain", "--arn", secret],
            &["explain", secret],
            &[
                "explain",
                "-c",
                "config.yaml",
                "--access-key-id",
                secret,
                "--arn",
                secret,
            ],
            &["get", "mappings", "--state-dir", secret],
            &[
                "credential-plugin",
                "get-token",
                "-c",
                CLUSTER,
                "--api-version",
                secret,
                "--role-arn",
                secret,
            ],
        ] {
            let Output { stdout, stderr, .. } = fixture.run(args, &key(), "");
            let is_token = args.contains(&"token") || args.contains(&"get-token");
            let output = if is_token {
                stderr
            } else {
                [stdout, stderr].concat()
            };
            check_no_secret(&search, &format!("{args:?}"), &output);
        }
    }
    for args in [
        &["server", "-c", "token.yaml"][..],
        &["lint", "token.yaml"],
        &["lint", "-c", "token.yaml"],
        &["lint", "-c", "key.yaml"],
        &["server", "-c", "key.yaml"],
        &["server", "--check", "-c", "key.yaml"],
        &["server", "--check", "-c", "token.yaml"],
        &["diff", "token.yaml", "key.yaml"],
        &["explain", "-c", "key.yaml", "--arn", demo::USER_ARN],
    ] {
        let Output { stdout, stderr, .. } = fixture.run(args, &key(), "");
        check_no_secret(&search, &format!("{args:?}"), &[stdout, stderr].concat());
    }
}
