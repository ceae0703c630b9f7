use std::collections::BTreeMap;

use ack_ram_core::rules::RuleSet;
use serde_json::{Value, json};

mod broken_edits;
mod edit_sequences;
mod failures;
mod rivals;

use super::*;

pub(super) const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);

/// An event from the API server.
pub(super) enum WatchEvent {
    ListBegins,
    Listed(MappingObject),
    ListEnds,
    Changed(MappingObject),
    Deleted(&'static str),
}
use WatchEvent::{Changed, Deleted, ListBegins, ListEnds, Listed};

impl From<WatchEvent> for Event<MappingObject> {
    fn from(event: WatchEvent) -> Self {
        match event {
            ListBegins => Self::Init,
            Listed(object) => Self::InitApply(object),
            ListEnds => Self::InitDone,
            Changed(object) => Self::Apply(object),
            Deleted(name) => Self::Delete(object(name, "deleted", 1, &json!({}))),
        }
    }
}

pub(super) fn object(name: &str, uid: &str, generation: i64, spec: &Value) -> MappingObject {
    serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "uid": uid,
            "generation": generation,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": spec,
    }))
    .unwrap()
}

fn spec(user: &str, username: &str) -> Value {
    json!({"arn": format!("acs:ram::1000000000000001:user/{user}"), "username": username})
}

/// Returns an object that maps the user with the same name.
fn valid_object(name: &str, uid: &str, generation: i64, username: &str) -> MappingObject {
    object(name, uid, generation, &spec(name, username))
}

/// Returns such an object with an invalid group.
fn broken_object(name: &str, uid: &str, generation: i64) -> MappingObject {
    object(name, uid, generation, &with_broken_group(spec(name, name)))
}

fn with_broken_group(mut spec: Value) -> Value {
    spec["groups"] = json!(["{{Nonsense}}"]);
    spec
}

pub(super) struct Scene {
    pub(super) live: LiveRules,
    objects: ObjectStore,
    pub(super) now: UnixTime,
}

impl Scene {
    fn new() -> Self {
        let rules = RuleSet::new(
            vec![BackendRules::new_unsynced(Backend::Crd)],
            std::collections::BTreeSet::new(),
        );
        Self {
            live: LiveRules::new(rules, NOW),
            objects: ObjectStore::default(),
            now: NOW,
        }
    }

    pub(super) fn after_events(events: Vec<WatchEvent>) -> Self {
        let mut scene = Self::new();
        scene.apply_events(events);
        scene
    }

    pub(super) fn apply_events(&mut self, events: Vec<WatchEvent>) -> Vec<String> {
        let events = events.into_iter().map(Event::from);
        let touched = self.objects.apply_events(events, &self.live, self.now);
        touched.iter().map(|name| name.to_string()).collect()
    }

    /// Returns the usernames in effect, by object.
    fn usernames(&self) -> BTreeMap<String, String> {
        let rules = self.live.snapshot();
        let rules = rules.backends()[0].rules();
        let names = rules.into_iter().map(|rule| {
            (
                rule.source().position.clone(),
                rule.raw_names().0.to_owned(),
            )
        });
        names.collect()
    }

    fn is_synced(&self) -> bool {
        self.live.snapshot().backends()[0].is_synced()
    }

    fn notes(&self) -> BackendNotes {
        self.live.inspect(|_, notes| notes.clone()).remove(0)
    }
}

