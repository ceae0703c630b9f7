//! Failures of the watch, and a missing definition.

use std::time::Duration;

use super::*;

#[test]
fn rules_outlive_api_server_failure_but_not_definition() {
    let start = Instant::now();
    let mut scene = Scene::after_events(vec![
        ListBegins,
        Listed(valid_object("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    let down = ApiFailure::Unreachable("connection refused".to_owned());
    let forbidden = ApiFailure::Forbidden { verb: "list" };
    let missing = ApiFailure::NoDefinition;
    for (second, failure, stays, is_reported) in [
        (0, &down, true, false),
        (1, &down, true, true),
        (2, &forbidden, true, true),
        (3, &missing, true, true),
        (4, &missing, true, true),
        (5, &missing, true, true),
        (7, &missing, true, true),
        (8, &missing, false, true),
        (9, &missing, false, true),
    ] {
        let at = start + Duration::from_secs(second);
        scene.objects.fail(failure, &scene.live, at);
        let got = scene.usernames().contains_key("ann");
        assert_eq!(got, stays, "{failure:?} after {second} seconds");
        let expected = is_reported.then(|| failure.to_string());
        assert_eq!(scene.notes().trouble, expected, "after {second} seconds");
    }
    scene.objects.recover(&scene.live);
    assert_eq!(scene.notes().trouble, None);
    assert!(scene.objects.names().is_empty());
    scene.apply_events(vec![
        ListBegins,
        Listed(valid_object("ann", "1", 1, "ann")),
        ListEnds,
    ]);
    assert_eq!(scene.usernames().len(), 1, "the same objects are new");
}

#[test]
fn missing_definition_makes_backend_synced_and_empty() {
    let start = Instant::now();
    let mut scene = Scene::new();
    for (second, is_synced) in [(0, false), (2, false), (6, true)] {
        let at = start + Duration::from_secs(second);
        let failure = ApiFailure::NoDefinition;
        scene.objects.fail(&failure, &scene.live, at);
        assert_eq!(scene.is_synced(), is_synced, "after {second} seconds");
    }
    let forbidden = ApiFailure::Forbidden { verb: "list" };
    let mut scene = Scene::new();
    for second in 0..60 {
        let at = start + Duration::from_secs(second);
        scene.objects.fail(&forbidden, &scene.live, at);
    }
    assert!(
        !scene.is_synced(),
        "without the permission, the objects are unknown"
    );
}
