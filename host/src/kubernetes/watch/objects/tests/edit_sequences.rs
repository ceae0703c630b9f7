//! Reproducible random sequences of edits of objects. An object grants a group only if its newest text has the group. A
//! last good form stays in effect only for the same subject, and for a limited time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{NOW, Scene, WatchEvent, object};

const SEQUENCES: u64 = 100;
const EDITS: u64 = 30;
const TTL: i64 = 3_600;
const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];
const GROUPS: [&str; 3] = ["system:masters", "dev", "ops"];

/// Pseudorandom numbers (Knuth, "The Art of Computer Programming", volume 2, 3.3.4).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// The text of an edit.
struct Text {
    spec: Value,
    /// Whether the text is valid.
    is_good: bool,
    /// The user that the text maps.
    person: Option<&'static str>,
    groups: Vec<&'static str>,
}

fn text(numbers: &mut Numbers) -> Text {
    let name = *numbers.pick(&PEOPLE);
    let mut groups: Vec<&'static str> = GROUPS
        .into_iter()
        .filter(|_| numbers.below(3) > 0)
        .collect();
    let mut spec = json!({
        "arn": format!("acs:ram::1:user/{name}"),
        "username": "people:{{UserName}}",
        "groups": groups,
    });
    let mut person = Some(name);
    let kind = numbers.below(20);
    match kind {
        0 => spec["arn"] = json!(format!("acs:ram:1:user/{name}")),
        1 => spec["arn"] = json!(format!("acs:ram::1:usr/{name}")),
        2 => spec["username"] = json!("people:{{UserName}"),
        3 => spec["groups"].as_array_mut().unwrap().push(json!("{{No}}")),
        4 => {
            spec["groups"] = json!("dev");
            groups.clear();
        }
        5 => spec["match"] = json!("identity.userName == 'alice'"),
        _ => {}
    }
    let removes = [
        json!(""),
        json!("-"),
        json!("none"),
        json!(null),
        json!([]),
        json!(format!("DISABLED-acs:ram::1:user/{name}")),
        json!(format!("acs:ram:1:user/{}", name.to_uppercase())),
    ];
    match kind {
        6 => {
            spec["arn"] = numbers.pick(&removes).clone();
            person = None;
        }
        7 => {
            spec["username"] = json!("{{No}}");
            person = None;
        }
        8 => {
            spec["arn"] = json!("");
            spec["arnPattern"] = json!(format!("acs:ram::1:user/{name}"));
            spec["mtach"] = json!("false");
            person = None;
        }
        _ => {}
    }
    Text {
        spec,
        is_good: kind > 8,
        person,
        groups,
    }
}

#[test]
fn kept_object_grants_only_groups_of_newest_text() {
    for seed in 0..SEQUENCES {
        let mut numbers = Numbers(seed);
        let mut scene = Scene::after_events(vec![WatchEvent::ListBegins, WatchEvent::ListEnds]);
        scene.live.set_last_good_ttl(TTL);
        let names = ["one", "two", "three"];
        let mut texts: BTreeMap<&str, Option<Text>> = BTreeMap::new();
        let mut broken_since = BTreeMap::new();
        let mut before = BTreeSet::new();
        for edit in 0..EDITS {
            let generation = i64::try_from(edit + 1).unwrap();
            scene.now = scene.now.plus_seconds(*numbers.pick(&[0, 1, 600, TTL]));
            scene.live.expire(scene.now);
            let name = *numbers.pick(&names);
            if numbers.below(10) == 0 {
                scene.apply_events(vec![WatchEvent::Deleted(name)]);
                texts.insert(name, None);
                broken_since.remove(name);
            } else {
                let text = text(&mut numbers);
                let uid = format!("uid-{name}");
                let edited = object(name, &uid, generation, &text.spec);
                scene.apply_events(vec![WatchEvent::Changed(edited)]);
                if text.is_good {
                    broken_since.remove(name);
                } else {
                    broken_since.entry(name).or_insert(scene.now);
                }
                texts.insert(name, Some(text));
            }
            let mut after = BTreeSet::new();
            let rules = scene.live.snapshot();
            for rule in rules.backends()[0].rules() {
                let position = rule.source().position.as_str();
                let case = format!("seed {seed}, edit {edit}, {position}: {rule:?}");
                let text = texts.get(position).and_then(Option::as_ref);
                let text = text.unwrap_or_else(|| panic!("{case} is deleted"));
                let subject = rule.subject().to_string();
                let person = text
                    .person
                    .unwrap_or_else(|| panic!("{case} has no subject"));
                assert_eq!(subject, format!("acs:ram::1:user/{person}"), "{case}");
                if let Some(since) = broken_since.get(position) {
                    assert!(
                        scene.now.seconds_since(*since) < TTL,
                        "{case} stays too long"
                    );
                }
                for group in rule.raw_names().1 {
                    assert!(text.groups.contains(&&**group), "{case}: {group}");
                    let key = (position.to_owned(), subject.clone(), group.to_string());
                    assert!(
                        text.is_good || before.contains(&key),
                        "{case}: {group} is new or was restored"
                    );
                    after.insert(key);
                }
            }
            before = after;
        }
        assert!(scene.now >= NOW);
    }
}
