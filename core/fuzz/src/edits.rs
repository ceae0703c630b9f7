//! The target for edits of a document with mappings: checks the last good forms of broken mappings.

use std::collections::BTreeSet;

use ack_ram_config::document;
use ack_ram_config::last_good::{LastGood, RetentionBasis, RetentionPolicy, Update};
use ack_ram_config::yaml::{self, Node, Value};
use ack_ram_core::rules::{Backend, Rule, WildcardMode};
use ack_ram_core::time::UnixTime;

/// The text between two documents.
const SEPARATOR: &str = "\n=====\n";
const MAX_DOCUMENTS: usize = 3;
const TTL: i64 = 1_000;
/// The seconds between two edits.
const LATER: i64 = 400;

/// Applies the documents of the input in turn, as the backend DynamicFile does.
pub fn edits(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let mut last_good = LastGood::new(Backend::DynamicFile);
    let mut before: Vec<Rule> = Vec::new();
    let documents = text.split(SEPARATOR).take(MAX_DOCUMENTS);
    for (number, text) in (0..).zip(documents) {
        let now = UnixTime::from_seconds(number * LATER);
        let terms = RetentionPolicy {
            now,
            ttl: TTL,
            protected: None,
        };
        let read = document::parse_dynamic_file("d.json", text, WildcardMode::Enabled);
        let is_readable = read.is_ok();
        let update = match read {
            Ok(document) => last_good.apply(document.mappings, &terms),
            Err(why) => last_good.keep_last_good(&why, &terms),
        };
        let newest = yaml::parse(text).ok().filter(|_| is_readable);
        check_update(&update, &before, newest.as_ref(), now);
        before = update.rules;
    }
}

fn check_update(update: &Update, before: &[Rule], newest: Option<&Node>, now: UnixTime) {
    for rule in &update.rules {
        let position = &rule.source().position;
        let Some(kept) = &update.in_effect[position].retention else {
            assert!(newest.is_some(), "{position} is not in the newest text");
            continue;
        };
        assert!(now < kept.until, "{position} has expired");
        assert_eq!(kept.until.seconds_since(kept.since), TTL);
        let (username, groups) = rule.raw_names();
        let previous_rule = before.iter().find(|last| {
            let all = last.raw_names().1;
            last.subject() == rule.subject() && groups.iter().all(|group| all.contains(group))
        });
        let previous_rule =
            previous_rule.unwrap_or_else(|| panic!("{position} was not in effect before"));
        match (kept.basis, newest) {
            (RetentionBasis::Protected, _) => panic!("no identity is protected"),
            (RetentionBasis::Unreadable, None) => {
                assert_eq!(previous_rule.subject(), rule.subject());
            }
            (RetentionBasis::Unreadable, Some(root)) => {
                let is_list = |value: &Value| matches!(value, Value::List(_));
                let list = find_list(root, position);
                assert!(!list.is_some_and(is_list), "{position} is valid");
            }
            (RetentionBasis::BothTexts, None) => panic!("{position}: there is no newest text"),
            (RetentionBasis::BothTexts, Some(root)) => {
                let entry = find_list(root, position).and_then(|list| find_entry(list, position));
                let entry = entry.unwrap_or_else(|| panic!("{position} is not in the newest text"));
                let mut texts = BTreeSet::new();
                collect_texts(entry, &mut texts);
                for group in groups {
                    // As in Go, a text is split into groups at commas.
                    let is_part =
                        |text: &String| text.split(',').any(|part| part.trim() == &**group);
                    let is_present = texts.contains(&**group) || texts.iter().any(is_part);
                    assert!(is_present, "{position}: the newest text lacks {group}");
                }
                let subject = rule.subject().to_string();
                let name = subject.rsplit([':', '/']).next().unwrap_or_default();
                let names_subject = |text: &String| {
                    text.eq_ignore_ascii_case(&subject)
                        || (text.starts_with('a') && text.ends_with(name))
                };
                assert!(
                    texts.iter().any(names_subject),
                    "{position}: the newest text does not contain {subject}"
                );
                let is_near = |text: &String| text.len().abs_diff(username.len()) <= 8;
                assert!(
                    texts.iter().any(is_near),
                    "{position}: the newest text contains no similar username"
                );
            }
        }
    }
}

/// Returns the list that contains `position` in a document. The key of the list may be misspelled.
fn find_list<'a>(root: &'a Node, position: &str) -> Option<&'a Value> {
    let key = position.split('[').next()?;
    let Value::Map(entries) = &root.value else {
        return None;
    };
    let exact = entries
        .iter()
        .find(|(name, _)| name.name.eq_ignore_ascii_case(key));
    let misspelled = || {
        // The last misspelled key takes precedence.
        entries.iter().rev().find(|(name, _)| {
            let name = name.name.to_ascii_lowercase();
            name.starts_with('m')
                && name.len().abs_diff(key.len()) <= 4
                && is_misspelling(&name, key)
        })
    };
    exact.or_else(misspelled).map(|(_, node)| &node.value)
}

/// Returns whether `name` is `key` with one letter inserted, omitted or replaced, or with two letters swapped.
fn is_misspelling(name: &str, key: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let key: Vec<char> = key.to_ascii_lowercase().chars().collect();
    let same = name.iter().zip(&key).take_while(|(a, b)| a == b).count();
    let (a, b) = (&name[same..], &key[same..]);
    a == b
        || (!a.is_empty() && !b.is_empty() && a[1..] == b[1..])
        || (!a.is_empty() && a[1..] == *b)
        || (!b.is_empty() && *a == b[1..])
        || (a.len() > 1 && b.len() > 1 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..])
}

fn find_entry<'a>(list: &'a Value, position: &str) -> Option<&'a Value> {
    let index = position.split(['[', ']']).nth(1)?.parse::<usize>().ok()?;
    match list {
        Value::List(items) => items.get(index).map(|node| &node.value),
        _ => None,
    }
}

/// Collects all texts in `value`.
fn collect_texts(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Text(text) | Value::Number(text) => {
            texts.insert(text.clone());
        }
        Value::List(items) => {
            for item in items {
                collect_texts(&item.value, texts);
            }
        }
        Value::Map(entries) => {
            for (_, node) in entries {
                collect_texts(&node.value, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Unquoted(_) | Value::ComplexMap => {}
    }
}
