use ack_ram_config::last_good::DEFAULT_LAST_GOOD_TTL;
use ack_ram_core::rules::{Backend, RuleSet};
use kube::runtime::watcher::Event;

use super::*;
use crate::backends::live::LiveRules;
use crate::kubernetes::crd::mapping::RamIdentityMappingStatus;
use crate::kubernetes::crd::object::MappingObject;
use crate::kubernetes::status::events::EventRecord;
use crate::kubernetes::watch::objects::ObjectStore;

const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);

/// Returns the rules and objects after each object had its specs, one after the other.
fn scene(histories: &[(&str, &[Value])]) -> (LiveRules, ObjectStore) {
    let rules = RuleSet::new(
        vec![BackendRules::new_unsynced(Backend::Crd)],
        std::collections::BTreeSet::new(),
    );
    let live = LiveRules::new(rules, NOW);
    let mut objects = ObjectStore::default();
    let mut events = vec![Event::Init, Event::InitDone];
    for (age, (name, specs)) in histories.iter().enumerate() {
        for (generation, spec) in (1..).zip(*specs) {
            let object: MappingObject = serde_json::from_value(json!({
                "metadata": {
                    "name": name,
                    "uid": format!("uid-{name}"),
                    "generation": generation,
                    "creationTimestamp": format!("2026-01-01T00:00:{age:02}Z"),
                },
                "spec": spec,
            }))
            .unwrap();
            events.push(Event::Apply(object));
        }
    }
    objects.apply_events(events, &live, NOW);
    (live, objects)
}

fn desired_status_of(name: &str, (live, objects): &(LiveRules, ObjectStore)) -> DesiredStatus {
    let known = objects.get(name).unwrap();
    let mut reports = live.inspect(|rules, notes| DesiredStatus::new(name, known, rules, notes));
    reports.remove(0)
}

fn ann(username: &str) -> Value {
    json!({"arn": "acs:ram::1000000000000001:user/ann", "username": username, "groups": ["ops", "dev"]})
}

fn with_broken_group(username: &str) -> Value {
    let mut spec = ann(username);
    spec["groups"] = json!(["dev", "{{Nope}}"]);
    spec
}

#[test]
fn status_describes_outcome_of_object() {
    let arn = "acs:ram::1000000000000001:user/ann";
    let session = "acs:ram::1000000000000001:assumed-role/dev/s";
    let blank = json!({"arn": "", "username": "x"});
    for (case, specs, canonical_arn, user_id, accepted) in [
        (
            "one ARN",
            vec![ann("ann")],
            Some(arn),
            None,
            "InEffect: the mapping is in effect",
        ),
        (
            "a session, whose role the Go server would map",
            vec![json!({"arn": session, "username": "dev"})],
            None,
            None,
            "NamesOneSession: the ARN names one session of a role, but identities are looked up by their role; use `acs:ram::1000000000000001:role/dev`; this object maps no identity",
        ),
        (
            "a pattern",
            vec![json!({"arn": "acs:ram::1000000000000001:user/*", "username": "x"})],
            None,
            None,
            "InEffect: the mapping is in effect",
        ),
        (
            "an ARN that the Go server must not use",
            vec![json!({"arn": "", "arnPattern": arn, "username": "x"})],
            None,
            None,
            "InEffect: the mapping is in effect",
        ),
        (
            "a user id",
            vec![json!({"arn": "", "userID": "200000000000000001", "username": "x"})],
            None,
            Some("200000000000000001"),
            "InEffect: the mapping is in effect",
        ),
        (
            "a broken edit",
            vec![ann("ann"), with_broken_group("ann")],
            None,
            None,
            "LastGoodInEffect: invalid `groups[1]`: unknown variable `{{Nope}}`; until the error is corrected, and at most until 2026-01-03T03:04:05Z, this stays in effect: `acs:ram::1000000000000001:user/ann` as `ann` in groups `dev`, because the newest text still gives this to the same subject",
        ),
        (
            "a broken edit without retention",
            vec![ann("ann"), ann("{{Nope}}")],
            None,
            None,
            "Refused: invalid `username`: unknown variable `{{Nope}}`; nothing is kept: the username in the newest text differs too much from the last good one; this object maps no identity",
        ),
        (
            "a new object that is broken",
            vec![ann("{{Nope}}")],
            None,
            None,
            "Refused: invalid `username`: unknown variable `{{Nope}}`; this object maps no identity",
        ),
        (
            "an empty ARN",
            vec![ann("ann"), blank],
            None,
            None,
            "Refused: no subject: set `arn`, `arnPattern`, `userID`, `roleID` or `match`; nothing is kept: the newest text has no subject; this object maps no identity",
        ),
    ] {
        let desired_status = desired_status_of("ann", &scene(&[("ann", &specs)]));
        let DesiredCondition {
            reason,
            message,
            is_true,
        } = &desired_status.accepted;
        assert_eq!(format!("{reason}: {message}"), accepted, "{case}");
        assert_eq!(*is_true, *reason == "InEffect", "{case}");
        assert_eq!(
            desired_status.canonical_arn.as_deref(),
            canonical_arn,
            "{case}"
        );
        assert_eq!(desired_status.user_id.as_deref(), user_id, "{case}");
        assert!(!desired_status.conflicted.is_true, "{case}");
    }
}

