use super::{identity, mapping};
use crate::identity::Identity;
use crate::rules::{Backend, Mapping, Rule, WildcardMode};

const ALICE: &str = "acs:ram::1:user/alice";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn names(mapping: Mapping, identity: &Identity) -> Result<(String, Vec<String>), String> {
    let rule = Rule::compile(mapping).unwrap();
    rule.resolve_names(identity)
        .map_err(|error| format!("{}: {}", error.field, error.problem))
}

#[test]
fn rule_returns_its_expressions() {
    let mapping = Mapping {
        wildcards: WildcardMode::Disabled,
        arn: ALICE.to_owned(),
        condition: some("identity.accountId == '1'"),
        username: "system:u".to_owned(),
        username_expression: some("'system:u'"),
        groups: vec!["a".to_owned()],
        groups_expression: some("['b']"),
        groups_expression_may_add: vec!["system:g".to_owned(), "system:h".to_owned()],
        ..mapping_of_alice()
    };
    let rule = Rule::compile(mapping.clone()).unwrap();
    assert_eq!(rule.to_mapping(), mapping);
    let fields = ["match", "usernameExpression", "groupsExpression"];
    assert_eq!(rule.expression_fields(), fields);
    let may_add: Vec<Box<str>> = vec!["system:g".into(), "system:h".into()];
    assert_eq!(rule.expression_may_add(), &*may_add);
    assert!(rule.has_condition());
    for (username, groups, expected) in [
        (None, None, &[][..]),
        (some("'u'"), None, &fields[1..2]),
        (None, some("['b']"), &fields[2..]),
    ] {
        let mapping = Mapping {
            username_expression: username,
            groups_expression: groups,
            ..mapping_of_alice()
        };
        assert_eq!(
            Rule::compile(mapping).unwrap().expression_fields(),
            expected
        );
    }
}

fn mapping_of_alice() -> Mapping {
    mapping(Backend::Crd, "m", ALICE)
}

#[test]
fn expression_result_with_unlisted_reserved_name_is_refused() {
    let not_listed = |field: &str| {
        format!(
            "its expression gives a name that starts with `system:`, and `{field}` does not have it"
        )
    };
    for (expression, expected) in [
        ("['b']", Ok(vec!["a", "b"])),
        ("['a', 'b', 'b']", Ok(vec!["a", "b"])),
        ("['system:g']", Ok(vec!["a", "system:g"])),
        (
            "['b', 'system:x']",
            Err(format!(
                "groups[2]: {}",
                not_listed("groupsExpressionMayAdd")
            )),
        ),
        (
            "['']",
            Err("groups[1]: it is empty for this identity".to_owned()),
        ),
        (
            "['b', 'c\\n']",
            Err("groups[2]: it holds a control character for this identity".to_owned()),
        ),
    ] {
        let mapping = Mapping {
            groups: vec!["a".to_owned()],
            groups_expression: some(expression),
            groups_expression_may_add: vec!["system:g".to_owned()],
            ..mapping_of_alice()
        };
        let groups = names(mapping, &identity(ALICE)).map(|(_, groups)| groups);
        let expected = expected.map(|groups| groups.into_iter().map(str::to_owned).collect());
        assert_eq!(groups, expected, "{expression}");
    }
    for (expression, listed, expected) in [
        ("'u'", "", Ok("u")),
        ("'system:u'", "system:u", Ok("system:u")),
        (
            "'system:v'",
            "system:u",
            Err(format!("username: {}", not_listed("username"))),
        ),
    ] {
        let mapping = Mapping {
            username: listed.to_owned(),
            username_expression: some(expression),
            ..mapping_of_alice()
        };
        let username = names(mapping, &identity(ALICE)).map(|(username, _)| username);
        assert_eq!(username, expected.map(str::to_owned), "{expression}");
    }
}

#[test]
fn may_add_entry_that_is_no_exact_reserved_name_is_refused() {
    for (name, refused) in [
        ("system:g", None),
        ("", Some("it is empty")),
        ("g", Some("it does not start with `system:`")),
        (" system:g", Some("it does not start with `system:`")),
        ("system:{{UserID}}", Some("it holds `{{`")),
        ("system:\n", Some("it holds a control character")),
    ] {
        let mapping = Mapping {
            groups_expression: some("['b']"),
            groups_expression_may_add: vec!["system:f".to_owned(), name.to_owned()],
            ..mapping_of_alice()
        };
        let error = Rule::compile(mapping).err().map(|error| error.to_string());
        let start =
            refused.map(|reason| format!("its `groupsExpressionMayAdd[1]` was refused: {reason}"));
        match (error, start) {
            (None, None) => {}
            (Some(error), Some(start)) => assert!(error.starts_with(&start), "{error}"),
            (error, _) => panic!("{name}: {error:?}"),
        }
    }
    let alone = Mapping {
        groups_expression_may_add: vec!["system:f".to_owned()],
        ..mapping_of_alice()
    };
    assert!(Rule::compile(alone).is_err());
}
