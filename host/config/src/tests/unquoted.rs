//! Values that need quotes and have none. In every document, such a value invalidates only its own entry and grants
//! nothing.

use std::collections::BTreeSet;

use ack_ram_core::rules::{Backend, Mapping, Precedence, Source, WildcardMode};

use super::*;
use crate::document::{self, ConfigMapData, MappingDocument};
use crate::entry::{ListItem, MappingList};
use crate::last_good::retain;
use crate::partial_entry::PartialEntry;

const PUT_QUOTES: &str = "put quotes around";

#[test]
fn unquoted_value_refuses_only_its_entry() {
    for (value, advice) in [
        ("{{SessionName}}", "put quotes around `{{SessionName}}`"),
        ("{{AccountID}}:x", PUT_QUOTES),
        ("{{AccountID}}-{{SessionName}}", PUT_QUOTES),
        ("*:role/x", PUT_QUOTES),
        ("*nobody", PUT_QUOTES),
        ("@admin", PUT_QUOTES),
        ("`admin`", PUT_QUOTES),
        ("%admin", PUT_QUOTES),
        (".inf", PUT_QUOTES),
        ("!admin", "with quotes if"),
        ("#admin", "with quotes if"),
        ("~", "with quotes if"),
        ("null", "with quotes if"),
        ("true", PUT_QUOTES),
        ("1e3", PUT_QUOTES),
        ("admin: {{SessionName}}", PUT_QUOTES),
        ("a: b: c", PUT_QUOTES),
        ("{admin: x}", PUT_QUOTES),
        ("[admin]", "expected text, found a list"),
    ] {
        for (list, arn) in [
            ("mapRoles", "roleARN"),
            ("mapUsers", "userARN"),
            ("mapRules", "arn"),
        ] {
            let lines = format!(
                "- {arn}: acs:ram::1:role/a\n    username: {value}\n    groups: [g]\n  - {arn}: acs:ram::1:role/b\n    username: b\n"
            );
            let yaml = format!("clusterID: c\nserver:\n  {list}:\n  {lines}");
            let config = load_yaml(&yaml).unwrap_or_else(|error| panic!("{value}: {error}"));
            let names = config.mappings.mappings.iter();
            let names: Vec<_> = names
                .map(|given| given.value.spec.username.as_str())
                .collect();
            assert_eq!(names, ["b"], "{value} in {list}");
            let [warning] = config.warnings.as_slice() else {
                panic!("{value}: {:#?}", config.warnings);
            };
            let text = warning.warning_text();
            assert!(text.starts_with("config.yaml:5:"), "{text}");
            assert!(text.contains(advice), "{text}");
            assert_eq!(warning.code, DiagnosticCode::InvalidEntry, "{text}");
        }
    }
}

/// If an alias became an empty text instead, it would map every identity that matches the condition, or drop a rule.
#[test]
fn unquoted_anchor_value_is_refused_at_each_alias() {
    for value in ["@team", "*team", "{{RoleName}}-x", "`team`", "%team"] {
        let condition = "identity.accountId == '1234567890123456'";
        let subject = format!(
            "arn: {value}\n    match: \"{condition}\"\n    username: x\n    groups: [\"system:masters\"]\n"
        );
        for yaml in [
            format!(
                "clusterID: c\nx-team: &team\n    {subject}server:\n  mapRules:\n  - <<: *team\n    username: ops\n  - *team\n"
            ),
            format!(
                "clusterID: c\nserver:\n  mapRules:\n  - &team\n    {subject}  - <<: *team\n    username: ops\n  - *team\n"
            ),
        ] {
            let config = load_yaml(&yaml).unwrap_or_else(|error| panic!("{yaml}{error}"));
            assert!(config.mappings.mappings.is_empty(), "{yaml}");
            let refused = config.warnings.iter();
            let refused = refused.filter(|warning| warning.code == DiagnosticCode::InvalidEntry);
            assert!(refused.count() >= 2, "{yaml}{:#?}", config.warnings);
        }
    }
    for setting in [
        "userValidationRules",
        "reservedPrefixConfig",
        "protect",
        "scrubbedAccounts",
        "mapRules",
        "dynamicFilePath",
    ] {
        let yaml = format!("clusterID: c\nx: &x\n  {setting}: @x\nserver:\n  <<: *x\n");
        assert!(load_yaml(&yaml).is_err(), "{setting}");
    }
}