#[test]
fn conflict_names_other_object() {
    let conditional = json!({
        "arn": "",
        "arnPattern": "acs:ram::1000000000000001:user/ann",
        "match": "identity.sessionName == 'x'",
        "username": "x",
    });
    let scene = scene(&[
        ("careful", &[conditional]),
        ("older", &[ann("one")]),
        ("younger", &[ann("two")]),
        ("youngest", &[ann("three")]),
        (
            "else",
            &[json!({"arn": "acs:ram::1000000000000001:user/bob", "username": "bob"})],
        ),
    ]);
    for (name, expected) in [
        (
            "careful",
            "NoConflict: this object is not shadowed and shadows no other object",
        ),
        (
            "older",
            "AnswersFirst: this object takes precedence over others that map the same identity and have no effect: younger, youngest; delete all but one",
        ),
        (
            "younger",
            "NeverAnswers: shadowed by older, which maps the same identity and takes precedence; delete one of the two",
        ),
        (
            "youngest",
            "NeverAnswers: shadowed by older, which maps the same identity and takes precedence; delete one of the two",
        ),
        (
            "else",
            "NoConflict: this object is not shadowed and shadows no other object",
        ),
    ] {
        let DesiredCondition {
            is_true,
            reason,
            message,
        } = desired_status_of(name, &scene).conflicted;
        assert_eq!(format!("{reason}: {message}"), expected, "{name}");
        assert_eq!(is_true, reason != "NoConflict", "{name}");
    }
}

#[test]
fn long_messages_are_truncated() {
    let long = "é".repeat(20_000);
    let specs =
        [json!({"arn": format!("acs:ram::1:user/{long}"), "username": format!("{{{{{long}}}}}")})];
    let message = desired_status_of("ann", &scene(&[("ann", &specs)]))
        .accepted
        .message;
    assert!(message.len() <= 1_024, "{}", message.len());
}

/// Returns the status in the cluster after `patch`, as the API server would store it.
fn written(patch: &Value) -> RamIdentityMappingStatus {
    serde_json::from_value(patch["status"].clone()).unwrap()
}

