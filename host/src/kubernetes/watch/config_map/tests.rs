use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::fixture::config_map_source;
use crate::kubernetes::status::events::EventRecord;

fn config_map(user: &str) -> ConfigMap {
    let text = format!("- userARN: acs:ram::1:user/{user}\n  username: {user}\n");
    let mut object = ConfigMap {
        data: Some(BTreeMap::from([("mapUsers".to_owned(), text)])),
        ..ConfigMap::default()
    };
    object.metadata.name = Some("alibabacloud-auth".to_owned());
    object
}

#[test]
fn events_become_rules() {
    let (source, live) = config_map_source();
    let mut listed = None;
    let mut apply = |event| {
        let _ = source.apply_event(event, &mut listed);
        let states = live.inspect(|rules, _| {
            let subjects = rules
                .rules()
                .into_iter()
                .map(|rule| rule.subject().to_string());
            (rules.is_synced(), subjects.collect::<Vec<_>>().join(" "))
        });
        let (is_synced, subjects) = states.into_iter().next().unwrap();
        (is_synced, subjects.replace("acs:ram::1:user/", ""))
    };
    let mut deleting = config_map("d");
    deleting.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    let mut other = config_map("o");
    other.metadata.name = Some("other".to_owned());
    for (case, event, expected) in [
        ("a list starts", Event::Init, (false, "")),
        (
            "the list has the object",
            Event::InitApply(config_map("a")),
            (false, ""),
        ),
        ("the list ends", Event::InitDone, (true, "a")),
        ("an edit", Event::Apply(config_map("b")), (true, "b")),
        ("another list starts", Event::Init, (true, "b")),
        ("the list is empty", Event::InitDone, (true, "")),
        (
            "the object is created",
            Event::Apply(config_map("c")),
            (true, "c"),
        ),
        (
            "the object is being deleted",
            Event::Apply(deleting),
            (true, ""),
        ),
        (
            "the object is created again",
            Event::Apply(config_map("c")),
            (true, "c"),
        ),
        (
            "the object is deleted",
            Event::Delete(config_map("c")),
            (true, ""),
        ),
        ("another object", Event::Apply(other), (true, "")),
    ] {
        let (is_synced, subjects) = apply(event);
        assert_eq!((is_synced, subjects.as_str()), expected, "{case}");
    }
}

/// Formats an event as `kubectl` shows it: type, reason and message.
fn line(event: &EventRecord) -> String {
    let (kind, _) = event.type_and_reason();
    let texts = regex::Regex::new(r#""([^"\\]|\\.)*""#).unwrap();
    let event = format!("{event:?}");
    let texts: Vec<_> = texts.find_iter(&event).map(|text| text.as_str()).collect();
    format!("{kind} {}\n", texts.join(" "))
}

#[test]
fn edits_give_events_about_errors_and_recovery() {
    let (source, _) = config_map_source();
    let mut was_refused = false;
    let mut events_after = |version: &str, texts: &[(&str, &str)]| {
        let mut object = config_map("a");
        object.metadata.uid = Some("uid".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        let texts = texts.iter();
        let texts = texts.map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        object.data.get_or_insert_default().extend(texts);
        let edit = source.apply_event(Event::Apply(object), &mut None)?;
        let about = &edit.about;
        let about = [&about.uid, &about.resource_version, &about.namespace];
        let expected = ["uid", version, "kube-system"].map(|text| Some(text.to_owned()));
        assert_eq!(about, expected.each_ref());
        let records = edit.records(was_refused);
        was_refused = !edit.refused.is_empty();
        Some(records.iter().map(line).collect::<String>())
    };
    assert_eq!(events_after("1", &[]).as_deref(), Some(""));
    assert_eq!(events_after("2", &[]), None, "the content is the same");
    let texts = [
        events_after("3", &[("mapUsers", "[")]).unwrap(),
        events_after("4", &[("mapUsers", "["), ("mapRoles", "7")]).unwrap(),
        events_after("5", &[]).unwrap(),
    ];
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("config_map_events", texts.concat());
    });
    let long = "[x],".repeat(2_000);
    let long = events_after("6", &[("mapUsers", &format!("[{long}]"))]).unwrap();
    assert!(long.contains("2000 errors") && long.len() < 1_200, "{long}");
}

#[test]
fn failures_give_advice() {
    let name = ConfigMapName::default();
    for (failure, expected) in [
        (
            ApiFailure::Forbidden { verb: "list" },
            "no permission to list the ConfigMap kube-system/alibabacloud-auth; grant get, list and watch on configmaps with the resource name `alibabacloud-auth` in the namespace `kube-system`, as the Role in deploy/example.yaml does",
        ),
        (
            ApiFailure::Unreachable("connection refused".to_owned()),
            "cannot read the ConfigMap kube-system/alibabacloud-auth from the API server: connection refused",
        ),
    ] {
        assert_eq!(describe_failure(&failure, &name), expected);
    }
}
