//! The result of each login and token of the vectors: code, status, and reply to the API server.

use std::fmt::Write as _;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_tests::vectors;
use serde_json::{Map, Value, json};

use crate::snapshot;

#[test]
fn login_vectors_are_answered_with_these_texts() {
    let mut text = String::new();
    for case in vectors::logins() {
        describe(&mut text, &case.name, &case.login);
    }
    snapshot::check("login_vectors", &text);
}

#[test]
fn token_vectors_are_answered_with_these_texts() {
    let tokens = vectors::tokens();
    let mut text = String::new();
    for case in &tokens.cases {
        let login = json!({
            "token": case.token(),
            "now": case.now,
            "clusterId": tokens.cluster_id,
            "acceptTokenV1": case.accept_v1,
            "extraQueryKeys": case.extra_query_keys,
        });
        describe(&mut text, &case.name, login.as_object().unwrap());
    }
    snapshot::check("token_vectors", &text);
}

/// Writes the result of `login`. The reference of the token is `REF`, as in the vectors.
fn describe(text: &mut String, name: &str, login: &Map<String, Value>) {
    let outcome = ack_ram_core_wasm::run(&serde_json::to_vec(login).unwrap());
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    let token = login["token"].as_str().unwrap();
    let reference = Fingerprint::from_text(token).to_string();
    writeln!(text, "# {name}").unwrap();
    let mut lines = String::new();
    if let Some(answer) = outcome["answer"].as_str() {
        let passed = outcome["passed"].as_array().unwrap();
        let passed: Vec<_> = passed.iter().filter_map(Value::as_str).collect();
        writeln!(
            lines,
            "{} {} after {passed:?}\n{answer}\n{}",
            outcome["status"],
            outcome["code"].as_str().unwrap(),
            outcome["explanation"]
        )
        .unwrap();
    } else {
        writeln!(lines, "{outcome}").unwrap();
    }
    writeln!(text, "{}", lines.replace(&reference, "REF")).unwrap();
}