/// The text after such a value in its line must not be lost with it.
#[test]
fn unquoted_value_followed_by_more_is_a_syntax_error() {
    for yaml in [
        "clusterID: c\nserver: {\n  team: @ops, requireClientCertificate: true\n}\n",
        "clusterID: c\nserver: {\n  team: {{Team}}-x, scrubbedAccounts: ['1']\n}\n",
        "clusterID: c\nserver: {\n  team: sys: x, scrubbedAccounts: ['1']\n}\n",
        "clusterID: c\nserver:\n  team: @ops\r  requireClientCertificate: true\n",
        "clusterID: c\nserver:\n  team: @ops\u{85}  requireClientCertificate: true\n",
        "clusterID: c\nserver:\n  team: @ops\u{2028}  requireClientCertificate: true\n",
        "clusterID: c\nserver:\n  mapUsers: [\n    {userARN: 'acs:ram::1:user/a', groups: [g],\n    x: @foo}, {userARN: 'acs:ram::1:user/b'\n    , username: admin}]\n",
        "clusterID: c\nserver:\n  mapUsers: [\n    {userARN: 'acs:ram::1:user/a', groups: [g],\n    x: *foo}, {userARN: 'acs:ram::1:user/b'\n    , username: admin}]\n",
    ] {
        let error = load_yaml(yaml).map(|_| ()).unwrap_err();
        assert!(error.starts_with("config.yaml:"), "{yaml}{error}");
    }
}

/// Text in the file that looks like a placeholder of the parser is ordinary text.
#[test]
fn placeholder_text_in_file_is_kept() {
    let yaml = "clusterID: c\nserver:\n  mapUsers:\n  - userARN: acs:ram::1:user/a\n    username: @a\n  - userARN: acs:ram::1:user/b\n    username: unquoted-value-0\n";
    let config = load_yaml(yaml).unwrap();
    let names = config.mappings.mappings.iter();
    let names: Vec<_> = names.map(|given| &*given.value.spec.username).collect();
    assert_eq!(names, ["unquoted-value-0"]);
}

#[test]
fn unquoted_groups_and_accounts_are_refused() {
    for (groups, advice) in [
        ("[g, {{SessionName}}]", "`groups[1]` has `{{`"),
        ("\n    - g\n    - {{SessionName}}", "`groups[1]` has `{{`"),
        (
            "\n    - g\n    - system: masters",
            "`groups[1]` has a colon with a space",
        ),
        ("\n    - '@g'\n    - @g", "`groups[1]` starts with `@`"),
        ("*admins", "; write a list"),
        ("g: h", "`groups` has a colon with a space"),
    ] {
        let yaml = format!(
            "clusterID: c\nserver:\n  mapUsers:\n  - userARN: acs:ram::1:user/a\n    username: a\n    groups: {groups}\n  - userARN: acs:ram::1:user/b\n    username: b\n"
        );
        let config = load_yaml(&yaml).unwrap_or_else(|error| panic!("{groups}: {error}"));
        assert_eq!(config.mappings.mappings.len(), 1, "{groups}");
        let text = config.warnings.first().unwrap().to_string();
        assert!(text.contains(advice) && text.contains(PUT_QUOTES), "{text}");
    }
    let yaml = "clusterID: c\nserver:\n  mapAccounts: [{{AccountID}}, '1']\n";
    let config = load_yaml(yaml).unwrap();
    assert_eq!(config.mappings.accounts.len(), 1);
    assert!(config.warnings[0].to_string().contains(PUT_QUOTES));
}

/// Unlike an invalid entry, an invalid setting keeps the server from starting.
#[test]
fn unquoted_setting_is_refused() {
    for (yaml, place) in [
        ("clusterID: {{id}}\n", "config.yaml:1:12"),
        ("clusterID: @id\n", "config.yaml:1:12"),
        ("clusterID: a: b\n", "config.yaml:1:12"),
        (
            "clusterID: c\nserver:\n  scrubbedAccounts: ['1', {{x}}]\n",
            "config.yaml:3:27",
        ),
        (
            "clusterID: c\nserver:\n  protect:\n  - *admin\n",
            "config.yaml:4:5",
        ),
        (
            "clusterID: c\nserver:\n  mapUsers: {{x}}\n",
            "config.yaml:3:13",
        ),
        ("clusterID: c\nserver: {{x}}\n", "config.yaml:2:9"),
        ("{{x}}\n", "config.yaml:1:1"),
    ] {
        let error = load_yaml(yaml).unwrap_err();
        assert!(
            error.starts_with(place) && error.contains(PUT_QUOTES),
            "{error}"
        );
    }
}

