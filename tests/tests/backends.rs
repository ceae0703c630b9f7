//! Several backends: which one answers, what happens before one is synced, and which identities the file answers first.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::{AccountId, Arn};
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MappingSpec, Precedence, ProtectedIdentities, Rule, RuleError,
    RuleSet, RulesError, RulesRefusal, RulesUnavailable, SessionArnMode, Source, WildcardMode,
};

const ALICE: &str = "acs:ram::1:user/alice";

fn identity(arn: &str) -> Identity {
    Identity {
        arn: Arn::parse(arn).unwrap(),
        user_id: "200000000000000001".into(),
        access_key_id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
    }
}

fn mapping(backend: Backend, position: &str, arn: &str, username: &str) -> Mapping {
    let source = Source {
        backend,
        position: position.to_owned(),
    };
    Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::for_arn(source, Precedence::ListIndex(0), arn, username, Vec::new())
    }
}

/// Compiles rules of `backend` from pairs of ARN and username.
fn rules(backend: Backend, is_synced: bool, entries: &[(&str, &str)]) -> BackendRules {
    let mut rules = if is_synced {
        BackendRules::new(backend)
    } else {
        BackendRules::new_unsynced(backend)
    };
    for (place, (arn, username)) in entries.iter().enumerate() {
        rules.apply(Rule::compile(mapping(backend, &place.to_string(), arn, username)).unwrap());
    }
    rules
}

/// Returns the username, or why there is none.
fn answer(rules: &RuleSet, arn: &str) -> String {
    match rules.explain(&identity(arn)).1 {
        Ok(user) => user.username,
        Err(RulesError::Refused(RulesRefusal::NotMapped)) => "not mapped".to_owned(),
        Err(RulesError::Unavailable(RulesUnavailable::NotReady(backend))) => {
            format!("{backend} not synced")
        }
        Err(RulesError::Unavailable(RulesUnavailable::Broken(backend))) => {
            format!("{backend} broken")
        }
        Err(RulesError::Unavailable(RulesUnavailable::Stale(backend))) => {
            format!("{backend} stale")
        }
        Err(RulesError::Refused(refusal)) => panic!("{refusal:?}"),
    }
}

#[test]
fn later_backend_does_not_answer_before_earlier_one_is_synced() {
    use Backend::{Crd, MountedFile};
    let file = || rules(MountedFile, true, &[(ALICE, "file")]);
    let objects = |is_synced| rules(Crd, is_synced, &[(ALICE, "object")]);
    for (backends, expected) in [
        (vec![objects(false), file()], "CRD not synced"),
        (vec![objects(true), file()], "object"),
        (vec![file(), objects(false)], "file"),
        (vec![rules(Crd, true, &[]), file()], "file"),
        (vec![rules(Crd, false, &[]), file()], "CRD not synced"),
        (
            vec![rules(MountedFile, true, &[]), objects(false)],
            "CRD not synced",
        ),
        (vec![rules(MountedFile, true, &[])], "not mapped"),
    ] {
        let set = RuleSet::new(backends, []);
        assert_eq!(answer(&set, ALICE), expected);
    }
}

#[test]
fn synced_backend_answers_and_stays_synced() {
    let mut set = RuleSet::new(vec![rules(Backend::Crd, false, &[(ALICE, "object")])], []);
    assert_eq!(answer(&set, ALICE), "CRD not synced");
    let objects = set.backend_mut(Backend::Crd).unwrap();
    objects.mark_synced();
    assert_eq!(answer(&set, ALICE), "object");
    set.backend_mut(Backend::Crd).unwrap().reset();
    assert_eq!(answer(&set, ALICE), "not mapped");
}

#[test]
fn broken_backend_neither_grants_nor_denies_until_synced() {
    use Backend::{DynamicFile, MountedFile};
    let broken = || {
        let mut rules = rules(DynamicFile, false, &[(ALICE, "dynamic")]);
        rules.set_broken(true);
        rules
    };
    let file = || rules(MountedFile, true, &[(ALICE, "file")]);
    for (backends, expected) in [
        (vec![broken(), file()], "DynamicFile broken"),
        (vec![file(), broken()], "file"),
        (
            vec![rules(MountedFile, true, &[]), broken()],
            "DynamicFile broken",
        ),
        (
            vec![rules(MountedFile, false, &[]), broken()],
            "MountedFile not synced",
        ),
    ] {
        assert_eq!(answer(&RuleSet::new(backends, []), ALICE), expected);
    }
    let mut rules = broken();
    assert!(rules.is_broken() && !rules.is_synced());
    rules.set_broken(false);
    assert!(!rules.is_broken() && !rules.is_synced());
    rules.mark_synced();
    rules.set_broken(true);
    let kept = (rules.is_broken(), rules.is_synced());
    assert_eq!(kept, (false, true), "a synced backend stays in effect");
}

