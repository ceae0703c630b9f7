//! Several objects that map the same identity.

use super::*;

#[test]
fn broken_object_is_not_kept_beside_rival() {
    let about_ann = |name: &str, generation| object(name, name, generation, &spec("ann", name));
    let mut scene = Scene::after_events(vec![
        ListBegins,
        Listed(about_ann("a", 1)),
        Listed(about_ann("b", 1)),
        ListEnds,
    ]);
    let mut slip = spec("ann", "a");
    slip["arn"] = json!("acs:ram:1000000000000001:user/ann");
    scene.apply_events(vec![Changed(object("a", "a", 2, &slip))]);
    assert_eq!(scene.usernames().into_keys().collect::<Vec<_>>(), ["b"]);
    assert!(
        scene.notes().refused["a"]
            .ends_with("nothing is kept: another entry is about the same subject"),
        "{:?}",
        scene.notes().refused
    );
}

#[test]
fn kept_mapping_does_not_block_new_one() {
    let about_ann = |name: &str, generation| object(name, name, generation, &spec("ann", name));
    let on_condition = |name: &str, condition: &str| {
        let pattern = spec("ann", "")["arn"].clone();
        let spec = json!({"arn": "", "arnPattern": pattern, "match": condition, "username": name});
        object(name, name, 1, &spec)
    };
    let broken_ann = |name: &str| object(name, name, 2, &with_broken_group(spec("ann", name)));
    // All objects have the same age, so the name decides which one takes precedence.
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
            "a new object that would be shadowed",
            vec![about_ann("b", 1)],
            vec![
                vec![Changed(broken_ann("b"))],
                vec![Changed(about_ann("a", 1))],
            ],
            "a=a",
            vec!["a", "b"],
        ),
        (
            "an earlier object that was shadowed",
            vec![about_ann("a", 1), about_ann("b", 1)],
            vec![vec![Changed(broken_ann("a"))]],
            "a=a b=b",
            vec!["a", "b"],
        ),
        (
            "both in a list",
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
            "an object with a condition, and without precedence",
            vec![about_ann("a", 1)],
            vec![
                vec![Changed(broken_ann("a"))],
                vec![Changed(on_condition("b", "identity.accessKeyId == 'x'"))],
            ],
            "b=b",
            vec!["a", "b"],
        ),
        (
            "an object with a condition, and with precedence",
            vec![about_ann("b", 1)],
            vec![
                vec![Changed(broken_ann("b"))],
                vec![Changed(on_condition("a", "identity.accessKeyId == 'x'"))],
            ],
            "a=a b=b",
            vec!["a", "b"],
        ),
        (
            "an object with another identity",
            vec![about_ann("a", 1)],
            vec![
                vec![Changed(broken_ann("a"))],
                vec![Changed(valid_object("bob", "2", 1, "bob"))],
            ],
            "a=a bob=bob",
            vec!["bob"],
        ),
    ] {
        let mut list = vec![ListBegins];
        list.extend(first.into_iter().map(Listed));
        list.push(ListEnds);
        let mut scene = Scene::after_events(list);
        let mut last = Vec::new();
        for events in then {
            scene.now = scene.now.plus_seconds(60);
            last = scene.apply_events(events);
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
fn change_updates_status_of_all_rivals() {
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
    for (case, events, touched) in [
        (
            "the first list",
            vec![
                ListBegins,
                Listed(valid_object("ann", "1", 1, "ann")),
                Listed(valid_object("bob", "2", 1, "bob")),
                ListEnds,
            ],
            vec!["ann", "bob"],
        ),
        (
            "no change",
            vec![Changed(valid_object("bob", "2", 1, "bob"))],
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
            "a rival that now has another identity",
            vec![Changed(valid_object("anne", "3", 2, "anne"))],
            vec!["ann", "anne"],
        ),
        (
            "a rival again, then deleted",
            vec![Changed(as_ann("anne", "3", 3)), Deleted("anne")],
            vec!["ann", "anne"],
        ),
        (
            "a list without changes",
            vec![
                ListBegins,
                Listed(valid_object("ann", "1", 1, "ann")),
                Listed(status("x")),
                ListEnds,
            ],
            vec![],
        ),
    ] {
        assert_eq!(scene.apply_events(events), touched, "{case}");
    }
}
