//! Tokens: made, and looked at.

use std::collections::BTreeSet;

use ack_ram_authenticator::env;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::sts::demo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Transcript;
use crate::program::Folder;

const KEY: [(&str, &str); 2] = [
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001"),
    (
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "FakeAccessKeySecret0000000001",
    ),
];
const SECURITY_TOKEN: (&str, &str) = ("ALIBABA_CLOUD_SECURITY_TOKEN", "CAISFakeSecurityToken/+==");
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

#[test]
fn tokens_are_printed() {
    let folder = Folder::new(&[
        ("config.yaml", "clusterID: in-file\n"),
        (
            "role.yaml",
            "clusterID: c1\ndefaultRole: acs:ram::1:role/r\n",
        ),
    ]);
    let before = folder.tree();
    let mut transcript = Transcript::new();
    transcript.hide("k8s-ack-v2[.][A-Za-z0-9+/=]{100,}", "<token>");
    let v1 = r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}"#;
    let old = v1.replace("/v1", "/v1alpha1");
    let with_token = [KEY[0], KEY[1], SECURITY_TOKEN];
    for (args, env) in [
        (&["token", "-i", "c1"][..], &KEY[..]),
        (&["token", "-c", "config.yaml"], &with_token),
        (&["token", "-i", "c1", "--token-only"], &KEY),
        (&["token", "-i", "c1", "--api-version", "v1beta1"], &KEY),
        (&["token", "-i", "c1"], &[KEY[0], KEY[1], (EXEC_INFO, v1)]),
        (&["token", "-i", "c1"], &[KEY[0], KEY[1], (EXEC_INFO, &old)]),
        (&["token", "-i", "c1"], &[KEY[0], KEY[1], (EXEC_INFO, "v1")]),
        (&["token", "-i", "c1", "--feature-gates", "A=true"], &KEY),
        (
            &[
                "-l",
                "json",
                "token",
                "-i",
                "c1",
                "--feature-gates",
                "A=true",
            ],
            &KEY,
        ),
        (
            &["token", "-i", "c1", "-l", "json"],
            &[KEY[0], KEY[1], ("ACK_RAM_AUTHENTICATOR_LOG", "no level")],
        ),
        (
            &["credential-plugin", "get-token", "--cluster-id", "c1"],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "get-token",
                "--cluster-id",
                "c1",
                "--api-version",
                "v1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "get-token",
                "--cluster-id",
                "c1",
                "--api-version",
                "v9",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "get-token",
                "--cluster-id",
                "c1",
                "--role-arn",
                "acs:ram::1:role/r",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "--credential-type",
                "imds",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "--profile-file",
                "x",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "--profile-name",
                "x",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "--ignore-env-credentials",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &["credential-plugin", "get-token", "--cluster-id", "c1"],
            &[KEY[0], KEY[1], ("ACK_RAM_TOOL_PROFILE_NAME", "x")],
        ),
        (&["--profile-name", "x", "token", "-i", "c1"], &KEY),
        (&["token", "-c", "role.yaml"], &KEY),
        (&["token"], &KEY),
        (&["token", "-i", "c1"], &[]),
        (&["token", "-i", "c1"], &[KEY[0]]),
        (&["token", "-i", "c1"], &[KEY[1]]),
        (
            &["token", "-i", "c1"],
            &[("ALIBABA_CLOUD_ACCESS_KEY_ID", ""), KEY[1]],
        ),
        (
            &["token", "-i", "c1"],
            &[KEY[0], ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")],
        ),
        (
            &["token", "-i", "c1"],
            &[("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI/x"), KEY[1]],
        ),
        (
            &["credential-plugin", "get-token", "--cluster-id", "c1"],
            &[],
        ),
    ] {
        transcript.run(&folder, args, env);
    }
    const TOOL: &[&str] = &["credential-plugin", "get-token", "-c", "c1"];
    for more in [
        "--role-arn=r",
        "--profile-file=f",
        "--profile-name=n",
        "--credential-type=imds",
        "--ignore-env-credentials",
    ] {
        transcript.run(&folder, &[TOOL, &[more]].concat(), &KEY);
    }
    for before in [&["-c", "role.yaml"][..], &["--profile-name=n"]] {
        transcript.run(&folder, &[before, TOOL].concat(), &KEY);
    }
    for variable in [
        ("ACK_RAM_TOOL_PROFILE_NAME", "other"),
        ("ACK_RAM_TOOL_PROFILE_FILE", "c.json"),
        ("ACK_RAM_TOOL_CREDENTIAL_TYPE", "imds"),
        ("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", "True"),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
    ] {
        transcript.run(&folder, TOOL, &[KEY[0], KEY[1], variable]);
    }
    transcript.run(&folder, TOOL, &KEY[..1]);
    for variable in [
        "ALIBABA_CLOUD_ROLE_ARN",
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "ALIBABA_CLOUD_ECS_METADATA",
        "ALIBABA_CLOUD_CREDENTIALS_FILE",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "ALICLOUD_ACCESS_KEY",
    ] {
        for key in [&[][..], &KEY] {
            let env = [key, &[(variable, "x")]].concat();
            transcript.run(&folder, &["token", "-i", "c1"], &env);
        }
    }
    let oidc = [
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        (
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "acs:ram::1:oidc-provider/p",
        ),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "token"),
    ];
    transcript.run(&folder, &["token", "-i", "c1"], &oidc);
    assert_eq!(folder.tree(), before, "something was written");
    transcript.check("token");
}

