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

/// Breaks the list of one entry, or the first of two.
const ENTRIES: &[(&str, Change)] = &[
    ("no username", |t| t.replacen("\"username\"", "\"user\"", 1)),
    ("a username of nothing", |t| username(t, "null")),
    ("an empty username", |t| username(t, "\"\"")),
    ("a username that is a list", |t| username(t, "[\"a\"]")),
    ("a username that is a map", |t| {
        username(t, "{\"a\": \"b\"}")
    }),
    ("a username that is a boolean", |t| username(t, "true")),
    ("a username that is another number", |t| username(t, "0123")),
    ("a username that is a float", |t| username(t, "1.50")),
    ("a group that is a map", |t| groups(t, "[{\"a\": \"b\"}]")),
    ("an unknown variable", |t| username(t, "\"{{Nobody}}\"")),
    ("an unclosed variable", |t| username(t, "\"{{AccountID\"")),
    ("a control character", |t| username(t, "\"a\\nb\"")),
    ("a reserved name that the caller completes", |t| {
        username(t, "\"system:{{SessionName}}\"")
    }),
    ("a username twice", |t| {
        username(t, "\"a\", \"username\": \"b\"")
    }),
    ("a username twice but for case", |t| {
        username(t, "\"a\", \"uSERnAME\": \"b\"")
    }),
    ("groups that are a map", |t| groups(t, "{}")),
    ("groups that are a number", |t| groups(t, "7")),
    ("a group that is a list", |t| groups(t, "[[\"mapped\"]]")),
    ("a group that is nothing", |t| groups(t, "[null]")),
    ("a group that is empty", |t| groups(t, "[\"\"]")),
    ("a group with an unknown variable", |t| {
        groups(t, "[\"{{X}}\"]")
    }),
    ("a misspelt key of the ARN", |t| {
        t.replacen("ARN\"", "Arm\"", 1)
    }),
    ("another key for the ARN", |t| {
        t.replacen("roleARN", "arn", 1)
            .replacen("userARN", "arn", 1)
    }),
    ("the ARN's key in a crazy way", |t| {
        t.replacen("roleARN", "r_o_l_e_A_R_N", 1)
            .replacen("userARN", "U.S.E.R", 1)
    }),
    ("a wrong prefix", |t| t.replacen("acs:ram::", "acs:ram:", 1)),
    ("another cloud's prefix", |t| {
        t.replacen("acs:ram::", "arn:aws:iam::", 1)
    }),
    ("a wrong account", |t| t.replacen("ram::1", "ram::x1", 1)),
    ("no account", |t| {
        t.replacen(&format!("::{}:", demo::ACCOUNT), ":::", 1)
    }),
    ("a wrong kind", |t| {
        t.replacen(":role/", ":rol/", 1)
            .replacen(":user/", ":usr/", 1)
    }),
    ("no name", |t| {
        t.replacen(":role/", ":role/ ", 1)
            .replacen(":user/", ":user/ ", 1)
    }),
    ("an ARN that is too long", |t| {
        let long = "r".repeat(2_000);
        t.replacen("role/", &format!("role/{long}"), 1).replacen(
            "user/",
            &format!("user/{long}"),
            1,
        )
    }),
    ("a number in place of the entry", |t| {
        format!("[5{}", &t[t.find('}').unwrap() + 1..])
    }),
    ("text in place of the entry", |t| {
        format!("[\"x\"{}", &t[t.find('}').unwrap() + 1..])
    }),
];

const ACCOUNTS: &[(&str, Change)] = &[
    ("no digits", |_| "[\"x\"]".to_owned()),
    ("a letter", |t| t.replace('5', "l")),
    ("too long", |t| t.replace('5', &"5".repeat(40))),
    ("a list", |t| format!("[{t}]")),
    ("a map", |_| "[{\"a\": 1}]".to_owned()),
    ("true", |_| "[true]".to_owned()),
    ("a float", |_| "[1e3]".to_owned()),
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
    let kinds: [(&str, &[(&str, Change)]); 6] = [
        ("mapRoles", ENTRIES),
        ("mapUsers", ENTRIES),
        ("mapAccounts", ACCOUNTS),
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
    assert!(edits.len() >= 100, "{}", edits.len());
    edits
}

fn username(text: &str, value: &str) -> String {
    swap(text, "\"username\":", value)
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
