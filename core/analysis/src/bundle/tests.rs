//! Tests of texts with documents of all kinds.

use ack_ram_core::arn::Arn;

use super::*;
use crate::placeholder;
use ack_ram_config::DiagnosticCode;

const FILE: &str = "clusterID: c1\nserver:\n  backendMode: [MountedFile, CRD]\n  mapUsers:\n  - userARN: acs:ram::1:user/a\n    username: from-file\n";
const CONFIG_MAP: &str = "kind: ConfigMap\ndata:\n  mapUsers: |\n    - userARN: acs:ram::1:user/a\n      username: from-config-map\n  mapRoles: |\n    - roleARN: acs:ram::1:role/r\n";
const OBJECT: &str = "kind: RAMIdentityMapping\nmetadata: {name: one}\nspec: {arn: 'acs:ram::1:user/*', username: from-object}\n";

/// Several objects, as kubectl prints them.
const LIST: &str = r#"{"kind": "List", "items": [
    {"kind": "ConfigMap", "data": {"mapUsers": "- {userARN: 'acs:ram::1:user/a', username: from-config-map}"}},
    {"kind": "RAMIdentityMapping", "metadata": {"name": "one"}, "spec": {"arn": "acs:ram::1:user/*", "username": "from-object"}}
]}"#;

#[test]
fn unreadable_config_map_list_has_its_position() {
    let tab = CONFIG_MAP.replace("      username: from-config-map", "    \tusername: x");
    let list = CONFIG_MAP.replace("mapUsers: |\n    -", "mapUsers: |\n     ");
    for (text, position, message) in [
        (tab, "all.yaml mapUsers:2:1 mapUsers", "tab in indentation"),
        (
            list,
            "all.yaml mapUsers:1:1 mapUsers",
            "`mapUsers`: expected a list, found a map",
        ),
    ] {
        let read = read_bundle("all.yaml", &text).unwrap();
        let mut unreadable = read.findings.iter();
        let unreadable = unreadable.find(|finding| finding.code == DiagnosticCode::Unreadable);
        let unreadable = unreadable.unwrap_or_else(|| panic!("{:#?}", read.findings));
        assert_eq!(unreadable.location.to_string(), position);
        assert_eq!(unreadable.message, message);
        let codes = read.findings.iter().map(|finding| finding.code);
        assert!(
            !codes
                .into_iter()
                .any(|code| code == DiagnosticCode::NobodyMapped)
        );
    }
}

#[test]
fn documents_take_precedence_in_backend_order() {
    let user = |name: &str| placeholder::identity_for_arn(Arn::parse(name).unwrap()).unwrap();
    for (documents, arn, expected) in [
        (&[FILE] as &[&str], "acs:ram::1:user/a", Some("from-file")),
        (&[CONFIG_MAP], "acs:ram::1:user/a", Some("from-config-map")),
        (&[OBJECT], "acs:ram::1:user/a", Some("from-object")),
        (&[OBJECT], "acs:ram::2:user/a", None),
        (&[OBJECT, FILE], "acs:ram::1:user/a", Some("from-file")),
        (&[OBJECT, FILE], "acs:ram::1:user/b", Some("from-object")),
        (
            &[OBJECT, CONFIG_MAP],
            "acs:ram::1:user/a",
            Some("from-config-map"),
        ),
        (&[CONFIG_MAP, FILE], "acs:ram::1:user/a", Some("from-file")),
        (&[LIST], "acs:ram::1:user/a", Some("from-config-map")),
        (&[LIST], "acs:ram::1:user/b", Some("from-object")),
        (&[""], "acs:ram::1:user/a", None),
    ] {
        let text = documents.join("---\n");
        let read = read_bundle("all.yaml", &text).unwrap();
        let trace = read.compiled.unwrap().explain(&user(arn));
        let username = trace.user.map(|user| user.username);
        assert_eq!(username.as_deref(), expected, "{text}");
    }
}

