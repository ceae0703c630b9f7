//! Broken edits of a document with the three lists, as JSON text, which is YAML, too.

use std::collections::BTreeMap;

use ack_ram_tests::broken_edits;
use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::people::{OTHER_ACCOUNT, Person};

/// Texts of the lists by key.
pub type Lists = BTreeMap<&'static str, String>;

/// Returns a document that maps a role, two people, and another account.
pub fn good(people: [Person; 2]) -> Lists {
    let texts = entries(people).map(|(key, entries)| (key, format!("[{}]", entries.join(", "))));
    BTreeMap::from(texts)
}

/// Returns the entries of each list.
fn entries(people: [Person; 2]) -> [(&'static str, Vec<String>); 3] {
    let people = people.map(|person| person.entry(&person.name()).to_string());
    let role = json!({"roleARN": demo::ROLE_ARN, "username": "dev", "groups": ["mapped"]});
    [
        ("mapRoles", vec![role.to_string()]),
        ("mapUsers", people.to_vec()),
        ("mapAccounts", vec![format!("\"{OTHER_ACCOUNT}\"")]),
    ]
}

/// Returns edits that break one list of the document of `people`, one for each edit that the table has for real
/// servers. Each of these edits leaves the users unchanged. The tests of the server cover the other edits.
pub fn edits(people: [Person; 2]) -> Vec<(String, Lists)> {
    let table = broken_edits::table();
    let good = good(people);
    let mut edits = Vec::new();
    let mut add = |key, name: &str, text| {
        let mut lists = good.clone();
        let before = lists.insert(key, text);
        assert_ne!(before.as_ref(), lists.get(key), "{key}: {name}");
        edits.push((format!("{key}: {name}"), lists));
    };
    for (key, entries) in entries(people) {
        // The first of two entries is broken.
        let entry_edits = table.entries.iter().filter(|edit| edit.cluster);
        for edit in entry_edits.filter(|_| key != "mapAccounts") {
            let mut entries = entries.clone();
            entries[0] = edit.apply(&entries[0]);
            add(key, &edit.name, format!("[{}]", entries.join(", ")));
        }
        for edit in table.texts.iter().filter(|edit| edit.cluster) {
            add(key, &edit.name, edit.apply(&good[key]));
        }
    }
    assert!(edits.len() >= 50, "{}", edits.len());
    edits
}
