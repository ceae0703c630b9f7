//! Logins from the token to the reply: `tests/vectors/logins.json` contains logins with their expected results.

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_tests::vectors::{self, LoginCase};
use serde_json::Value;

#[test]
fn login_vectors_get_expected_decisions() {
    for case in &vectors::logins() {
        check(case);
    }
}

fn check(case: &LoginCase) {
    let name = &case.name;
    let outcome = ack_ram_core_wasm::run(&serde_json::to_vec(&case.login).unwrap());
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    assert_eq!(outcome["code"], *case.code, "{name}: {outcome}");
    assert_eq!(outcome["status"], case.status, "{name}");

    let answer: Value = serde_json::from_str(outcome["answer"].as_str().unwrap()).unwrap();
    assert!(
        answer.get("spec").is_none(),
        "{name}: the reply contains the token"
    );
    assert!(!answer.to_string().contains("CANARY"), "{name}");
    let authenticated = answer["status"]["authenticated"].as_bool();
    assert_eq!(
        authenticated == Some(true),
        case.code == "granted",
        "{name}"
    );
    assert_eq!(answer["status"].get("user"), case.user.as_ref(), "{name}");
    let passed = outcome["passed"].as_array().unwrap().len();
    assert_eq!(passed, stages_before(&case.code), "{name}");
    check_explanation(case, &outcome["explanation"]);
    check_message_reveals_no_rule(name, &outcome["explanation"], &answer);
    if let Some(expected) = &case.error {
        let fingerprint = Fingerprint::from_text(case.login["token"].as_str().unwrap());
        let expected = expected.replace("REF", &fingerprint.to_string());
        let message = answer["status"].get("error").or(answer.get("message"));
        assert_eq!(message, Some(&Value::String(expected)), "{name}");
    }
}

/// Returns the number of stages that a login with the result `code` has passed.
fn stages_before(code: &str) -> usize {
    match code {
        "granted" => 5,
        "validation_refused" | "validation_failed" => 4,
        "name_refused" => 3,
        "not_mapped" => 2,
        _ if code.starts_with("sts_") => 1,
        _ => 0,
    }
}

/// Checks that the message to the caller reveals no rule and no other identity.
fn check_message_reveals_no_rule(name: &str, explanation: &Value, answer: &Value) {
    let message = answer["status"].get("error").or(answer.get("message"));
    let message = message.and_then(Value::as_str).unwrap_or_default();
    let of_others = [
        ("nearMisses", "/subject"),
        ("nearMisses", "/rule/position"),
        ("passedOver", "/rule/position"),
        ("outranked", "/position"),
    ];
    for (member, path) in of_others {
        let items = explanation[member].as_array().into_iter().flatten();
        for text in items.filter_map(|item| item.pointer(path)?.as_str()) {
            assert!(!message.contains(text), "{name}: {message}");
        }
    }
    let rule = explanation["matched"]["position"].as_str();
    assert!(
        rule.is_none_or(|rule| !message.contains(rule)),
        "{name}: {message}"
    );
}

fn check_explanation(case: &LoginCase, explanation: &Value) {
    let name = &case.name;
    if let Some(position) = &case.matched {
        assert_eq!(explanation["matched"]["position"], **position, "{name}");
    }
    let Some(expected) = &case.explanation else {
        return;
    };
    for (member, path, expected) in [
        ("outranked", "/position", &expected.outranked),
        ("passedOver", "/rule/position", &expected.passed_over),
        ("nearMisses", "/difference", &expected.near_misses),
    ] {
        let Some(expected) = expected else { continue };
        let found: Vec<&str> = explanation[member]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item.pointer(path)?.as_str())
            .collect();
        assert_eq!(found, *expected, "{name}: {member}");
    }
    assert_eq!(
        explanation.get("identity").is_none(),
        expected.scrubbed,
        "{name}"
    );
}