#[test]
fn credentials_that_cannot_be_such() {
    let folder = Folder::new(&[]);
    let mut transcript = Transcript::new();
    let good = [KEY[0], KEY[1], SECURITY_TOKEN];
    for (variable, value) in good {
        for bad in [
            format!("\"{value}\""),
            format!("'{value}"),
            format!("{value}\n"),
            format!(" {value}"),
            format!("{value} "),
            format!("{value}\r\nx: y"),
            format!("{value}\u{7f}"),
            format!("{value}é"),
            format!("{value}\t{value}"),
        ] {
            let env = good.map(|(name, good)| (name, if name == variable { &*bad } else { good }));
            transcript.run(&folder, &["token", "-i", "c1"], &env);
        }
    }
    transcript.check("token_credentials");
}

/// A token of a temporary key for the cluster `c1`, signed so many seconds ago.
fn token(age: i64) -> Secret {
    let key = AccessKey {
        security_token: Some(Secret::new("CANARY-SECURITY-TOKEN")),
        ..demo::session_key()
    };
    let cluster = ClusterId::parse("c1").unwrap();
    sign::token_v2(&key, &cluster, "test", env::now().plus_seconds(-age)).unwrap()
}

/// The token with other contents, which `edit` makes of it.
fn edited(token: &str, edit: impl Fn(&mut Value)) -> String {
    let payload = token.strip_prefix("k8s-ack-v2.").unwrap();
    let mut fields = serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap();
    edit(&mut fields);
    format!("k8s-ack-v2.{}", STANDARD.encode(fields.to_string()))
}

