//! What `README.md` says of the configuration.

use std::collections::BTreeSet;

use ack_ram_envoy::Settings;

const README: &str = include_str!("../README.md");

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The keys of `json` at the place of the one that is unknown, as the refusal lists them.
fn known_keys(json: &str) -> Vec<String> {
    let refusal = Settings::parse(json.as_bytes()).err();
    let refusal = refusal.map_or_else(String::new, |error| error.to_string());
    let listed = refusal.split("?` is unknown; here may be ").nth(1);
    let known_keys = quoted(listed.unwrap_or_default());
    known_keys.map(str::to_owned).collect()
}

/// What has to be there, and `more`.
fn minimal_configuration_with(more: &str) -> String {
    format!(r#"{{"clusterID": "", "sts": {{"cluster": ""}}, {more}}}"#)
}

#[test]
fn configuration_table_lists_all_keys() {
    let mut expected = BTreeSet::new();
    for (place, json) in [
        ("", minimal_configuration_with(r#""?": 0"#)),
        (
            "sts.",
            r#"{"clusterID": "", "sts": {"cluster": "", "?": 0}}"#.to_owned(),
        ),
        ("token.", minimal_configuration_with(r#""token": {"?": 0}"#)),
        ("cache.", minimal_configuration_with(r#""cache": {"?": 0}"#)),
        (
            "upstream.",
            minimal_configuration_with(r#""upstream": {"?": 0}"#),
        ),
        (
            "mapUsers[].",
            minimal_configuration_with(r#""mapUsers": [{"userARN": "", "username": "", "?": 0}]"#),
        ),
        (
            "mapRoles[].",
            minimal_configuration_with(r#""mapRoles": [{"roleARN": "", "username": "", "?": 0}]"#),
        ),
        (
            "mapRules[].",
            minimal_configuration_with(r#""mapRules": [{"?": 0}]"#),
        ),
        (
            "userValidationRules[].",
            minimal_configuration_with(
                r#""userValidationRules": [{"expression": "", "message": "", "?": 0}]"#,
            ),
        ),
    ] {
        let known_keys = known_keys(&json);
        assert!(!known_keys.is_empty(), "{json}");
        expected.extend(known_keys.iter().map(|key| format!("{place}{key}")));
    }
    // Their members are in the table.
    for object in ["sts", "token", "cache", "upstream"] {
        assert!(expected.remove(object), "{object}");
    }

    let (_, table) = README
        .split_once("| key | default | what it says |\n|---|---|---|\n")
        .unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let documented: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(quoted)
        .collect();
    let unique: BTreeSet<String> = documented.iter().map(ToString::to_string).collect();
    assert_eq!(unique, expected);
    assert_eq!(documented.len(), unique.len(), "a key is there twice");
}

#[test]
fn configuration_example_is_valid() {
    let (_, example) = README.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    Settings::parse(example.as_bytes()).unwrap();
}