#[test]
fn rules_follow_watch_events() {
    let being_deleted = || {
        let mut object = valid_object("ann", "1", 2, "ann");
        object.meta_mut().deletion_timestamp = object.meta().creation_timestamp.clone();
        object
    };
    let listed = |objects: Vec<MappingObject>| {
        let mut events = vec![ListBegins];
        events.extend(objects.into_iter().map(Listed));
        events.push(ListEnds);
        events
    };
    let then = |mut events: Vec<WatchEvent>, more: Vec<WatchEvent>| {
        events.extend(more);
        events
    };
    let ann = || valid_object("ann", "1", 1, "ann");
    let bob = || valid_object("bob", "2", 1, "bob");
    let blank = |generation| object("ann", "1", generation, &json!({"arn": "", "username": "x"}));
    for (case, events, expected) in [
        (
            "an incomplete list",
            vec![ListBegins, Listed(ann())],
            "not synced",
        ),
        (
            "a complete list",
            listed(vec![ann(), bob()]),
            "ann=ann bob=bob",
        ),
        ("an empty list", listed(vec![]), ""),
        (
            "an interrupted list",
            then(vec![ListBegins, Listed(ann())], listed(vec![bob()])),
            "bob=bob",
        ),
        (
            "a later list without an object",
            then(listed(vec![ann(), bob()]), listed(vec![bob()])),
            "bob=bob",
        ),
        (
            "an incomplete later list removes no object",
            then(listed(vec![ann(), bob()]), vec![ListBegins, Listed(bob())]),
            "ann=ann bob=bob",
        ),
        (
            "two interrupted lists and a complete list",
            then(
                listed(vec![ann(), bob()]),
                then(
                    vec![ListBegins, Listed(ann()), ListBegins],
                    listed(vec![bob()]),
                ),
            ),
            "bob=bob",
        ),
        (
            "a watch",
            then(
                listed(vec![ann()]),
                vec![
                    Changed(bob()),
                    Changed(valid_object("ann", "1", 2, "anne")),
                    Deleted("bob"),
                    Deleted("unknown"),
                ],
            ),
            "ann=anne",
        ),
        (
            "a broken edit",
            then(
                listed(vec![ann()]),
                vec![Changed(broken_object("ann", "1", 2))],
            ),
            "ann=ann",
        ),
        (
            "a broken edit in a list",
            then(
                listed(vec![ann()]),
                listed(vec![broken_object("ann", "1", 2)]),
            ),
            "ann=ann",
        ),
        (
            "a broken edit that is corrected",
            then(
                listed(vec![ann()]),
                vec![
                    Changed(broken_object("ann", "1", 2)),
                    Changed(valid_object("ann", "1", 3, "anne")),
                ],
            ),
            "ann=anne",
        ),
        (
            "a broken edit, then deleted",
            then(
                listed(vec![ann()]),
                vec![Changed(broken_object("ann", "1", 2)), Deleted("ann")],
            ),
            "",
        ),
        (
            "a new object that is broken",
            listed(vec![broken_object("ann", "1", 1), bob()]),
            "bob=bob",
        ),
        (
            "another broken object with the same name keeps no last good form",
            then(
                listed(vec![ann()]),
                listed(vec![broken_object("ann", "9", 1)]),
            ),
            "",
        ),
        (
            "another object with the same name and generation",
            then(
                listed(vec![ann()]),
                listed(vec![valid_object("ann", "9", 1, "other")]),
            ),
            "ann=other",
        ),
        (
            "another spec with the same generation, after a restore from a backup",
            then(
                listed(vec![ann()]),
                listed(vec![valid_object("ann", "1", 1, "restored")]),
            ),
            "ann=restored",
        ),
        (
            "an empty ARN",
            then(listed(vec![ann()]), vec![Changed(blank(2))]),
            "",
        ),
        (
            "an empty ARN, then broken",
            then(
                listed(vec![ann()]),
                vec![Changed(blank(2)), Changed(broken_object("ann", "1", 3))],
            ),
            "",
        ),
        (
            "being deleted, with a finalizer",
            then(listed(vec![ann()]), vec![Changed(being_deleted())]),
            "",
        ),
        (
            "being deleted, in a list",
            then(listed(vec![ann()]), listed(vec![being_deleted()])),
            "",
        ),
        (
            "being deleted, then deleted",
            then(
                listed(vec![ann()]),
                vec![Changed(being_deleted()), Deleted("ann")],
            ),
            "",
        ),
    ] {
        let scene = Scene::after_events(events);
        let usernames = scene.usernames();
        let usernames = usernames
            .iter()
            .map(|(name, user)| format!("{name}={user}"));
        let usernames = usernames.collect::<Vec<_>>().join(" ");
        let got = if scene.is_synced() {
            &usernames
        } else {
            "not synced"
        };
        assert_eq!(got, expected, "{case}");
    }
}

#[test]
fn batching_of_events_does_not_matter() {
    let events = || {
        vec![
            ListBegins,
            Listed(valid_object("ann", "1", 1, "ann")),
            Listed(valid_object("bob", "2", 1, "bob")),
            ListEnds,
            Changed(broken_object("ann", "1", 2)),
            Deleted("bob"),
        ]
    };
    let together = Scene::after_events(events());
    let mut apart = Scene::new();
    for event in events() {
        apart.apply_events(vec![event]);
    }
    assert_eq!(together.usernames(), apart.usernames());
    assert_eq!(together.notes().refused, apart.notes().refused);
}

#[test]
fn zero_ttl_keeps_nothing() {
    let mut scene = Scene::after_events(vec![
        ListBegins,
        Listed(valid_object("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    scene.live.set_last_good_ttl(0);
    scene.apply_events(vec![Changed(broken_object("ann", "1", 2))]);
    assert!(scene.usernames().is_empty());

    let mut scene = Scene::after_events(vec![
        ListBegins,
        Listed(valid_object("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    scene.apply_events(vec![Changed(broken_object("ann", "1", 2))]);
    assert_eq!(scene.usernames().len(), 1);
    scene.live.set_last_good_ttl(60);
    assert_eq!(scene.live.expire(NOW.plus_seconds(59)).len(), 0);
    // The last good form has expired, even if `expire` has not run.
    scene.now = NOW.plus_seconds(60);
    scene.apply_events(vec![Changed(broken_object("ann", "1", 3))]);
    assert!(scene.usernames().is_empty());
}
