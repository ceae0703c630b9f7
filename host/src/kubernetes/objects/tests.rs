use std::collections::BTreeMap;
use std::time::Duration;

use ack_ram_core::rules::RuleSet;
use serde_json::{Value, json};

mod broken_edits;

use super::*;

pub(super) const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);

/// What the API server tells.
pub(super) enum Told {
    ListBegins,
    Listed(MappingObject),
    ListEnds,
    Changed(MappingObject),
    Deleted(&'static str),
}
use Told::{Changed, Deleted, ListBegins, ListEnds, Listed};

impl From<Told> for Event<MappingObject> {
    fn from(told: Told) -> Self {
        match told {
            ListBegins => Self::Init,
            Listed(object) => Self::InitApply(object),
            ListEnds => Self::InitDone,
            Changed(object) => Self::Apply(object),
            Deleted(name) => Self::Delete(object(name, "gone", 1, &json!({}))),
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

/// An object that lets the user of its own name in.
fn good(name: &str, uid: &str, generation: i64, username: &str) -> MappingObject {
    object(name, uid, generation, &spec(name, username))
}

/// The same with a group that is broken.
fn broken(name: &str, uid: &str, generation: i64) -> MappingObject {
    object(name, uid, generation, &with_broken_group(spec(name, name)))
}

fn with_broken_group(mut spec: Value) -> Value {
    spec["groups"] = json!(["{{Nonsense}}"]);
    spec
}

pub(super) struct Scene {
    pub(super) live: LiveRules,
    objects: Objects,
    pub(super) now: UnixTime,
}

impl Scene {
    fn new() -> Self {
        let rules = RuleSet::new(
            vec![BackendRules::unread(Backend::Crd)],
            std::collections::BTreeSet::new(),
        );
        Self {
            live: LiveRules::new(rules, NOW),
            objects: Objects::default(),
            now: NOW,
        }
    }

    pub(super) fn with(told: Vec<Told>) -> Self {
        let mut scene = Self::new();
        scene.tell(told);
        scene
    }

    pub(super) fn tell(&mut self, told: Vec<Told>) -> Vec<String> {
        let events = told.into_iter().map(Event::from);
        let touched = self.objects.read(events, &self.live, self.now);
        touched.iter().map(|name| name.to_string()).collect()
    }

    /// The usernames in effect, by object.
    fn usernames(&self) -> BTreeMap<String, String> {
        let rules = self.live.snapshot();
        let rules = rules.backends()[0].rules();
        let names = rules.into_iter().map(|rule| {
            (
                rule.source().position.clone(),
                rule.written_names().0.to_owned(),
            )
        });
        names.collect()
    }

    fn is_read(&self) -> bool {
        self.live.snapshot().backends()[0].is_read()
    }

    fn notes(&self) -> BackendNotes {
        self.live.inspect(|_, notes| notes.clone()).remove(0)
    }
}

#[test]
fn rules_follow_what_the_api_server_tells() {
    let being_deleted = || {
        let mut object = good("ann", "1", 2, "ann");
        object.meta_mut().deletion_timestamp = object.meta().creation_timestamp.clone();
        object
    };
    let listed = |objects: Vec<MappingObject>| {
        let mut told = vec![ListBegins];
        told.extend(objects.into_iter().map(Listed));
        told.push(ListEnds);
        told
    };
    let then = |mut told: Vec<Told>, more: Vec<Told>| {
        told.extend(more);
        told
    };
    let ann = || good("ann", "1", 1, "ann");
    let bob = || good("bob", "2", 1, "bob");
    let blank = |generation| object("ann", "1", generation, &json!({"arn": "", "username": "x"}));
    for (case, told, expected) in [
        (
            "nobody is told of a list that is not complete",
            vec![ListBegins, Listed(ann())],
            "unread",
        ),
        (
            "a complete list",
            listed(vec![ann(), bob()]),
            "ann=ann bob=bob",
        ),
        ("an empty list", listed(vec![]), ""),
        (
            "a list that broke off",
            then(vec![ListBegins, Listed(ann())], listed(vec![bob()])),
            "bob=bob",
        ),
        (
            "a later list that lacks one",
            then(listed(vec![ann(), bob()]), listed(vec![bob()])),
            "bob=bob",
        ),
        (
            "a later list that is not complete takes nothing away",
            then(listed(vec![ann(), bob()]), vec![ListBegins, Listed(bob())]),
            "ann=ann bob=bob",
        ),
        (
            "two lists that broke off, and one that did not",
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
                    Changed(good("ann", "1", 2, "anne")),
                    Deleted("bob"),
                    Deleted("never there"),
                ],
            ),
            "ann=anne",
        ),
        (
            "an edit that is broken",
            then(listed(vec![ann()]), vec![Changed(broken("ann", "1", 2))]),
            "ann=ann",
        ),
        (
            "an edit that is broken, found by a list",
            then(listed(vec![ann()]), listed(vec![broken("ann", "1", 2)])),
            "ann=ann",
        ),
        (
            "an edit that is broken, and put right",
            then(
                listed(vec![ann()]),
                vec![
                    Changed(broken("ann", "1", 2)),
                    Changed(good("ann", "1", 3, "anne")),
                ],
            ),
            "ann=anne",
        ),
        (
            "an edit that is broken, and deleted",
            then(
                listed(vec![ann()]),
                vec![Changed(broken("ann", "1", 2)), Deleted("ann")],
            ),
            "",
        ),
        (
            "an object that was broken from the beginning",
            listed(vec![broken("ann", "1", 1), bob()]),
            "bob=bob",
        ),
        (
            "another object under the name, broken, does not stand for the first",
            then(listed(vec![ann()]), listed(vec![broken("ann", "9", 1)])),
            "",
        ),
        (
            "another object under the name, of the same generation",
            then(
                listed(vec![ann()]),
                listed(vec![good("ann", "9", 1, "other")]),
            ),
            "ann=other",
        ),
        (
            "a cluster restored from a backup may count generations anew",
            then(
                listed(vec![ann()]),
                listed(vec![good("ann", "1", 1, "restored")]),
            ),
            "ann=restored",
        ),
        (
            "switched off",
            then(listed(vec![ann()]), vec![Changed(blank(2))]),
            "",
        ),
        (
            "switched off, and then broken",
            then(
                listed(vec![ann()]),
                vec![Changed(blank(2)), Changed(broken("ann", "1", 3))],
            ),
            "",
        ),
        (
            "being deleted, with a finalizer",
            then(listed(vec![ann()]), vec![Changed(being_deleted())]),
            "",
        ),
        (
            "being deleted, listed again",
            then(listed(vec![ann()]), listed(vec![being_deleted()])),
            "",
        ),
        (
            "being deleted, and then gone",
            then(
                listed(vec![ann()]),
                vec![Changed(being_deleted()), Deleted("ann")],
            ),
            "",
        ),
    ] {
        let scene = Scene::with(told);
        let usernames = scene.usernames();
        let usernames = usernames
            .iter()
            .map(|(name, user)| format!("{name}={user}"));
        let usernames = usernames.collect::<Vec<_>>().join(" ");
        let got = if scene.is_read() {
            &usernames
        } else {
            "unread"
        };
        assert_eq!(got, expected, "{case}");
    }
}

#[test]
fn the_events_may_come_one_by_one_or_together() {
    let told = || {
        vec![
            ListBegins,
            Listed(good("ann", "1", 1, "ann")),
            Listed(good("bob", "2", 1, "bob")),
            ListEnds,
            Changed(broken("ann", "1", 2)),
            Deleted("bob"),
        ]
    };
    let together = Scene::with(told());
    let mut apart = Scene::new();
    for told in told() {
        apart.tell(vec![told]);
    }
    assert_eq!(together.usernames(), apart.usernames());
    assert_eq!(together.notes().refused, apart.notes().refused);
}

#[test]
fn slip_does_not_stand_beside_another_object() {
    let about_ann = |name: &str, generation| object(name, name, generation, &spec("ann", name));
    let mut scene = Scene::with(vec![
        ListBegins,
        Listed(about_ann("a", 1)),
        Listed(about_ann("b", 1)),
        ListEnds,
    ]);
    let mut slip = spec("ann", "a");
    slip["arn"] = json!("acs:ram:1000000000000001:user/ann");
    scene.tell(vec![Changed(object("a", "a", 2, &slip))]);
    assert_eq!(scene.usernames().into_keys().collect::<Vec<_>>(), ["b"]);
    assert!(
        scene.notes().refused["a"]
            .ends_with("nothing of it is kept: another entry is about the same subject"),
        "{:?}",
        scene.notes().refused
    );
}

#[test]
fn without_time_nothing_stays() {
    let mut scene = Scene::with(vec![
        ListBegins,
        Listed(good("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    scene.live.set_last_good_ttl(0);
    scene.tell(vec![Changed(broken("ann", "1", 2))]);
    assert!(scene.usernames().is_empty());

    let mut scene = Scene::with(vec![
        ListBegins,
        Listed(good("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    scene.tell(vec![Changed(broken("ann", "1", 2))]);
    assert_eq!(scene.usernames().len(), 1);
    scene.live.set_last_good_ttl(60);
    assert_eq!(scene.live.expire(NOW.plus_seconds(59)).len(), 0);
    // It is over, whether or not that has been noticed.
    scene.now = NOW.plus_seconds(60);
    scene.tell(vec![Changed(broken("ann", "1", 3))]);
    assert!(scene.usernames().is_empty());
}

#[test]
fn nothing_that_is_kept_stands_in_the_way_of_what_is_new() {
    let about_ann = |name: &str, generation| object(name, name, generation, &spec("ann", name));
    let on_condition = |name: &str, condition: &str| {
        let pattern = spec("ann", "")["arn"].clone();
        let spec = json!({"arn": "", "arnPattern": pattern, "match": condition, "username": name});
        object(name, name, 1, &spec)
    };
    let broken_ann = |name: &str| object(name, name, 2, &with_broken_group(spec("ann", name)));
    // The older of two answers; here all are of one age, and the name decides.
    for (case, first, then, expected, touched) in [
        (
            "a new object after the broken edit",
            vec![about_ann("a", 1)],
            vec![
                vec![Changed(broken_ann("a"))],
                vec![Changed(about_ann("b", 1))],
            ],
            "b=b",
            vec!["a", "b"],
        ),
        (
            "a new one that would not have answered",
            vec![about_ann("b", 1)],
            vec![
                vec![Changed(broken_ann("b"))],
                vec![Changed(about_ann("a", 1))],
            ],
            "a=a",
            vec!["a", "b"],
        ),
        (
            "one that was there before, and did not answer",
            vec![about_ann("a", 1), about_ann("b", 1)],
            vec![vec![Changed(broken_ann("a"))]],
            "a=a b=b",
            vec!["a", "b"],
        ),
        (
            "both found by a list",
            vec![about_ann("b", 1)],
            vec![vec![
                ListBegins,
                Listed(about_ann("a", 1)),
                Listed(broken_ann("b")),
                ListEnds,
            ]],
            "a=a",
            vec!["a", "b"],
        ),
        (
            "one that is about some of its sessions, and would be asked later",
            vec![about_ann("a", 1)],
            vec![
                vec![Changed(broken_ann("a"))],
                vec![Changed(on_condition("b", "identity.accessKeyId == 'x'"))],
            ],
            "b=b",
            vec!["a", "b"],
        ),
        (
            "one that is about some of its sessions, and is asked first",
            vec![about_ann("b", 1)],
            vec![
                vec![Changed(broken_ann("b"))],
                vec![Changed(on_condition("a", "identity.accessKeyId == 'x'"))],
            ],
            "a=a b=b",
            vec!["a", "b"],
        ),
        (
            "one about somebody else",
            vec![about_ann("a", 1)],
            vec![
                vec![Changed(broken_ann("a"))],
                vec![Changed(good("bob", "2", 1, "bob"))],
            ],
            "a=a bob=bob",
            vec!["bob"],
        ),
    ] {
        let mut told = vec![ListBegins];
        told.extend(first.into_iter().map(Listed));
        told.push(ListEnds);
        let mut scene = Scene::with(told);
        let mut last = Vec::new();
        for told in then {
            scene.now = scene.now.plus_seconds(60);
            last = scene.tell(told);
        }
        let usernames = scene.usernames();
        let usernames = usernames
            .iter()
            .map(|(name, user)| format!("{name}={user}"));
        assert_eq!(usernames.collect::<Vec<_>>().join(" "), expected, "{case}");
        assert_eq!(last, touched, "{case}");
    }
}

#[test]
fn whoever_is_concerned_by_a_change_is_looked_at() {
    let as_ann =
        |name: &str, uid: &str, generation| object(name, uid, generation, &spec("ann", name));
    let status = |text: &str| -> MappingObject {
        serde_json::from_value(json!({
            "metadata": {"name": "bob", "uid": "2", "generation": 1},
            "spec": spec("bob", "bob"),
            "status": {"canonicalARN": text},
        }))
        .unwrap()
    };
    let mut scene = Scene::new();
    for (case, told, touched) in [
        (
            "the first list",
            vec![
                ListBegins,
                Listed(good("ann", "1", 1, "ann")),
                Listed(good("bob", "2", 1, "bob")),
                ListEnds,
            ],
            vec!["ann", "bob"],
        ),
        (
            "nothing new",
            vec![Changed(good("bob", "2", 1, "bob"))],
            vec![],
        ),
        ("another status", vec![Changed(status("x"))], vec!["bob"]),
        ("the same status", vec![Changed(status("x"))], vec![]),
        (
            "a rival",
            vec![Changed(as_ann("anne", "3", 1))],
            vec!["ann", "anne"],
        ),
        (
            "a rival that is about somebody else now",
            vec![Changed(good("anne", "3", 2, "anne"))],
            vec!["ann", "anne"],
        ),
        (
            "back, and gone",
            vec![Changed(as_ann("anne", "3", 3)), Deleted("anne")],
            vec!["ann", "anne"],
        ),
        (
            "a list without news",
            vec![
                ListBegins,
                Listed(good("ann", "1", 1, "ann")),
                Listed(status("x")),
                ListEnds,
            ],
            vec![],
        ),
    ] {
        assert_eq!(scene.tell(told), touched, "{case}");
    }
}

#[test]
fn rules_stay_when_the_api_server_fails_and_go_with_the_definition() {
    let start = Instant::now();
    let mut scene = Scene::with(vec![
        ListBegins,
        Listed(good("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    let down = Failure::Unreachable("connection refused".to_owned());
    let forbidden = Failure::Forbidden { verb: "list" };
    let gone = Failure::NoDefinition;
    for (second, failure, stays, is_told) in [
        (0, &down, true, false),
        (1, &down, true, true),
        (2, &forbidden, true, true),
        (3, &gone, true, true),
        (4, &gone, true, true),
        (5, &gone, true, true),
        (7, &gone, true, true),
        (8, &gone, false, true),
        (9, &gone, false, true),
    ] {
        let at = start + Duration::from_secs(second);
        scene.objects.fail(failure, &scene.live, at);
        let got = scene.usernames().contains_key("ann");
        assert_eq!(got, stays, "{failure:?} after {second} seconds");
        let told = is_told.then(|| failure.to_string());
        assert_eq!(scene.notes().trouble, told, "after {second} seconds");
    }
    scene.objects.recover(&scene.live);
    assert_eq!(scene.notes().trouble, None);
    assert!(scene.objects.names().is_empty());
    scene.tell(vec![
        ListBegins,
        Listed(good("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    assert_eq!(scene.usernames().len(), 1, "the same objects are new");
}

#[test]
fn without_a_definition_the_backend_counts_as_read_and_empty() {
    let start = Instant::now();
    let mut scene = Scene::new();
    for (second, is_read) in [(0, false), (2, false), (6, true)] {
        let at = start + Duration::from_secs(second);
        let failure = Failure::NoDefinition;
        scene.objects.fail(&failure, &scene.live, at);
        assert_eq!(scene.is_read(), is_read, "after {second} seconds");
    }
    let forbidden = Failure::Forbidden { verb: "list" };
    let mut scene = Scene::new();
    for second in 0..60 {
        let at = start + Duration::from_secs(second);
        scene.objects.fail(&forbidden, &scene.live, at);
    }
    assert!(
        !scene.is_read(),
        "without rights nobody knows what there is"
    );
}
