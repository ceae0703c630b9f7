use super::{edited, identity, mapping};
use crate::identity::Identity;
use crate::rules::{Backend, Mapping, MappingSpec, Rule, WildcardMode};

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
        ..alice_with(|spec| {
            spec.arn = ALICE.to_owned();
            spec.condition = some("identity.accountId == '1'");
            spec.username = "system:u".to_owned();
            spec.username_expression = some("'system:u'");
            spec.groups = vec!["a".to_owned()];
            spec.groups_expression = some("['b']");
            spec.groups_expression_may_add = vec!["system:g".to_owned(), "system:h".to_owned()];
        })
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
        let mapping = alice_with(|spec| {
            spec.username_expression = username;
            spec.groups_expression = groups;
        });
        assert_eq!(
            Rule::compile(mapping).unwrap().expression_fields(),
            expected
        );
    }
}

fn alice_with(edit: impl FnOnce(&mut MappingSpec)) -> Mapping {
    edited(mapping(Backend::Crd, "m", ALICE), edit)
}

#[test]
fn expression_result_with_unlisted_reserved_name_is_refused() {
    let not_listed = |field: &str| {
        format!(
            "the expression returned a name that starts with `system:` and that `{field}` does not list"
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
            Err("groups[1]: the name is empty for this identity".to_owned()),
        ),
        (
            "['b', 'c\\n']",
            Err("groups[2]: the name contains a control character for this identity".to_owned()),
        ),
    ] {
        let mapping = alice_with(|spec| {
            spec.groups = vec!["a".to_owned()];
            spec.groups_expression = some(expression);
            spec.groups_expression_may_add = vec!["system:g".to_owned()];
        });
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
        let mapping = alice_with(|spec| {
            spec.username = listed.to_owned();
            spec.username_expression = some(expression);
        });
        let username = names(mapping, &identity(ALICE)).map(|(username, _)| username);
        assert_eq!(username, expected.map(str::to_owned), "{expression}");
    }
}

#[test]
fn may_add_entry_without_exact_reserved_name_is_refused() {
    for (name, refused) in [
        ("system:g", None),
        ("", Some("the name is empty")),
        ("g", Some("the name does not start with `system:`")),
        (" system:g", Some("the name does not start with `system:`")),
        ("system:{{UserID}}", Some("the name contains `{{`")),
        ("system:\n", Some("the name contains a control character")),
    ] {
        let mapping = alice_with(|spec| {
            spec.groups_expression = some("['b']");
            spec.groups_expression_may_add = vec!["system:f".to_owned(), name.to_owned()];
        });
        let error = Rule::compile(mapping).err().map(|error| error.to_string());
        let start = refused.map(|reason| format!("invalid `groupsExpressionMayAdd[1]`: {reason}"));
        match (error, start) {
            (None, None) => {}
            (Some(error), Some(start)) => assert!(error.starts_with(&start), "{error}"),
            (error, _) => panic!("{name}: {error:?}"),
        }
    }
    let alone = alice_with(|spec| spec.groups_expression_may_add = vec!["system:f".to_owned()]);
    assert!(Rule::compile(alone).is_err());
}
