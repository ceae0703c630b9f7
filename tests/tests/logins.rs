//! Logins from token to answer: `tests/vectors/logins.json` says what becomes of each.

use ack_ram_core::fingerprint::Fingerprint;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Vectors {
    /// Members of every login that does not have its own.
    defaults: Map<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    login: Map<String, Value>,
    /// The code of the decision.
    code: String,
    /// The HTTP status of the answer.
    #[serde(default = "ok")]
    status: u16,
    /// `status.user` of a grant.
    user: Option<Value>,
    /// The position of the rule that matched.
    matched: Option<String>,
    /// What else the explanation says.
    explanation: Option<Expected>,
    /// `status.error` of a denial or `message` of an error, `REF` for the fingerprint.
    error: Option<String>,
}

/// Rules by position, and differences by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Expected {
    outranked: Option<Vec<String>>,
    passed_over: Option<Vec<String>>,
    near_misses: Option<Vec<String>>,
    scrubbed: bool,
}

fn ok() -> u16 {
    200
}

#[test]
fn every_login_is_decided_as_written() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/logins.json")).unwrap();
    assert!(vectors.cases.len() >= 190);
    for case in &vectors.cases {
        let mut login = vectors.defaults.clone();
        login.extend(case.login.clone());
        check(case, &login);
    }
}

fn check(case: &Case, login: &Map<String, Value>) {
    let name = &case.name;
    let outcome = ack_ram_core_wasm::run(&serde_json::to_vec(login).unwrap());
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    assert_eq!(outcome["code"], *case.code, "{name}: {outcome}");
    assert_eq!(outcome["status"], case.status, "{name}");

    let answer: Value = serde_json::from_str(outcome["answer"].as_str().unwrap()).unwrap();
    assert!(answer.get("spec").is_none(), "{name}: the token goes back");
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
    if let Some(expected) = &case.error {
        let fingerprint = Fingerprint::of(login["token"].as_str().unwrap());
        let expected = expected.replace("REF", &fingerprint.to_string());
        let told = answer["status"].get("error").or(answer.get("message"));
        assert_eq!(told, Some(&Value::String(expected)), "{name}");
    }
}

/// How many stages a login has passed that ends with `code`.
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

fn check_explanation(case: &Case, explanation: &Value) {
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
        let told: Vec<&str> = explanation[member]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item.pointer(path)?.as_str())
            .collect();
        assert_eq!(told, *expected, "{name}: {member}");
    }
    assert_eq!(
        explanation.get("identity").is_none(),
        expected.scrubbed,
        "{name}"
    );
}
