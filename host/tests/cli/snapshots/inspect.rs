//! `inspect`: the contents of tokens, and why tokens are refused.

use std::collections::BTreeSet;

use ack_ram_authenticator::clock;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::sts::demo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Transcript;
use crate::program::TestFolder;

/// Signs a token with a temporary key for the cluster `c1`, `age` seconds ago.
fn token(age: i64) -> Secret {
    let key = AccessKey {
        security_token: Some(Secret::new("CANARY-SECURITY-TOKEN")),
        ..demo::session_key()
    };
    let cluster = ClusterId::parse("c1").unwrap();
    sign::sign_token_v2(&key, &cluster, "test", clock::now().plus_seconds(-age)).unwrap()
}

/// Returns the token with contents that `edit` has changed.
fn edited(token: &str, edit: impl Fn(&mut Value)) -> String {
    let payload = token.strip_prefix("k8s-ack-v2.").unwrap();
    let mut fields = serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap();
    edit(&mut fields);
    format!("k8s-ack-v2.{}", STANDARD.encode(fields.to_string()))
}

#[test]
fn inspect_prints_parts_and_checks_of_tokens() {
    let folder = TestFolder::new(&[(
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
    transcript.hide("just now|([0-9]+ [a-z]+ )+(ago|in the future)", "<age>");
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

/// Checks the reasons for which tokens of `tests/vectors/tokens.json` are refused, each with the first token that has
/// it.
#[test]
fn each_token_error_has_expected_text() {
    let vectors = include_str!("../../../../tests/vectors/tokens.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let cluster = vectors["cluster_id"].as_str().unwrap();
    let folder = TestFolder::new(&[(
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