#[test]
fn written_status_needs_no_second_write() {
    let scene = scene(&[("ann", &[ann("ann"), ann("{{Nope}}")])]);
    let desired_status = desired_status_of("ann", &scene);
    let after = desired_status.to_observed(2, &ObservedStatus::default(), NOW);
    let patch = desired_status.patch("ann", "uid-ann", &after);
    assert_eq!(patch["metadata"], json!({"name": "ann", "uid": "uid-ann"}));
    assert_eq!(
        patch["apiVersion"],
        "ramauthenticator.k8s.alibabacloud/v1alpha1"
    );
    assert_eq!(patch["kind"], "RAMIdentityMapping");
    let read = ObservedStatus::from_status(&written(&patch));
    assert_eq!(read, after);

    let later = NOW.plus_seconds(60);
    let again = desired_status.to_observed(2, &read, later);
    assert!(again.equals_ignoring_times(&read));
    assert_eq!(
        again.accepted.unwrap().since,
        NOW,
        "the time of the transition stays"
    );
    let next = desired_status.to_observed(3, &read, later);
    assert!(!next.equals_ignoring_times(&read), "another generation");
}

#[test]
fn stale_status_fields_of_go_are_removed() {
    let by_id = json!({"arn": "", "userID": "200000000000000001", "username": "x"});
    let stale = |arn: Option<&str>, id: Option<&str>| {
        ObservedStatus::from_status(&RamIdentityMappingStatus {
            canonical_arn: arn.map(str::to_owned),
            user_id: id.map(str::to_owned),
            ..RamIdentityMappingStatus::default()
        })
    };
    for (spec, written, expected) in [
        (by_id.clone(), stale(None, Some("200000000000000001")), None),
        (
            by_id,
            stale(Some("acs:ram::1000000000000001:user/ann"), None),
            Some(json!({"canonicalARN": null})),
        ),
        (ann("ann"), stale(Some("x"), None), None),
        (
            ann("ann"),
            stale(None, Some("7")),
            Some(json!({"userID": null})),
        ),
        (
            ann("{{Nope}}"),
            stale(Some("x"), Some("7")),
            Some(json!({"canonicalARN": null, "userID": null})),
        ),
    ] {
        let desired_status = desired_status_of("ann", &scene(&[("ann", &[spec])]));
        let removal = desired_status.removal("uid-ann", &written);
        let expected =
            expected.map(|status| json!({"metadata": {"uid": "uid-ann"}, "status": status}));
        assert_eq!(removal, expected);
    }
}

#[test]
fn expired_last_good_form_is_reported() {
    let scene = scene(&[("ann", &[ann("ann"), with_broken_group("ann")])]);
    scene.0.expire(NOW.plus_seconds(DEFAULT_LAST_GOOD_TTL));
    let DesiredCondition {
        reason, is_true, ..
    } = desired_status_of("ann", &scene).accepted;
    assert_eq!((reason, is_true), ("Refused", false));
}

#[test]
fn each_change_gives_one_event() {
    let good = scene(&[("ann", &[ann("ann")])]);
    let broken = scene(&[("ann", &[ann("ann"), with_broken_group("ann")])]);
    let mut worst = with_broken_group("ann");
    worst["groups"] = json!(["dev", "{{"]);
    let worse = scene(&[("ann", &[ann("ann"), with_broken_group("ann"), worst])]);
    let shadowed = scene(&[("older", &[ann("x")]), ("ann", &[ann("ann")])]);
    let mut before = ObservedStatus::default();
    for (case, scene, expected) in [
        ("healthy", &good, vec![]),
        ("broken", &broken, vec![("Warning", "LastGoodInEffect")]),
        ("still broken", &broken, vec![]),
        (
            "broken by another error",
            &worse,
            vec![("Warning", "LastGoodInEffect")],
        ),
        ("corrected", &good, vec![("Normal", "InEffect")]),
        ("shadowed", &shadowed, vec![("Warning", "NeverAnswers")]),
        ("still shadowed", &shadowed, vec![]),
        ("no longer shadowed", &good, vec![]),
    ] {
        let desired_status = desired_status_of("ann", scene);
        let after = desired_status.to_observed(1, &before, NOW);
        let records = EventRecord::new(&desired_status, &before, &after);
        let got: Vec<_> = records.iter().map(EventRecord::type_and_reason).collect();
        assert_eq!(got, expected, "{case}");
        before = after;
    }
}