#[test]
fn unquoted_value_refuses_one_entry_in_every_document() {
    let list = "- userARN: acs:ram::1:user/a\n  username: {{SessionName}}\n- userARN: acs:ram::1:user/b\n  username: b\n";
    let json = r#"{"mapUsers": [
        {"userARN": "acs:ram::1:user/a", "username": {{SessionName}}},
        {"userARN": "acs:ram::1:user/b", "username": "b"}]}"#;
    let check = |document: MappingDocument, place: &str| {
        let slots = document.mappings.lists[&MappingList::Users]
            .as_ref()
            .unwrap();
        let [ListItem::Invalid(invalid), ListItem::Mapping(0)] = slots.as_slice() else {
            panic!("{slots:#?}");
        };
        let why = invalid.refusal.to_string();
        assert!(why.starts_with(place), "{why}");
        assert!(
            why.ends_with("put quotes around `{{SessionName}}`"),
            "{why}"
        );
    };
    let data = ConfigMapData {
        texts: [("mapUsers".to_owned(), list.to_owned())].into(),
        binary_keys: BTreeSet::new(),
    };
    check(
        document::parse_config_map("cm", &data, WildcardMode::Disabled),
        "cm mapUsers:2:13",
    );
    let read =
        |text: &str| document::parse_dynamic_file("d.json", text, WildcardMode::Disabled).unwrap();
    check(read(json), "d.json:2:54");
    check(read(&format!("mapUsers:\n{list}")), "d.json:3:13");
}

/// A last good form keeps only the access that the newest text plainly grants. In doubt, nothing is kept.
#[test]
fn unquoted_entry_keeps_what_both_texts_give() {
    let kept = |username: &str, groups: &[&str], newest: &str| {
        let source = Source {
            backend: Backend::MountedFile,
            position: "server.mapRoles[0]".to_owned(),
        };
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let last = Mapping::for_arn(
            source,
            Precedence::ListIndex(0),
            "acs:ram::1:role/a",
            username,
            groups,
        );
        let yaml = format!(
            "clusterID: c\nserver:\n  mapRoles:\n  - roleARN: acs:ram::1:role/a\n    {newest}\n"
        );
        let config = load_yaml(&yaml).unwrap();
        let slots = config.mappings.lists[&MappingList::Roles].as_ref().unwrap();
        let [ListItem::Invalid(invalid)] = slots.as_slice() else {
            panic!("{slots:#?}");
        };
        let partial: &PartialEntry = invalid.partial.as_ref().unwrap();
        let kept = retain(&last, partial).ok()?;
        Some((kept.spec.username, kept.spec.groups.join(" ")))
    };
    let is = |username: &str, groups: &str| Some((username.to_owned(), groups.to_owned()));
    let template = "{{SessionName}}";
    for (last, newest, expected) in [
        (
            (template, &["g", "h"][..]),
            "username: {{SessionName}}\n    groups: [h]",
            is(template, "h"),
        ),
        (
            (template, &["g"]),
            "username: {{SessionName}}:x\n    groups: [g]",
            None,
        ),
        (("admin", &["g"]), "username: *admin\n    groups: [g]", None),
        (("admin", &["g"]), "username: @admin\n    groups: [g]", None),
        (
            ("admin", &["g"]),
            "username: admin: x\n    groups: [g]",
            None,
        ),
        (
            ("admin", &["g"]),
            "username: {{SessionName}}\n    groups: [g]",
            None,
        ),
        (
            ("a", &["g", template]),
            "username: a\n    groups: [{{SessionName}}]",
            is("a", template),
        ),
        (
            ("a", &["g", "system:masters"]),
            "username: a\n    groups: *x",
            is("a", ""),
        ),
        (
            ("a", &["g", "system:masters"]),
            "username: a\n    groups: [g, {{x}}]",
            is("a", "g"),
        ),
    ] {
        assert_eq!(kept(last.0, last.1, newest), expected, "{newest}");
    }
}
