//! Fields of mappings: each reader and writer knows exactly the fields of `MappingField::ALL`.

use std::collections::BTreeSet;

use ack_ram_analysis::mapping_terms::MappingTerms;
use ack_ram_config::object::ObjectSpec;
use ack_ram_config::partial_entry::{PartialEntry, PartialField, PartialSubject};
use ack_ram_config::{ConfigFile, ConfigSources, Overrides};
use ack_ram_core::rules::{FieldSlot, FieldValue, Mapping, MappingField, MappingSpec, Precedence};
use ack_ram_core_wasm::MappingInput;
use ack_ram_envoy::Settings;
use serde_json::{Map, Value, json};

const CRD: &str = include_str!("../../deploy/ramidentitymapping.yaml");
const CONFIGURATION: &str = include_str!("../../CONFIGURATION.md");

/// Returns a spec in which only `field` is set.
fn spec_with(field: MappingField) -> MappingSpec {
    let mut spec = MappingSpec::default();
    let text = format!("a-{}", field.name());
    match spec.slot(field) {
        FieldSlot::Text(slot) => *slot = text,
        FieldSlot::OptionalText(slot) => *slot = Some(text),
        FieldSlot::Texts(slot) => *slot = vec![text],
    }
    spec
}

/// Returns the fields of `spec` that are set, as JSON.
fn members(spec: &MappingSpec) -> Value {
    let fields = MappingField::ALL.iter().filter_map(|field| {
        let value = match spec.value(*field) {
            FieldValue::Text("") | FieldValue::OptionalText(None) | FieldValue::Texts([]) => {
                return None;
            }
            FieldValue::Text(text) | FieldValue::OptionalText(Some(text)) => json!(text),
            FieldValue::Texts(texts) => json!(texts),
        };
        Some((field.name().to_owned(), value))
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Returns an object with a value of a wrong type for every field.
fn all_malformed() -> Map<String, Value> {
    let names = MappingField::NAMES.iter();
    names.map(|name| ((*name).to_owned(), json!(7))).collect()
}

/// Returns the fields in the order in which `error` reports them when all are malformed.
fn reported_order(error: impl Fn(&Value) -> Option<String>) -> Vec<&'static str> {
    let mut left = all_malformed();
    let mut order = Vec::new();
    while !left.is_empty() {
        let message = error(&Value::Object(left.clone())).unwrap();
        let mut names = MappingField::NAMES.iter();
        let name = names.find(|name| message.contains(&format!(".{name}`")));
        let name = *name.unwrap_or_else(|| panic!("{message}"));
        assert!(left.remove(name).is_some(), "{message}");
        order.push(name);
    }
    order
}

fn settings_error(rule: &Value) -> Option<String> {
    let config = json!({
        "clusterID": "c1",
        "sts": {"cluster": "sts"},
        "mapUsers": [{"userARN": "acs:ram::1:user/a", "username": "a"}],
        "mapRules": [rule],
    });
    let error = Settings::parse(config.to_string().as_bytes()).err()?;
    Some(error.to_string())
}

#[test]
fn names_are_distinct_and_found() {
    let names: BTreeSet<_> = MappingField::NAMES.iter().collect();
    assert_eq!(names.len(), MappingField::ALL.len());
    for field in MappingField::ALL {
        assert_eq!(MappingField::from_name(field.name()), Some(*field));
    }
    assert_eq!(MappingField::from_name("globs"), None);
}

#[test]
fn configuration_file_reads_every_field() {
    for field in MappingField::ALL {
        let spec = spec_with(*field);
        let rules = json!([members(&spec)]);
        let text = format!("clusterID: c1\nserver:\n  mapRules: {rules}\n");
        let config = ack_ram_config::load(&ConfigSources {
            file: Some(ConfigFile::Text {
                name: "c",
                text: &text,
            }),
            overrides: &Overrides::default(),
            variables: &|_| None,
        });
        let mappings = config.unwrap().mappings.mappings;
        let read: Vec<_> = mappings.iter().map(|read| &read.value.spec).collect();
        assert_eq!(read, [&spec], "{text}");
    }
}

#[test]
fn object_reads_every_field() {
    for field in MappingField::ALL {
        let spec = spec_with(*field);
        let object = ObjectSpec::parse(members(&spec)).unwrap();
        let mapping = object.to_mapping("a", Precedence::ListIndex(0)).unwrap();
        assert_eq!(mapping.spec, spec);
    }
    let unknown = ObjectSpec::parse(json!({"arn": "", "globs": true}));
    assert!(unknown.is_err());
}

#[test]
fn object_with_arn_refuses_every_extension() {
    for field in MappingField::ALL {
        let empty_list = match spec_with(*field).value(*field) {
            FieldValue::Texts(_) => json!([]),
            FieldValue::Text(text) => json!(text),
            FieldValue::OptionalText(text) => json!(text),
        };
        let mut object = json!({"arn": "acs:ram::1:user/a", "username": "a"});
        object[field.name()] = empty_list;
        let object = ObjectSpec::parse(object).unwrap();
        let mapping = object.to_mapping("a", Precedence::ListIndex(0));
        assert_eq!(mapping.is_err(), field.is_extension(), "{field:?}");
    }
}

#[test]
fn malformed_fields_are_reported_in_reading_order() {
    let object_error = |object: &Value| {
        let error = ObjectSpec::parse(object.clone()).err()?;
        Some(error.to_string())
    };
    let object_order = [
        "arn",
        "username",
        "arnPattern",
        "userID",
        "roleID",
        "match",
        "usernameExpression",
        "groupsExpression",
        "groups",
        "groupsExpressionMayAdd",
    ];
    let mut order = reported_order(object_error);
    order.retain(|name| object_order.contains(name));
    assert_eq!(order, object_order);
    assert_eq!(reported_order(settings_error), MappingField::NAMES);
}

/// The readable part of an entry decides what stays in effect when an edit breaks the entry.
#[test]
fn partial_entry_has_every_field() {
    for field in MappingField::ALL {
        let spec = spec_with(*field);
        let partial = PartialEntry::from_object(&members(&spec));
        assert_eq!(partial.unknown_key, None, "{field:?}");
        let object = ObjectSpec::parse(members(&spec)).unwrap();
        let mapping: Mapping = object.to_mapping("a", Precedence::ListIndex(0)).unwrap();
        assert_eq!(PartialEntry::from_mapping(&mapping), partial, "{field:?}");
        let is_empty = partial.subject == PartialSubject::Blank
            && partial.condition == PartialField::Absent
            && partial.username == PartialField::Absent
            && partial.username_expression == PartialField::Absent
            && partial.groups_expression == PartialField::Absent
            && partial.groups.is_empty()
            && partial.groups_expression_may_add.is_empty();
        assert!(!is_empty, "{field:?}");
    }
}

#[test]
fn input_of_a_login_reads_every_field() {
    for field in MappingField::ALL {
        let spec = spec_with(*field);
        let input: MappingInput = serde_json::from_value(members(&spec)).unwrap();
        assert_eq!((input.spec, input.globs), (spec, false));
        let name = field.name();
        let twice = format!(r#"{{"{name}": null, "{name}": null}}"#);
        let is_optional = matches!(
            MappingSpec::default().value(*field),
            FieldValue::OptionalText(_)
        );
        let error = serde_json::from_str::<MappingInput>(&twice).unwrap_err();
        let duplicate = format!("duplicate field `{name}`");
        assert_eq!(
            error.to_string().contains(&duplicate),
            is_optional,
            "{error}"
        );
    }
    let input: MappingInput = serde_json::from_value(json!({"globs": true})).unwrap();
    assert!(input.globs && input.spec == MappingSpec::default());
    let error = serde_json::from_str::<MappingInput>(r#"{"other": 1}"#).unwrap_err();
    let mut names = MappingField::NAMES.to_vec();
    names.insert(1, "globs");
    let names = names.join("`, `");
    assert_eq!(
        error.to_string(),
        format!("unknown field `other`, expected one of `{names}` at line 1 column 8")
    );
}

#[test]
fn filter_knows_every_field() {
    let error = settings_error(&json!({"other": 1})).unwrap();
    let names = MappingField::NAMES.join("`, `");
    assert!(
        error.contains(&format!("known keys are `{names}`")),
        "{error}"
    );
}

#[test]
fn definition_of_objects_has_every_field() {
    let definition: Value = serde_saphyr::from_str(CRD).unwrap();
    let spec =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let properties = spec["properties"].as_object().unwrap();
    let properties: BTreeSet<_> = properties.keys().map(String::as_str).collect();
    assert_eq!(properties, MappingField::NAMES.iter().copied().collect());
    for field in MappingField::ALL {
        let is_list = spec["properties"][field.name()]["type"] == "array";
        assert_eq!(is_list, field.is_list(), "{field:?}");
    }
}

#[test]
fn terms_have_every_field_but_the_subject() {
    for field in MappingField::ALL {
        let spec = spec_with(*field);
        let mut expected = json!({"groups": []});
        if !field.is_subject() {
            let of_field = members(&spec);
            expected[field.name()] = of_field[field.name()].clone();
        }
        let terms = serde_json::to_value(MappingTerms::new(spec)).unwrap();
        assert_eq!(terms, expected, "{field:?}");
    }
}

#[test]
fn documentation_names_every_field() {
    for name in MappingField::NAMES {
        assert!(CONFIGURATION.contains(&format!("`{name}`")), "{name}");
    }
}