#[test]
fn file_answers_first_for_protected_identity() {
    use Backend::{Crd, MountedFile};
    let root = "acs:ram::1:root";
    let node = "acs:ram::1:role/node-7";
    for (protect, is_synced, arn, expected) in [
        (vec![ALICE], true, ALICE, "file"),
        (vec![ALICE], false, ALICE, "file"),
        (vec!["ACS:RAM::1:User/Alice"], true, ALICE, "file"),
        (vec!["acs:ram::1:user/a*"], true, ALICE, "file"),
        (vec!["acs:ram::2:user/a*", node], true, ALICE, "object"),
        (
            vec!["acs:ram::2:user/a*", node],
            false,
            ALICE,
            "CRD not synced",
        ),
        (vec![], true, ALICE, "object"),
        // The file does not map the node, so there is nothing to protect.
        (vec![node], true, node, "object"),
        (vec![node], false, node, "CRD not synced"),
        (vec![root], true, root, "not mapped"),
    ] {
        let mut protected = ProtectedIdentities::default();
        for text in &protect {
            protected.protect(text).unwrap();
        }
        let set = RuleSet::new(
            vec![
                rules(Crd, is_synced, &[(ALICE, "object"), (node, "object")]),
                rules(MountedFile, true, &[(ALICE, "file")]),
            ],
            [],
        )
        .with_protected(protected);
        assert_eq!(answer(&set, arn), expected, "{protect:?} {arn}");
        let (explanation, _) = set.explain(&identity(arn));
        assert_eq!(explanation.protected, expected == "file", "{protect:?}");
    }
}

#[test]
fn stale_backend_is_unavailable_for_mapped_identities_only() {
    use Backend::{ConfigMap, Crd, DynamicFile, MountedFile};
    let bob = "acs:ram::1:user/bob";
    let of_account = "acs:ram::2:user/carol";
    let conditional = "acs:ram::3:user/dave";
    let nobody = "acs:ram::4:user/eve";
    let everyone = [
        (ALICE, "file"),
        (bob, "file"),
        (of_account, "file"),
        (conditional, "file"),
    ];
    let stale = |backend| {
        let mut rules = rules(backend, true, &[(ALICE, "object")]);
        rules.apply_account(AccountId::parse("2").unwrap());
        let mut condition = mapping(backend, "condition", "", "object");
        condition.spec.condition = Some("identity.accountId == '3'".to_owned());
        rules.apply(Rule::compile(condition).unwrap());
        rules
    };
    for backend in [Crd, ConfigMap] {
        let file = || rules(MountedFile, true, &everyone);
        let first = RuleSet::new(vec![stale(backend), file()], []);
        let last = RuleSet::new(vec![file(), stale(backend)], []);
        let between = RuleSet::new(
            vec![
                rules(DynamicFile, true, &[(ALICE, "dynamic")]),
                stale(backend),
                file(),
            ],
            [],
        );
        let is_stale = format!("{backend} stale");
        for (set, arn, confirmed, unconfirmed) in [
            (&first, ALICE, "object", &*is_stale),
            (&first, bob, "file", "file"),
            (&first, of_account, of_account, &*is_stale),
            (&first, conditional, "object", &*is_stale),
            (&first, nobody, "not mapped", "not mapped"),
            (&last, ALICE, "file", "file"),
            (&last, of_account, "file", "file"),
            (&between, ALICE, "dynamic", "dynamic"),
            (&between, bob, "file", "file"),
            (&between, of_account, of_account, &*is_stale),
        ] {
            assert_eq!(answer(set, arn), confirmed, "{arn}");
            let marked = set.clone().with_stale(|marked| marked == backend);
            assert_eq!(answer(&marked, arn), unconfirmed, "{arn}");
            // Clearing the mark restores the old answers.
            let cleared = marked.with_stale(|_| false);
            assert_eq!(answer(&cleared, arn), confirmed, "{arn}");
        }
    }
}