#[test]
fn session_arn_object_is_an_error_and_explained() {
    let session = "kind: RAMIdentityMapping\nmetadata: {name: two}\nspec: {arn: 'acs:ram::1:assumed-role/r3/bob', username: bob-the-admin}\n";
    let read = read_bundle("all.yaml", session).unwrap();
    let found: Vec<String> = read
        .findings
        .iter()
        .filter(|finding| finding.code.as_str() == "session-arn")
        .map(|finding| {
            format!(
                "{} {}: {}",
                finding.severity, finding.location, finding.message
            )
        })
        .collect();
    let [found] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert!(
        found.starts_with("error all.yaml:1:1 two: ")
            && found.contains("every session of `acs:ram::1:role/r3`"),
        "{found}"
    );
    let eve = placeholder::identity_for_arn(Arn::parse("acs:ram::1:assumed-role/r3/eve").unwrap());
    let trace = read.compiled.unwrap().explain(&eve.unwrap());
    let rule = trace.rule.unwrap();
    assert_eq!(trace.user.unwrap().username, "bob-the-admin");
    let role = rule.every_session_of.map(|role| role.to_string());
    assert_eq!(role.as_deref(), Some("acs:ram::1:role/r3"));
    let pattern = session.replace("arn: ", "arn: '', arnPattern: ");
    let read = super::read_bundle("all.yaml", &pattern).unwrap();
    let refused = read
        .findings
        .iter()
        .any(|finding| finding.code.as_str() == "invalid-arn");
    assert!(refused, "{:#?}", read.findings);
}

#[test]
fn contains_kinds_is_false_for_configuration_file() {
    for (text, expected) in [
        (FILE, false),
        (OBJECT, true),
        (CONFIG_MAP, true),
        ("", false),
        ("- 1\n", false),
        ("kind: [\n", false),
    ] {
        assert_eq!(contains_kinds(text), expected, "{text}");
    }
    assert!(contains_kinds(&[FILE, OBJECT].join("---\n")));
}

#[test]
fn finding_has_its_position_in_the_whole_text() {
    let text = [
        FILE,
        CONFIG_MAP,
        "kind: RAMIdentityMapping\nmetadata: {name: two}\nspec: {arn: 1}\n",
    ]
    .join("---\n");
    let read = read_bundle("all.yaml", &text).unwrap();
    assert_eq!(read.unused_backends, [Backend::ConfigMap]);
    let found: Vec<String> = read
        .findings
        .iter()
        .map(|finding| format!("{} {}", finding.location, finding.message))
        .collect();
    for expected in [
        "all.yaml:16:1 two the entry is left out: `spec.arn` is not text",
        "`username` is required",
    ] {
        let is_it = |text: &String| text.contains(expected);
        assert!(found.iter().any(is_it), "{expected}: {found:#?}");
    }
    for (text, expected) in [
        ("kind: Pod\n", "all.yaml:1:1: unsupported kind `Pod`"),
        (
            "a: 1\n---\nb: 1\n",
            "all.yaml:3:1: second configuration file",
        ),
        ("a: 1\n---\nkind: [\n", "all.yaml:"),
    ] {
        let error = super::read_bundle("all.yaml", text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// kubectl refuses the whole document.
#[test]
fn unquoted_value_outside_spec_refuses_object() {
    const OBJECT: &str = "spec: {arn: 'acs:ram::1:user/a', username: a}\n";
    for document in [
        "kind: ConfigMap\ndata:\n  mapRoles: @x\n".to_owned(),
        "kind: ConfigMap\ndata:\n  mapRoles: {{Roles}}\n".to_owned(),
        "kind: ConfigMap\ndata: @x\n".to_owned(),
        "kind: @ConfigMap\ndata: {}\n".to_owned(),
        format!("kind: RAMIdentityMapping\nmetadata:\n  name: {{{{x}}}}-y\n{OBJECT}"),
        format!("kind: RAMIdentityMapping\nmetadata:\n  labels: @z\n{OBJECT}"),
    ] {
        let error = read_bundle("f", &document).map(|_| ()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("without quotes"), "{document}{text}");
    }
}

#[test]
fn unquoted_value_in_spec_refuses_one_object() {
    let objects = "kind: RAMIdentityMapping\nmetadata: {name: a}\nspec:\n  arn: acs:ram::1:user/a\n  username: {{SessionName}}\n---\nkind: RAMIdentityMapping\nmetadata: {name: b}\nspec:\n  arn: acs:ram::1:user/b\n  username: b\n";
    let read = read_bundle("o.yaml", objects).unwrap();
    let invalid: Vec<_> = read
        .findings
        .iter()
        .filter(|finding| finding.code.as_str() == "invalid-entry")
        .map(|finding| format!("{} {}; {}", finding.location, finding.message, finding.help))
        .collect();
    let [invalid] = invalid.as_slice() else {
        panic!("{:#?}", read.findings);
    };
    assert!(
        invalid.starts_with("o.yaml:5:13 a ") && invalid.contains("`spec.username`"),
        "{invalid}"
    );
    assert!(
        invalid.ends_with("put quotes around `{{SessionName}}`"),
        "{invalid}"
    );
}
