//! Broken edits of a document with the three lists, as text that is JSON and so YAML, too.

use std::collections::BTreeMap;

use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::people::{OTHER_ACCOUNT, Person};

/// The lists by key.
pub type Lists = BTreeMap<&'static str, String>;

/// A document that maps a role, two people and another account.
pub fn good(people: [Person; 2]) -> Lists {
    let [one, other] = people.map(|person| person.entry(&person.name()).to_string());
    let role = json!({"roleARN": demo::ROLE_ARN, "username": "dev", "groups": ["mapped"]});
    BTreeMap::from([
        ("mapRoles", format!("[{role}]")),
        ("mapUsers", format!("[{one}, {other}]")),
        ("mapAccounts", format!("[\"{OTHER_ACCOUNT}\"]")),
    ])
}

type Change = fn(&str) -> String;

/// Breaks the list of one entry, or the first of two, so that its newest text still gives the same user. What becomes of
/// other edits, the tests of the server say.
const ENTRIES: &[(&str, Change)] = &[
    ("a further group that is a map", |t| {
        groups(t, "[\"mapped\", {\"a\": \"b\"}]")
    }),
    ("a further group that is an empty map", |t| {
        groups(t, "[\"mapped\", {}]")
    }),
    ("a further group that is a boolean", |t| {
        groups(t, "[\"mapped\", true]")
    }),
    ("a further group that is a list", |t| {
        groups(t, "[\"mapped\", [\"ops\"]]")
    }),
    ("a further group that is nothing", |t| {
        groups(t, "[\"mapped\", null]")
    }),
    ("a further group that is empty", |t| {
        groups(t, "[\"mapped\", \"\"]")
    }),
    ("a further group with an unknown variable", |t| {
        groups(t, "[\"mapped\", \"{{X}}\"]")
    }),
    ("a misspelt key of the ARN", |t| {
        t.replacen("ARN\"", "Arm\"", 1)
    }),
    ("another key for the ARN", |t| {
        t.replacen("roleARN", "arn", 1)
            .replacen("userARN", "arn", 1)
    }),
    ("a wrong prefix", |t| t.replacen("acs:ram::", "acs:ram:", 1)),
    ("a wrong kind", |t| {
        t.replacen(":role/", ":rol/", 1)
            .replacen(":user/", ":usr/", 1)
    }),
];

/// Breaks the text of any list.
const LISTS: &[(&str, Change)] = &[
    ("cut off in the middle", |t| {
        t.chars().take(t.chars().count() / 2).collect()
    }),
    ("cut off at the end", |t| {
        t.chars().take(t.chars().count() - 1).collect()
    }),
    ("one bracket too many", |t| format!("{t}]")),
    ("an unclosed quote", |t| format!("{t} \"")),
    ("an unknown alias inside", |_| "[*nobody]".to_owned()),
    ("nested too deep", |_| "[".repeat(100) + &"]".repeat(100)),
    ("a map", |_| "{\"a\": \"b\"}".to_owned()),
    ("a number", |_| "17".to_owned()),
    ("a boolean", |_| "true".to_owned()),
    ("a BEL inside", |t| t.replacen('[', "[\u{7}", 1)),
];

/// Each edit, with its name.
pub fn edits(good: &Lists) -> Vec<(String, Lists)> {
    let kinds: [(&str, &[(&str, Change)]); 5] = [
        ("mapRoles", ENTRIES),
        ("mapUsers", ENTRIES),
        ("mapRoles", LISTS),
        ("mapUsers", LISTS),
        ("mapAccounts", LISTS),
    ];
    let edits = kinds.into_iter().flat_map(|(key, changes)| {
        changes.iter().map(move |(name, change)| {
            let mut lists = good.clone();
            let text = lists.get_mut(key).unwrap();
            let changed = change(text);
            assert_ne!(*text, changed, "{key}: {name}");
            *text = changed;
            (format!("{key}: {name}"), lists)
        })
    });
    let edits: Vec<_> = edits.collect();
    assert!(edits.len() >= 50, "{}", edits.len());
    edits
}

fn groups(text: &str, value: &str) -> String {
    swap(text, "\"groups\":", value)
}

/// Gives the first `key` another value in place of its own, which is text or a list of one text.
fn swap(text: &str, key: &str, value: &str) -> String {
    let start = text.find(key).unwrap() + key.len();
    let rest = &text[start..];
    let end = if rest.starts_with('[') {
        rest.find(']').unwrap() + 1
    } else {
        rest[1..].find('"').unwrap() + 2
    };
    format!("{}{value}{}", &text[..start], &rest[end..])
}