#[test]
fn stale_backend_is_checked_after_protecting_file_and_before_names() {
    use Backend::{Crd, MountedFile};
    let mut objects = rules(Crd, true, &[("acs:ram::1:user/bob", "object")]);
    objects.reset();
    let objects = objects.with_stale(true);
    // A reset removes the rules but not the stale mark.
    assert!(objects.is_stale());
    let mut objects = objects;
    objects.apply(Rule::compile(mapping(Crd, "m", "acs:ram::1:**", "object")).unwrap());
    let mut protected = ProtectedIdentities::default();
    protected.protect(ALICE).unwrap();
    let file = || rules(MountedFile, true, &[(ALICE, "file")]);
    let set = RuleSet::new(vec![objects.clone(), file()], []).with_protected(protected);
    assert_eq!(answer(&set, ALICE), "file");
    assert_eq!(answer(&set, "acs:ram::1:user/bob"), "CRD stale");
    let (explanation, _) = set.explain(&identity("acs:ram::1:user/bob"));
    assert_eq!(explanation.matched.unwrap().to_string(), "CRD m");
    // The missing sync is reported before staleness.
    let unsynced = rules(Crd, false, &[(ALICE, "object")]).with_stale(true);
    let set = RuleSet::new(vec![unsynced, file()], []);
    assert_eq!(answer(&set, ALICE), "CRD not synced");
}

#[test]
fn shadowed_mappings_of_later_backends_are_listed() {
    use Backend::{ConfigMap, Crd, MountedFile};
    let named =
        |backend, is_synced| rules(backend, is_synced, &[(ALICE, "a"), ("acs:ram::1:**", "b")]);
    for (order, unsynced, protect, expected) in [
        (
            [MountedFile, ConfigMap, Crd],
            None,
            "",
            "MountedFile 1, ACKConfigMap 0, ACKConfigMap 1, CRD 0, CRD 1",
        ),
        (
            [ConfigMap, Crd, MountedFile],
            Some(Crd),
            "",
            "ACKConfigMap 1, MountedFile 0, MountedFile 1",
        ),
        // The file answers protected identities first, before backends that precede it in the order.
        (
            [Crd, MountedFile, ConfigMap],
            Some(ConfigMap),
            ALICE,
            "MountedFile 1, CRD 0, CRD 1",
        ),
    ] {
        let backends = order.map(|backend| named(backend, unsynced != Some(backend)));
        let mut protected = ProtectedIdentities::default();
        if !protect.is_empty() {
            protected.protect(protect).unwrap();
        }
        let set = RuleSet::new(backends.into(), []).with_protected(protected);
        let (explanation, user) = set.explain(&identity(ALICE));
        assert_eq!(user.unwrap().username, "a");
        let outranked: Vec<String> = explanation
            .outranked
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(outranked.join(", "), expected);
    }
}

#[test]
fn protected_identity_is_answered_by_file_only() {
    use Backend::{ConfigMap, Crd, MountedFile};
    let (node, session) = (
        "acs:ram::1:role/Node-7",
        "acs:ram::1:assumed-role/Node-7/i-1",
    );
    let nobody = mapping(Crd, "object", "", "object");
    let arn = |text: &str| Mapping {
        spec: MappingSpec {
            arn: text.to_owned(),
            ..nobody.spec.clone()
        },
        ..nobody.clone()
    };
    let id = Some("200000000000000001".to_owned());
    let subjects = [
        arn("ACS:RAM::1:USER/ALICE"),
        arn("acs:ram::1:ROLE/NODE-7"),
        Mapping {
            session_arn_mode: SessionArnMode::AsRole,
            ..arn("acs:ram::1:assumed-role/node-7/i-1")
        },
        arn("acs:ram::1:**"),
        arn("acs:ram::1:?ser/?lice"),
        Mapping {
            spec: MappingSpec {
                user_id: id.clone(),
                ..nobody.spec.clone()
            },
            ..nobody.clone()
        },
        Mapping {
            spec: MappingSpec {
                role_id: id,
                ..nobody.spec.clone()
            },
            ..nobody.clone()
        },
        Mapping {
            spec: MappingSpec {
                condition: Some("identity.accountId == '1'".to_owned()),
                ..nobody.spec.clone()
            },
            ..nobody.clone()
        },
    ];
    for protect in [vec![ALICE, node], vec!["acs:ram::1:**"]] {
        let mut protected = ProtectedIdentities::default();
        for text in &protect {
            protected.protect(text).unwrap();
        }
        for subject in &subjects {
            for is_synced in [false, true] {
                let mut objects = rules(Crd, is_synced, &[]);
                objects.apply(Rule::compile(subject.clone()).unwrap());
                let mut config_map = rules(ConfigMap, true, &[(ALICE, "config map")]);
                config_map.apply_account(AccountId::parse("1").unwrap());
                let file = rules(MountedFile, true, &[(ALICE, "file"), (node, "file")]);
                let set = RuleSet::new(vec![objects, config_map, file], [])
                    .with_protected(protected.clone());
                for arn in [ALICE, "acs:ram::1:user/aLICE", session] {
                    assert_eq!(answer(&set, arn), "file", "{arn}: {subject:?}");
                }
            }
        }
    }
}

