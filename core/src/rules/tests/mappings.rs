use super::{edited, identity, mapping, rule};
use crate::arn::Arn;
use crate::rules::pattern::Pattern;
use crate::rules::subject::Subject;
use crate::rules::{
    Backend, BackendRules, Mapping, MappingSpec, Precedence, ProtectedIdentities, Rule, RuleSet,
    SessionArnMode, Source, WildcardMode,
};

const ALICE: &str = "acs:ram::1:user/alice";

/// Returns a mapping without a subject.
fn without_subject() -> Mapping {
    mapping(Backend::Crd, "m", "")
}

fn edited_without_subject(edit: impl FnOnce(&mut MappingSpec)) -> Mapping {
    edited(without_subject(), edit)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn subject(mapping: Mapping) -> String {
    match Rule::compile(mapping) {
        Ok(rule) if matches!(rule.subject(), Subject::Pattern(_)) => {
            format!("pattern {}", rule.subject())
        }
        Ok(rule) => rule.subject().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mapping_without_exactly_one_subject_is_refused() {
    let glob = "acs:ram::1:user/a*";
    let pattern = "pattern acs:ram::1:user/a*";
    let literal = WildcardMode::Disabled;
    for (mapping, expected) in [
        (
            edited_without_subject(|spec| spec.arn = ALICE.to_owned()),
            ALICE,
        ),
        (
            edited_without_subject(|spec| spec.arn = glob.to_owned()),
            pattern,
        ),
        (
            Mapping {
                wildcards: literal,
                ..edited_without_subject(|spec| spec.arn = glob.to_owned())
            },
            glob,
        ),
        (
            Mapping {
                wildcards: literal,
                ..edited_without_subject(|spec| spec.arn = ALICE.to_owned())
            },
            ALICE,
        ),
        (
            edited_without_subject(|spec| spec.arn_pattern = some(glob)),
            pattern,
        ),
        (
            Mapping {
                wildcards: literal,
                ..edited_without_subject(|spec| spec.arn_pattern = some(glob))
            },
            pattern,
        ),
        (
            edited_without_subject(|spec| spec.arn_pattern = some(ALICE)),
            ALICE,
        ),
        (
            edited_without_subject(|spec| spec.user_id = some("7")),
            "user ID 7",
        ),
        (
            edited_without_subject(|spec| spec.role_id = some("7")),
            "role ID 7",
        ),
        (
            edited_without_subject(|spec| spec.user_id = some("a b")),
            "invalid `userID`: use",
        ),
        (
            edited_without_subject(|spec| spec.role_id = some("")),
            "invalid `roleID`: use",
        ),
        (without_subject(), "no subject"),
        (
            edited_without_subject(|spec| {
                spec.arn = ALICE.to_owned();
                spec.user_id = some("7");
            }),
            "two subjects: set either `arn` or `userID`",
        ),
    ] {
        let found = subject(mapping.clone());
        assert!(found.starts_with(expected), "{found}: {mapping:?}");
    }
}

#[test]
fn session_arn_without_wildcard_gives_its_role() {
    let session = "acs:ram::1:assumed-role/dev/s";
    for (arn, wildcards, expected) in [
        (session, WildcardMode::Enabled, Some("acs:ram::1:role/dev")),
        (session, WildcardMode::Disabled, Some("acs:ram::1:role/dev")),
        ("acs:ram::1:assumed-role/d*/s", WildcardMode::Enabled, None),
        (ALICE, WildcardMode::Disabled, None),
    ] {
        let mapping = Mapping {
            wildcards,
            ..edited_without_subject(|spec| spec.arn = arn.to_owned())
        };
        let role = mapping.role_of_session().map(|role| role.to_string());
        assert_eq!(role.as_deref(), expected, "{arn}");
    }
}

#[test]
fn rule_returns_raw_names_of_its_mapping() {
    let written = edited(mapping(Backend::Crd, "m", ALICE), |spec| {
        spec.username = "dev:{{SessionName}}".to_owned();
        spec.groups = vec!["a".to_owned(), "b".to_owned()];
    });
    let rule = Rule::compile(written).unwrap();
    let groups: Vec<Box<str>> = vec!["a".into(), "b".into()];
    assert_eq!(rule.raw_names(), ("dev:{{SessionName}}", &*groups));
    assert!(rule.expression_may_add().is_empty());
    assert!(rule.expression_fields().is_empty());
    assert!(!rule.has_condition());
}

#[test]
fn mapping_survives_compilation_and_back() {
    let base = Mapping {
        wildcards: WildcardMode::Disabled,
        session_arn_mode: SessionArnMode::Refused,
        ..edited_without_subject(|spec| {
            spec.username = "u:{{UserID}}".to_owned();
            spec.groups = vec!["a".to_owned()];
        })
    };
    for mapping in [
        edited(base.clone(), |spec| spec.arn = ALICE.to_owned()),
        edited(base.clone(), |spec| {
            spec.arn_pattern = some("acs:ram::1:user/A*")
        }),
        edited(base.clone(), |spec| spec.user_id = some("7")),
        edited(base.clone(), |spec| spec.role_id = some("7")),
    ] {
        assert_eq!(
            Rule::compile(mapping.clone()).unwrap().to_mapping(),
            mapping
        );
    }
}

#[test]
fn user_id_and_role_id_match_their_own_kind() {
    let mut rules = BackendRules::new(Backend::Crd);
    for (position, user_id, role_id) in [
        ("user-7", some("7"), None),
        ("user-8", some("8"), None),
        ("role-7", None, some("7")),
    ] {
        let source = Source {
            backend: Backend::Crd,
            position: position.to_owned(),
        };
        let spec = MappingSpec {
            user_id,
            role_id,
            username: position.to_owned(),
            ..MappingSpec::default()
        };
        let mapping = Mapping::new(source, Precedence::ListIndex(0), spec);
        rules.apply(Rule::compile(mapping).unwrap());
    }
    let set = RuleSet::new(vec![rules], []);
    for (arn, id, expected) in [
        (ALICE, "7", Some("user-7")),
        (ALICE, "8", Some("user-8")),
        (ALICE, "9", None),
        ("acs:ram::1:assumed-role/dev/s", "7", Some("role-7")),
        ("acs:ram::1:assumed-role/dev/s", "8", None),
        ("acs:ram::1:root", "7", None),
    ] {
        let mut identity = identity(arn);
        identity.user_id = id.into();
        let user = set.explain(&identity).1.ok().map(|user| user.username);
        assert_eq!(user.as_deref(), expected, "{arn} {id}");
    }
}

#[test]
fn subject_is_protected_by_name_or_pattern() {
    let mut protected = ProtectedIdentities::default();
    assert!(protected.is_empty());
    protected.protect(ALICE).unwrap();
    assert!(!protected.is_empty());
    let mut patterns = ProtectedIdentities::default();
    patterns.protect("acs:ram::1:role/n-*").unwrap();
    assert!(!patterns.is_empty());
    protected.protect("acs:ram::1:role/n-*").unwrap();
    for (arn, expected) in [
        (ALICE, true),
        ("acs:ram::1:user/ALICE", true),
        ("acs:ram::1:user/bob", false),
        ("acs:ram::1:role/n-1", true),
        ("acs:ram::1:role/m-1", false),
        ("acs:ram::1:role/N-*", true),
        ("acs:ram::1:role/n-?", false),
        ("acs:ram::1:**", false),
    ] {
        let subject = rule(Backend::Crd, "m", arn).subject().clone();
        assert_eq!(protected.protects_subject(&subject), expected, "{arn}");
        if !Pattern::has_wildcard(arn) {
            let arn = Arn::parse(arn).unwrap();
            assert_eq!(protected.protects(&arn.key()), expected, "{arn}");
        }
    }
    let by_id = Rule::compile(edited_without_subject(|spec| spec.user_id = some("7"))).unwrap();
    assert!(!protected.protects_subject(by_id.subject()));
}