#[test]
fn tokens_are_looked_at() {
    let folder = Folder::new(&[(
        "config.yaml",
        "clusterID: c2\nserver: {maxTokenBytes: 1024}\n",
    )]);
    let fresh = token(60);
    let fresh = fresh.expose();
    let old = token(7200);
    let early = token(-7200);
    let long = format!("k8s-ack-v2.{}", "A".repeat(2000));
    let mut transcript = Transcript::new();
    transcript.hide(r#"(reference"?:? +"?)[0-9a-f]{8,}"#, "${1}<reference>");
    transcript.hide("([0-9]+[a-z]+ )+(ago|in the future)", "<duration> $2");
    transcript.hide("(\"ageSeconds\": -?)[0-9]+", "${1}<seconds>");
    for (name, token) in [
        ("fresh", fresh),
        ("old", old.expose()),
        ("early", early.expose()),
    ] {
        transcript.replace(token, &format!("<{name} token>"));
    }
    let unknown = edited(fresh, |fields| fields["extra"] = "x".into());
    let get = edited(fresh, |fields| fields["method"] = "GET".into());
    let other = edited(fresh, |fields| fields["clusterId"] = "c9".into());
    let empty = edited(fresh, |fields| *fields = serde_json::json!({}));
    for (name, token) in [
        ("unknown", &unknown),
        ("GET", &get),
        ("other cluster", &other),
        ("empty", &empty),
        ("long", &long),
    ] {
        transcript.replace(token, &format!("<token: {name}>"));
    }
    for token in [
        fresh,
        old.expose(),
        early.expose(),
        &unknown,
        &get,
        &other,
        &empty,
        &long,
        "eyJhbGciOi.e30.x",
        "k8s-ack-v1.AAAA",
        "k8s-ack-v2.",
        "k8s-ack-v2.@@@",
        "k8s-ack-v2.e30=",
        "k8s-ack-v3.e30=",
        "nothing",
        "{\"kind\": \"ExecCredential\", \"status\": {}}",
    ] {
        transcript.run(&folder, &["inspect", token, "-i", "c1"], &[]);
    }
    for more in [&[] as &[&str], &["-c", "config.yaml"]] {
        transcript.run(&folder, &[&["inspect", fresh], more].concat(), &[]);
    }
    for token in [fresh, old.expose(), "eyJhbGciOi.e30.x"] {
        transcript.run(&folder, &["inspect", token, "-o", "json", "-i", "c1"], &[]);
    }
    for input in ["", " \n", "nothing\n"] {
        transcript.run_with_input(&folder, &["inspect"], &[], input);
        let verify = ["verify", "-t", "-", "-i", "c1"];
        transcript.run_with_input(&folder, &verify, &[], input);
    }
    let two = format!("{fresh}\n{}\n", old.expose());
    transcript.run_with_input(&folder, &["inspect", "-", "-i", "c1"], &[], &two);
    transcript.run(&folder, &["inspect", fresh, "-c", "nowhere.yaml"], &[]);
    transcript.check("inspect");
}

/// Why each token of `tests/vectors/tokens.json` is refused; each reason once, with the first token that has it.
#[test]
fn reasons_why_tokens_are_refused() {
    let vectors = include_str!("../../../../tests/vectors/tokens.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let cluster = vectors["cluster_id"].as_str().unwrap();
    let folder = Folder::new(&[(
        "v1.yaml",
        &format!("clusterID: {cluster}\nserver: {{acceptTokenV1: true}}\n"),
    )]);
    let mut transcript = Transcript::new();
    let mut known = BTreeSet::new();
    for case in vectors["cases"].as_array().unwrap() {
        let token = match (&case["token"], &case["json"]) {
            (Value::String(token), _) => token.clone(),
            (_, Value::String(json)) => format!("k8s-ack-v2.{}", STANDARD.encode(json)),
            _ => continue,
        };
        let args = ["inspect", "-c", "v1.yaml"];
        let run = folder.run_with_input(&args, &[], &token);
        let page = format!("{}{}", run.stdout, run.stderr);
        let reasons = page.lines().filter(|line| {
            let is_old = line.starts_with("  failed       freshness");
            (line.starts_with("  failed") && !is_old) || line.starts_with("error")
        });
        let reasons: Vec<&str> = reasons
            .filter(|line| known.insert((*line).to_owned()))
            .collect();
        if !reasons.is_empty() {
            transcript.heading(case["name"].as_str().unwrap());
            transcript.stream("stdout", &format!("{}\n", reasons.join("\n")));
        }
    }
    transcript.check("token_reasons");
}
