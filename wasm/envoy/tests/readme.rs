//! What `README.md` says of the configuration.

use std::collections::BTreeSet;

use ack_ram_envoy::Settings;

const README: &str = include_str!("../README.md");

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The keys of `json` at the place of the one that is unknown, as the refusal lists them.
fn keys(json: &str) -> Vec<String> {
    let refusal = Settings::parse(json.as_bytes()).err();
    let refusal = refusal.map_or_else(String::new, |error| error.to_string());
    let listed = refusal.split("unknown field `?`, expected ").nth(1);
    let keys = quoted(listed.unwrap_or_default());
    keys.map(str::to_owned).collect()
}

#[test]
fn the_table_has_all_keys_and_no_others() {
    let mut expected = BTreeSet::new();
    for (place, json) in [
        ("", r#"{"?": 0}"#),
        ("sts.", r#"{"sts": {"?": 0}}"#),
        ("token.", r#"{"token": {"?": 0}}"#),
        ("cache.", r#"{"cache": {"?": 0}}"#),
        ("upstream.", r#"{"upstream": {"?": 0}}"#),
        ("mapUsers[].", r#"{"mapUsers": [{"?": 0}]}"#),
        ("mapRoles[].", r#"{"mapRoles": [{"?": 0}]}"#),
        ("mapRules[].", r#"{"mapRules": [{"?": 0}]}"#),
        (
            "userValidationRules[].",
            r#"{"userValidationRules": [{"?": 0}]}"#,
        ),
    ] {
        let keys = keys(json);
        assert!(!keys.is_empty(), "{json}");
        expected.extend(keys.iter().map(|key| format!("{place}{key}")));
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
fn the_example_is_taken() {
    let (_, example) = README.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    Settings::parse(example.as_bytes()).unwrap();
}
