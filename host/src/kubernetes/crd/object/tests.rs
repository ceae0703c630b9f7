use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{
    Backend, FieldSlot, MappingField, MappingSpec, RuleError, Source, WildcardMode,
};
use kube::core::ObjectList;
use serde_json::{Value, json};

use super::*;

const ARN: &str = "acs:ram::1234567890123456:role/Dev";

fn object(spec: Value) -> MappingObject {
    let object = json!({
        "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
        "kind": "RAMIdentityMapping",
        "metadata": {
            "name": "one",
            "uid": "6f1e",
            "resourceVersion": "12",
            "generation": 3,
            "creationTimestamp": "2024-05-06T07:08:09Z",
            "labels": {"team": "a"},
            "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn go() -> Value {
    json!({"arn": ARN, "username": "dev", "groups": ["developers"]})
}

#[test]
fn spec_fields_map_to_mapping_fields() {
    for field in MappingField::ALL {
        let mut expected = MappingSpec::for_arn("", "u", vec!["g".to_owned()]);
        let mut spec = json!({"arn": "", "username": "u", "groups": ["g"]});
        let text = "x".to_owned();
        spec[field.name()] = match expected.slot(*field) {
            FieldSlot::Text(slot) => {
                *slot = text;
                json!(slot)
            }
            FieldSlot::OptionalText(slot) => json!(slot.insert(text)),
            FieldSlot::Texts(slot) => {
                *slot = vec![text];
                json!(slot)
            }
        };
        let source = Source {
            backend: Backend::Crd,
            position: "one".to_owned(),
        };
        let created = Precedence::Created(UnixTime::from_seconds(1_714_979_289));
        let expected = Mapping {
            wildcards: WildcardMode::Enabled,
            ..Mapping::new(source, created, expected)
        };
        let name = field.name();
        assert_eq!(object(spec).mapping(), Ok(expected), "{name}");
    }
}

#[test]
fn objects_of_older_definitions_are_accepted() {
    let type_error = |field: &str, wanted| {
        Err(ObjectError::Type {
            field: field.to_owned(),
            wanted,
        })
    };
    let no_subject = || Err(ObjectError::Rule(RuleError::NoSubject));
    let mut with_note = go();
    with_note["note"] = json!({"by": "alice"});
    for (spec, expected) in [
        (go(), Ok(())),
        (with_note, Ok(())),
        (
            json!({"arn": ARN, "username": "dev", "groups": null}),
            Ok(()),
        ),
        (
            json!({"arn": ARN, "username": "dev", "match": null, "roleID": null}),
            Ok(()),
        ),
        (json!({}), no_subject()),
        (json!(null), no_subject()),
        (json!({"arn": "", "username": "dev"}), no_subject()),
        (json!({"arn": null, "username": "dev"}), no_subject()),
        (json!("text"), type_error("spec", "an object")),
        (json!([go()]), type_error("spec", "an object")),
        (
            json!({"arn": 1, "username": "dev"}),
            type_error("spec.arn", "text"),
        ),
        (
            json!({"arn": [ARN], "username": "dev"}),
            type_error("spec.arn", "text"),
        ),
        (
            json!({"arn": ARN, "username": true}),
            type_error("spec.username", "text"),
        ),
        (
            json!({"arn": ARN, "username": "dev", "groups": "a"}),
            type_error("spec.groups", "a list"),
        ),
        (
            json!({"arn": ARN, "username": "dev", "groups": {"0": "a"}}),
            type_error("spec.groups", "a list"),
        ),
        (
            json!({"arn": ARN, "username": "dev", "groups": ["a", 1]}),
            type_error("spec.groups[1]", "text"),
        ),
        (
            json!({"arn": ARN, "username": "dev", "groups": ["a", null]}),
            type_error("spec.groups[1]", "text"),
        ),
        (
            json!({"arn": "", "username": "dev", "userID": 1}),
            type_error("spec.userID", "text"),
        ),
        // A field of a later version may restrict the mapping.
        (
            json!({"arn": "", "username": "dev", "arnPattern": ARN, "notBefore": "2030-01-01"}),
            Err(ObjectError::UnknownField("notBefore".to_owned())),
        ),
        // Even if the API server does not validate, the Go server would apply the ARN.
        (
            json!({"arn": ARN, "username": "dev", "match": "false"}),
            Err(ObjectError::ArnWithExtension("match")),
        ),
        (
            json!({"arn": ARN, "username": "dev", "usernameExpression": "'a'"}),
            Err(ObjectError::ArnWithExtension("usernameExpression")),
        ),
    ] {
        let rule = object(spec.clone()).rule();
        assert_eq!(rule.map(|_| ()), expected, "{spec}");
    }
}

#[test]
fn malformed_object_leaves_others_readable() {
    let list = json!({
        "metadata": {"resourceVersion": "9"},
        "items": [
            {"metadata": {"name": "good"}, "spec": go(), "status": null},
            {"metadata": {"name": "no spec"}},
            {"metadata": {"name": "bad spec"}, "spec": 7},
            {"metadata": {"name": "bad status"}, "spec": go(), "status": {"canonicalARN": 7}},
            {"metadata": {"name": "of Go", "creationTimestamp": null}, "spec": go(), "status": {"canonicalARN": "a", "userID": ""}},
        ],
    });
    let list: ObjectList<MappingObject> = serde_json::from_value(list).unwrap();
    let parsed: Vec<_> = list
        .items
        .iter()
        .map(|it| {
            (
                it.name(),
                it.rule().is_ok(),
                it.status().canonical_arn.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        parsed,
        [
            ("good", true, None),
            ("no spec", false, None),
            ("bad spec", false, None),
            ("bad status", true, None),
            ("of Go", true, Some("a")),
        ]
    );
}

#[test]
fn unused_metadata_is_dropped() {
    let object = object(go());
    assert_eq!(object.name(), "one");
    assert_eq!(object.generation(), Some(3));
    assert_eq!(object.meta().uid.as_deref(), Some("6f1e"));
    assert_eq!(object.meta().resource_version.as_deref(), Some("12"));
    assert_eq!(object.meta().managed_fields, None);
    assert_eq!(object.meta().labels, None);
}

#[test]
fn object_without_creation_time_is_youngest() {
    let ageless: MappingObject =
        serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": go()})).unwrap();
    let dated = object(go());
    assert!(ageless.mapping().unwrap().precedence > dated.mapping().unwrap().precedence);
}

#[test]
fn wildcards_in_go_objects_are_patterns() {
    let mut spec = go();
    spec["arn"] = json!("acs:ram::1234567890123456:role/dev-*");
    let rule = object(spec).rule().unwrap();
    assert!(matches!(rule.subject(), Subject::Pattern(_)), "{rule:?}");
}
