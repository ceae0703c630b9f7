//! Environment variables with invalid or suspicious values.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign;
use ack_ram_tests::sts::{Emulator, demo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::program::{CommandRun, TestFolder};

const ID: (&str, &str) = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001");
const SECRET: (&str, &str) = (
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "FakeAccessKeySecret0000000001",
);
const TOKEN: (&str, &str) = ("ALIBABA_CLOUD_SECURITY_TOKEN", "CAISFakeSecurityToken/+==");

#[test]
fn invalid_credential_makes_no_token() {
    let folder = TestFolder::new(&[]);
    for (variable, value) in [ID, SECRET, TOKEN] {
        for (bad, fault) in [
            (format!("\"{value}\""), "begins with a quote"),
            (format!("{value}\n"), "ends with a line break"),
            (format!(" {value}"), "begins with white space"),
            (format!("{value}\r\nx: y"), "contains a line break"),
            (format!("{value}\u{7f}"), "ends with a control character"),
            (
                format!("{value}é"),
                "ends with a character that is not ASCII",
            ),
        ] {
            let env = [ID, SECRET, TOKEN]
                .map(|(name, good)| (name, if name == variable { bad.as_str() } else { good }));
            for args in [
                &["token", "-i", "c1"][..],
                &["token", "-i", "c1", "--token-only"],
                &["credential-plugin", "get-token", "-c", "c1"],
            ] {
                let run = folder.run(args, &env);
                assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
                let named =
                    format!("error: `{variable}` {fault}\n  help: set it to only the value");
                assert!(run.stderr.contains(&named), "{named}: {run:?}");
                assert!(!run.stderr.contains(value), "{run:?}");
            }
        }
    }
}

#[test]
fn non_unicode_credential_counts_as_set() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ack-ram-authenticator"));
    command
        .args(["token", "-i", "c1"])
        .env_clear()
        .env(ID.0, ID.1)
        .env(SECRET.0, SECRET.1)
        .env(TOKEN.0, OsStr::from_bytes(b"CAIS\xff"));
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let expected = "`ALIBABA_CLOUD_SECURITY_TOKEN` ends with a character that is not ASCII";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn printed_token_is_accepted_by_inspect() {
    let folder = TestFolder::new(&[]);
    for env in [&[ID, SECRET][..], &[ID, SECRET, TOKEN]] {
        let printed = folder.run(&["token", "-i", "c1"], env).printed();
        let run = folder.run_with_input(&["inspect", "-", "-i", "c1"], &[], &printed);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    // `token` has no length limit. The server has one, and reports it.
    let long = STANDARD.encode([7; 24 * 1024]);
    let env = [ID, SECRET, (TOKEN.0, long.as_str())];
    folder.run(&["token", "-i", "c1"], &env).printed();
}

const CONFIG: &str = "\
clusterID: c1
server:
  stateDir: state
  generateKubeconfig: kubeconfig.yaml
  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}]
";

/// Returns the exit code of `server --check`, and the findings as `<severity> <code> <entry>: <message>; <advice>`.
fn check(config: &str, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
    let folder = TestFolder::new(&[("config.yaml", config)]);
    let all = ["server", "-c", "config.yaml", "--check", "-o", "json"];
    let CommandRun { code, stdout, .. } = folder.run(&[&all[..], args].concat(), env);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let texts = findings.map(|finding| {
        format!(
            "{} {} {}: {}; {}",
            text(&finding["severity"]),
            text(&finding["code"]),
            text(&finding["position"]["entry"]),
            text(&finding["message"]),
            text(&finding["advice"])
        )
    });
    (code, texts.collect())
}

#[test]
fn untrusted_sts_certificate_names_the_setting() {
    let sts = Emulator::builder().demo().start().unwrap();
    let other = Emulator::builder().demo().start().unwrap();
    let config = format!(
        "clusterID: c1\nserver: {{sts: {{endpoint: '{}', connectTimeout: 30s, timeout: 30s}}}}\n",
        sts.url()
    );
    let files = [
        ("config.yaml", config.as_str()),
        ("other.pem", other.ca_pem()),
        ("sts.pem", sts.ca_pem()),
    ];
    let folder = TestFolder::new(&files);
    let cluster = ClusterId::parse("c1").unwrap();
    let token = sign::sign_token_v2(&demo::user_key(), &cluster, "test", sts.now()).unwrap();
    let args = ["verify", "-c", "config.yaml", "--token", token.expose()];
    let run = folder.run(&args, &[("SSL_CERT_FILE", "other.pem")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let advice = "; set `server.sts.caFile` to a PEM file";
    assert!(run.stderr.contains(advice), "{run:?}");
    // A missing folder is not an error if the file has certificates.
    let good = [("SSL_CERT_FILE", "sts.pem"), ("SSL_CERT_DIR", "nowhere")];
    let run = folder.run(&args, &good);
    assert_eq!(run.code, Some(0), "{run:?}");
    let file = folder.path().join("sts.pem");
    let good = [("SSL_CERT_FILE", file.to_str().unwrap()), good[1]];
    let (code, findings) = check(CONFIG, &[], &good);
    assert_eq!((code, findings.len()), (Some(0), 1), "{findings:#?}");
    assert!(
        findings[0].starts_with("warning environment environment: `SSL_CERT_FILE` "),
        "{findings:#?}"
    );
    let (code, findings) = check(CONFIG, &[], &[("SSL_CERT_DIR", "nowhere")]);
    assert_eq!(code, Some(1));
    assert!(
        findings[0].contains("`SSL_CERT_DIR` `nowhere`: "),
        "{findings:#?}"
    );
}
