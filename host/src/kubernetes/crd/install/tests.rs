use serde_json::{Value, json};

use super::*;

/// Returns the definition with `change` applied.
fn changed(change: impl Fn(&mut Value)) -> CustomResourceDefinition {
    let mut definition = serde_json::to_value(RamIdentityMapping::crd()).unwrap();
    change(&mut definition);
    serde_json::from_value(definition).unwrap()
}

fn schema(definition: &mut Value) -> &mut Value {
    &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
}

#[test]
fn definition_with_extra_fields_is_newer() {
    let text = json!({"type": "string"});
    let of_go = json!({
        "spec": {"type": "object", "properties": {"arn": text, "username": text, "groups": {"type": "array", "items": text}}},
        "status": {"type": "object", "properties": {"canonicalARN": text, "userID": text}},
    });
    for (what, theirs, expected) in [
        ("ours", changed(|_| ()), vec![]),
        ("Go's", changed(|it| *schema(it) = of_go.clone()), vec![]),
        (
            "one without a schema",
            changed(|it| *schema(it) = json!({})),
            vec![],
        ),
        (
            "one with metadata",
            changed(|it| schema(it)["metadata"] = json!({"type": "object"})),
            vec![],
        ),
        (
            "another field",
            changed(|it| schema(it)["spec"]["properties"]["zone"] = text.clone()),
            vec!["v1alpha1 spec.zone"],
        ),
        (
            "another field of the status, inside a list",
            changed(|it| {
                schema(it)["status"]["properties"]["conditions"]["items"]["properties"]["level"] =
                    text.clone();
            }),
            vec!["v1alpha1 status.conditions[].level"],
        ),
        (
            "another version",
            changed(|it| {
                let versions = it["spec"]["versions"].as_array_mut().unwrap();
                let mut version = versions[0].clone();
                version["name"] = json!("v1beta1");
                version["storage"] = json!(false);
                versions.push(version);
            }),
            vec!["v1beta1"],
        ),
    ] {
        assert_eq!(
            extra_fields(&theirs, &RamIdentityMapping::crd()),
            expected,
            "{what}"
        );
    }
}

#[test]
fn established_follows_condition() {
    for (status, expected) in [
        (json!(null), false),
        (json!({}), false),
        (
            json!({"conditions": [{"type": "Established", "status": "False"}]}),
            false,
        ),
        (
            json!({"conditions": [{"type": "NamesAccepted", "status": "True"}]}),
            false,
        ),
        (
            json!({"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]}),
            true,
        ),
    ] {
        let definition = changed(|it| it["status"] = status.clone());
        assert_eq!(is_established(&definition), expected, "{status}");
    }
}