#[test]
fn protected_subjects_are_validated() {
    for text in [
        "",
        "alice",
        "acs:ram::*:user/alice",
        "acs:ram::1:assumed-role/r/s",
    ] {
        assert!(
            ProtectedIdentities::default().protect(text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn session_arn_is_refused_in_every_backend() {
    let text = "ACS:RAM::1:Assumed-Role/Admin/alice";
    let role = "acs:ram::1:role/Admin";
    let refused = || RuleError::AssumedRole {
        role: role.to_owned(),
    };
    for backend in [
        Backend::Crd,
        Backend::DynamicFile,
        Backend::MountedFile,
        Backend::ConfigMap,
    ] {
        let session = mapping(backend, "m", text, "admin");
        let as_pattern = Mapping {
            session_arn_mode: SessionArnMode::AsRole,
            spec: MappingSpec {
                arn: String::new(),
                arn_pattern: Some(text.to_owned()),
                ..session.spec.clone()
            },
            ..session.clone()
        };
        assert_eq!(Rule::compile(session).unwrap_err(), refused(), "{backend}");
        // The Go program has no patterns, so no pattern is one of its objects.
        assert_eq!(
            Rule::compile(as_pattern).unwrap_err(),
            refused(),
            "{backend}"
        );
    }
}

#[test]
fn session_arn_matches_role_only_where_source_allows_it() {
    let as_role = Mapping {
        session_arn_mode: SessionArnMode::AsRole,
        ..mapping(
            Backend::Crd,
            "m",
            "acs:ram::1:assumed-role/Admin/alice",
            "admin",
        )
    };
    let role = as_role.role_of_session().map(|role| role.to_string());
    assert_eq!(role.as_deref(), Some("acs:ram::1:role/Admin"));
    let rule = Rule::compile(as_role.clone()).unwrap();
    assert_eq!(rule.subject().to_string(), "acs:ram::1:role/Admin");
    for arn in [
        "acs:ram::1:role/Admin",
        "acs:ram::1:assumed-role/Dev-*/alice",
        "",
        "x",
    ] {
        let other = Mapping {
            spec: MappingSpec {
                arn: arn.to_owned(),
                ..as_role.spec.clone()
            },
            ..as_role.clone()
        };
        assert_eq!(other.role_of_session(), None, "{arn}");
    }
}

#[test]
fn duplicate_subjects_have_one_winner() {
    let mut objects = BackendRules::new(Backend::Crd);
    let place = |place, position: &str, arn: &str| Mapping {
        precedence: Precedence::ListIndex(place),
        ..mapping(Backend::Crd, position, arn, "u")
    };
    let mut conditional = place(0, "conditional", ALICE);
    conditional.spec.condition = Some("identity.accountId == '1'".to_owned());
    for mapping in [
        conditional,
        place(1, "first", "acs:ram::1:user/Alice"),
        place(2, "second", "acs:ram::1:user/ALICE"),
        place(3, "other", "acs:ram::2:user/alice"),
        place(4, "pattern", "acs:ram::1:user/a*"),
        place(5, "same-pattern", "acs:ram::1:user/A*"),
        place(6, "other-pattern", "acs:ram::1:user/b*"),
    ] {
        objects.apply(Rule::compile(mapping).unwrap());
    }
    let positions = |rules: Vec<&Rule>| -> Vec<String> {
        let position = |rule: &&Rule| rule.source().position.clone();
        rules.iter().map(position).collect()
    };
    for (position, rivals, winner) in [
        ("conditional", vec!["first", "second"], None),
        ("first", vec!["conditional", "second"], None),
        ("second", vec!["conditional", "first"], Some("first")),
        ("other", vec![], None),
        ("pattern", vec!["same-pattern"], None),
        ("same-pattern", vec!["pattern"], Some("pattern")),
        ("other-pattern", vec![], None),
        ("nothing", vec![], None),
    ] {
        assert_eq!(
            positions(objects.same_subject_rules(position)),
            rivals,
            "{position}"
        );
        let answers = objects.shadowing_rule(position);
        let answers = answers.map(|rule| rule.source().position.as_str());
        assert_eq!(answers, winner, "{position}");
    }
}
