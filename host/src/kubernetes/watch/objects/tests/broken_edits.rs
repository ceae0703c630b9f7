//! The edits of `tests/vectors/broken-edits.yaml`, made in objects.

use ack_ram_config::last_good::DEFAULT_LAST_GOOD_TTL;
use ack_ram_tests::broken_edits::{self, Fate, Keeps, ListEdit};

use super::*;
use crate::backends::tests::{line, logged};

/// Returns the sorted mappings in effect, in the format of the table.
fn lines(scene: &Scene) -> Vec<String> {
    let rules = scene.live.snapshot();
    let rules = rules.backends()[0].rules();
    let mut lines: Vec<String> = rules.into_iter().map(line).collect();
    lines.sort();
    lines
}

/// Makes each edit of `edits`. Each entry of a list is an object.
fn check_lists(edits: &[ListEdit]) {
    for edit in edits {
        let name = &edit.name;
        let events = |list: &Value, generation: i64| {
            let mut events = vec![ListBegins];
            for (index, spec) in list.as_array().unwrap().iter().enumerate() {
                let mut spec = spec.clone();
                let fields = spec.as_object_mut();
                if let Some(fields) = fields.filter(|fields| !fields.contains_key("arn")) {
                    fields.insert("arn".to_owned(), json!(""));
                }
                let name = format!("object-{index}");
                events.push(Listed(object(&name, &name, generation, &spec)));
            }
            events.push(ListEnds);
            events
        };
        let mut scene = Scene::after_events(events(&edit.before, 1));
        assert!(!scene.usernames().is_empty(), "{name}");
        for generation in [2, 3] {
            scene.now = scene.now.plus_seconds(60);
            scene.apply_events(events(&edit.after, generation));
            assert_eq!(lines(&scene), edit.objects_in_effect(), "{name}");
            let notes = scene.notes();
            let fates = notes.refused.keys().map(|name| {
                let effect = notes.in_effect.get(name);
                if effect.is_some_and(|effect| effect.retention.is_some()) {
                    Fate::Kept
                } else {
                    Fate::Lost
                }
            });
            let fates: Vec<Fate> = fates.collect();
            assert_eq!(fates, edit.objects_refused(), "{name}");
        }
        let until = NOW.plus_seconds(60 + DEFAULT_LAST_GOOD_TTL);
        scene.live.expire(until);
        let mut effects = scene.notes().in_effect.into_values();
        assert!(effects.all(|effect| effect.retention.is_none()), "{name}");
    }
}

#[test]
fn broken_object_keeps_what_both_texts_give() {
    check_lists(&broken_edits::table().lists);
}

#[cfg(feature = "cel")]
#[test]
fn broken_rule_keeps_what_both_texts_give() {
    check_lists(&broken_edits::table().rules);
}

#[test]
fn broken_object_is_kept_and_logged_as_in_documents() {
    let good =
        r#"{"arn": "acs:ram::1:role/dev", "username": "dev:{{AccountID}}", "groups": ["dev"]}"#;
    let object = |text: &str, generation: i64| {
        let spec = serde_json::from_str(text).ok()?;
        Some(Changed(object("dev", "1", generation, &spec)))
    };
    let mut count = 0;
    for edit in &broken_edits::table().entries {
        let name = &edit.name;
        let text = edit.apply(good);
        // Some edits produce invalid JSON, and others change keys that objects do not have.
        let changed = object(&text, 2).filter(|_| text != good && !edit.documents_only);
        let Some(changed) = changed else { continue };
        let mut scene = Scene::after_events(vec![ListBegins, ListEnds]);
        scene.apply_events(vec![object(good, 1).unwrap()]);
        let log = logged(|| {
            scene.apply_events(vec![changed]);
        });
        let expected = match edit.keeps {
            Keeps::All => Some("acs:ram::1:role/dev = dev:{{AccountID}} dev"),
            Keeps::NoGroups => Some("acs:ram::1:role/dev = dev:{{AccountID}}"),
            Keeps::Nothing => None,
        };
        assert_eq!(lines(&scene), Vec::from_iter(expected), "{name}: {log}");
        let says = match expected {
            Some(_) => "; kept: ",
            None => "; it maps no identity, and nothing is kept",
        };
        assert!(log.contains(says), "{name}: {log}");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}
