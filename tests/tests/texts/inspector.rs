//! The texts that the page of the token inspector shows: those of the checks, of the signing tab and of the playground.

use std::fmt::Write as _;

use ack_ram_core::time::UnixTime;
use ack_ram_tests::vectors;
use serde_json::{Value, json};

use crate::snapshot;

/// Calls a function of the page's modules with `input`, and returns its output.
fn call_module(function: fn(&str) -> String, input: &Value) -> Value {
    serde_json::from_str(&function(&input.to_string())).unwrap()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn token_vectors_are_inspected_with_these_texts() {
    let tokens = vectors::tokens();
    let mut text = String::new();
    for case in &tokens.cases {
        let input = json!({
            "text": case.token(),
            "clusterId": tokens.cluster_id,
            "acceptV1": case.accept_v1,
            "extraQueryKeys": case.extra_query_keys,
            "now": UnixTime::parse(&case.now).unwrap().seconds(),
        });
        let output = call_module(ack_ram_inspector::inspect, &input);
        writeln!(text, "# {}", case.name).unwrap();
        let output = &output["ok"];
        if output.is_null() {
            writeln!(
                text,
                "{}\n",
                call_module(ack_ram_inspector::inspect, &input)
            )
            .unwrap();
            continue;
        }
        writeln!(
            text,
            "{} passes={}",
            output["kind"], output["inspection"]["passes"]
        )
        .unwrap();
        for check in output["inspection"]["checks"].as_array().unwrap() {
            writeln!(text, "  {check}").unwrap();
        }
        text.push('\n');
    }
    snapshot::check("inspector_checks", &text);
}

#[test]
fn token_is_shown_with_these_members() {
    let tokens = vectors::tokens();
    let good = tokens.cases.iter().find(|case| case.request.is_some());
    let good = good.unwrap();
    let input = json!({
        "text": good.token(),
        "clusterId": tokens.cluster_id,
        "now": UnixTime::parse(&good.now).unwrap().seconds(),
    });
    let output = call_module(ack_ram_inspector::inspect, &input);
    snapshot::check("inspector_token", &pretty(&output));
}

#[test]
fn input_without_token_is_refused_with_these_texts() {
    let huge = "x".repeat(300 * 1024);
    let kubeconfig = "users:\n- name: a\n  user:\n    token: REDACTED\n";
    let mut text = String::new();
    for pasted in [
        "",
        " \n",
        "{",
        "{}",
        r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}"#,
        kubeconfig,
        "abc",
        "k8s-ack-v2.",
        "k8s-ack-v2.<masked>",
        "Authorization: Bearer <masked>",
        "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
        "k8s-aws-v1.aHR0cHM6Ly8",
        "k8s-ack-v3.e30=",
        "k8s-ack-v1.e30=",
        &huge,
    ] {
        let output = call_module(
            ack_ram_inspector::inspect,
            &json!({ "text": pasted, "now": 0 }),
        );
        writeln!(text, "{pasted:.80}\n{}\n", pretty(&output)).unwrap();
    }
    let bad_cluster = json!({ "text": "k8s-ack-v2.e30=", "clusterId": "a b", "now": 0 });
    let output = call_module(ack_ram_inspector::inspect, &bad_cluster);
    writeln!(text, "cluster `a b`\n{}\n", pretty(&output)).unwrap();
    let output = call_module(ack_ram_inspector::inspect, &json!({ "color": 1 }));
    writeln!(text, "an unknown member\n{}", pretty(&output)).unwrap();
    snapshot::check("inspector_texts_without_token", &text);
}

#[test]
fn signing_tab_shows_these_steps_and_errors() {
    let good = json!({
        "accessKeyId": "LTAI5tDemoAlice0000001",
        "accessKeySecret": "DemoAliceSecret00000000000001",
        "securityToken": "",
        "clusterId": "c1",
        "userAgent": "test",
        "date": "2026-01-02T03:04:05Z",
    });
    let mut text = pretty(&call_module(ack_ram_inspector::sign, &good));
    text.push('\n');
    for (member, value) in [
        ("accessKeyId", "a b"),
        ("accessKeySecret", ""),
        ("securityToken", "a b"),
        ("clusterId", ""),
        ("userAgent", "a\nb"),
        ("date", "today"),
    ] {
        let mut bad = good.clone();
        bad[member] = value.into();
        let output = call_module(ack_ram_inspector::sign, &bad);
        let output = match output["error"].is_null() {
            true => "signed".to_owned(),
            false => pretty(&output),
        };
        writeln!(text, "\n{member}: {value:?}\n{output}").unwrap();
    }
    snapshot::check("inspector_sign", &text);
}

const OLD: &str = include_str!("../../vectors/playground/old.yaml");
const NEW: &str = include_str!("../../vectors/playground/new.yaml");

#[test]
fn playground_shows_these_texts() {
    let mut text = String::new();
    for (old, new, arn) in [
        (OLD, "", ""),
        (OLD, NEW, "acs:ram::1234567890123456:user/alice"),
        (OLD, "", "acs:ram::1234567890123456:user/twice"),
        (OLD, "", "acs:ram::1234567890123456:user/alicia"),
        (
            OLD,
            "",
            "acs:ram::1234567890123456:assumed-role/dev-a/alice@example.com",
        ),
        (
            OLD,
            NEW,
            "acs:ram::1234567890123456:assumed-role/Admin/alice@example.com",
        ),
        (OLD, "", "acs:ram::1234567890123456:root"),
        (OLD, "", "nobody"),
        ("{", "", ""),
        ("", "", ""),
        ("clusterID: c1\nserver: {port: x}\n", NEW, ""),
    ] {
        let output = call_module(
            ack_ram_inspector::run_playground,
            &json!({ "old": old, "new": new, "arn": arn }),
        );
        writeln!(text, "# {arn}\n{}\n", pretty(&output)).unwrap();
    }
    let bad_key = json!({ "old": NEW, "arn": "acs:ram::1:user/a", "accessKeyId": "a b" });
    let output = call_module(ack_ram_inspector::run_playground, &bad_key);
    writeln!(text, "{}", pretty(&output["ok"]["identityError"])).unwrap();
    let huge = json!({ "old": "x".repeat(2 * 1024 * 1024) });
    let output = call_module(ack_ram_inspector::run_playground, &huge);
    writeln!(text, "{}", pretty(&output)).unwrap();
    snapshot::check("inspector_playground", &text);
}
