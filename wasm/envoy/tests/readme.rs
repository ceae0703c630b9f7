//! Checks that the configuration in `README.md` is complete and valid.

use std::collections::BTreeSet;

use ack_ram_envoy::Settings;

const README: &str = include_str!("../README.md");
const EXAMPLE: &str = include_str!("../../../deploy/envoy/envoy.yaml");

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the known keys of the object in `json` that has the unknown key `?`, as the error lists them.
fn known_keys(json: &str) -> Vec<String> {
    let error = Settings::parse(json.as_bytes()).err();
    let error = error.map_or_else(String::new, |error| error.to_string());
    let listed = error.split("?` is an unknown key; known keys are ").nth(1);
    let known_keys = quoted(listed.unwrap_or_default());
    known_keys.map(str::to_owned).collect()
}

/// Returns a configuration with the required keys and `more`. The values are not valid.
fn minimal_configuration_with(more: &str) -> String {
    format!(r#"{{"clusterID": "", "sts": {{"cluster": ""}}, {more}}}"#)
}

#[test]
fn configuration_tables_list_every_key_once() {
    let mut expected = BTreeSet::new();
    for (prefix, json) in [
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
        expected.extend(known_keys.iter().map(|key| format!("{prefix}{key}")));
    }
    // The tables have only the members of these objects.
    for object in ["sts", "token", "cache", "upstream"] {
        assert!(expected.remove(object), "{object}");
    }

    let tables = README
        .split("| key | default | description |\n|---|---|---|\n")
        .skip(1);
    let rows = tables.flat_map(|table| table.lines().take_while(|line| line.starts_with('|')));
    let documented: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(quoted)
        .collect();
    let unique: BTreeSet<String> = documented.iter().map(ToString::to_string).collect();
    assert_eq!(unique, expected);
    assert_eq!(
        documented.len(),
        unique.len(),
        "duplicate key in the tables"
    );
}

/// Returns the code blocks in `language`.
fn code_blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = README.split(&start).skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .collect()
}

/// Adds the required keys that `example` does not have.
fn complete(example: &str) -> String {
    let mut required = String::new();
    for (key, member) in [
        ("clusterID", r#""clusterID": "c1", "#),
        ("sts", r#""sts": { "cluster": "sts" }, "#),
        (
            "mapUsers",
            r#""mapUsers": [{ "userARN": "acs:ram::1:user/alice", "username": "alice" }], "#,
        ),
    ] {
        if !example.contains(&format!("\"{key}\":")) {
            required.push_str(member);
        }
    }
    example.replacen('{', &format!("{{{required}"), 1)
}

#[test]
fn configuration_examples_are_valid() {
    let examples = code_blocks("json");
    assert!(examples.len() >= 9, "{examples:?}");
    Settings::parse(examples[0].as_bytes()).unwrap();
    for example in examples {
        let has_expression = example.contains("xpression\":");
        if cfg!(feature = "cel") || !has_expression {
            let settings = Settings::parse(complete(example).as_bytes());
            settings.unwrap_or_else(|error| panic!("{error}: {example}"));
        }
    }
}

#[test]
fn filter_in_readme_is_the_one_of_the_example() {
    let lines: BTreeSet<&str> = EXAMPLE.lines().map(str::trim).collect();
    let blocks = code_blocks("yaml");
    assert_eq!(blocks.len(), 1);
    for line in blocks[0].lines().map(str::trim) {
        assert!(lines.contains(line), "{line}");
    }
}
