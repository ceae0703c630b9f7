use super::{mapping, rule};
use crate::arn::{AccountId, Arn};
use crate::rules::{Backend, BackendRules, Mapping, Precedence, ReservedPrefixes, Rule};

const ALICE: &str = "acs:ram::1:user/alice";
const BOB: &str = "acs:ram::1:user/bob";

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

#[test]
fn backend_counts_rules_and_accounts() {
    let mut rules = BackendRules::new(Backend::Crd);
    assert_eq!((rules.len(), rules.is_empty()), (0, true));
    rules.apply(rule(Backend::Crd, "alice", ALICE));
    rules.apply(rule(Backend::Crd, "bob", BOB));
    rules.apply_account(account("7"));
    assert_eq!((rules.len(), rules.is_empty()), (3, false));
    rules.apply(rule(Backend::Crd, "bob", ALICE));
    rules.apply_account(account("7"));
    assert_eq!(
        rules.len(),
        3,
        "the same position and account replace entries"
    );
    rules.delete("alice");
    rules.delete("bob");
    assert_eq!((rules.len(), rules.is_empty()), (1, false), "the account");
    rules.delete_account(&account("7"));
    assert_eq!((rules.len(), rules.is_empty()), (0, true));
}

#[test]
fn deletion_returns_whether_entry_existed() {
    let mut rules = BackendRules::new(Backend::Crd);
    rules.apply(rule(Backend::Crd, "alice", ALICE));
    rules.apply_account(account("7"));
    assert!(!rules.delete("bob"));
    assert!(rules.delete("alice"));
    assert!(!rules.delete("alice"));
    assert!(!rules.delete_account(&account("8")));
    assert!(rules.delete_account(&account("7")));
    assert!(!rules.delete_account(&account("7")));
}

#[test]
fn reset_removes_rules_and_keeps_backend_state() {
    let reserved = ReservedPrefixes {
        usernames: vec!["u".into()],
        groups: Vec::new(),
    };
    let broken = || {
        let mut rules = BackendRules::new_unsynced(Backend::Crd);
        rules.set_broken(true);
        rules
    };
    for (mut rules, is_synced, is_broken) in [
        (BackendRules::new(Backend::Crd), true, false),
        (BackendRules::new_unsynced(Backend::Crd), false, false),
        (broken(), false, true),
    ] {
        for is_stale in [false, true] {
            rules = rules.with_stale(is_stale).with_reserved(reserved.clone());
            rules.apply(rule(Backend::Crd, "alice", ALICE));
            rules.apply_account(account("7"));
            rules.reset();
            assert!(rules.is_empty());
            assert_eq!(rules.backend(), Backend::Crd);
            assert_eq!(rules.is_stale(), is_stale);
            assert_eq!(
                (rules.is_synced(), rules.is_broken()),
                (is_synced, is_broken)
            );
            let names = ("u".to_owned(), Vec::new());
            assert!(rules.check_reserved(names).is_err(), "`u` stays reserved");
        }
    }
}

#[test]
fn reserved_prefix_refuses_username_or_group() {
    let reserved = ReservedPrefixes {
        usernames: vec!["a:".into(), "b:".into()],
        groups: vec!["g:".into()],
    };
    let rules = BackendRules::new(Backend::ConfigMap).with_reserved(reserved);
    for (username, groups, field) in [
        ("u", &["dev", "ops"][..], None),
        ("g:u", &["a:dev", "b:"], None),
        ("x a:", &["x g:"], None),
        ("a:u", &["dev"], Some("username")),
        ("b:", &["dev"], Some("username")),
        (" b:u", &["g:dev"], Some("username")),
        ("u", &["dev", "g:ops"], Some("groups[1]")),
        ("u", &["\tg:"], Some("groups[0]")),
    ] {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let names = rules.check_reserved((username.to_owned(), groups.clone()));
        match (names, field) {
            (Ok(names), None) => assert_eq!(names, (username.to_owned(), groups)),
            (Err(error), Some(field)) => assert_eq!(error.field, field, "{username}"),
            (names, _) => panic!("{username} {groups:?}: {names:?}"),
        }
    }
}

#[test]
fn rules_and_accounts_are_listed_in_order() {
    let mut rules = BackendRules::new(Backend::Crd);
    for (place, position) in [(3, "a"), (1, "c"), (1, "b"), (2, "d")] {
        let mapping = Mapping {
            precedence: Precedence::ListIndex(place),
            ..mapping(Backend::Crd, position, ALICE)
        };
        rules.apply(Rule::compile(mapping).unwrap());
    }
    for id in ["30", "1", "200"] {
        rules.apply_account(account(id));
    }
    let positions: Vec<&str> = rules
        .rules()
        .iter()
        .map(|rule| rule.source().position.as_str())
        .collect();
    assert_eq!(positions, ["b", "c", "d", "a"]);
    let accounts: Vec<&str> = rules.accounts().iter().map(|id| id.as_str()).collect();
    assert_eq!(accounts, ["1", "200", "30"]);
    assert!(rules.maps_account(&account("1")) && !rules.maps_account(&account("2")));
    assert_eq!(
        rules.rule("d").map(|rule| rule.source().position.as_str()),
        Some("d")
    );
    assert!(rules.rule("e").is_none());
}

#[test]
fn rule_takes_precedence_over_later_rules_but_not_itself() {
    let rule = |place, position: &str| {
        let mapping = Mapping {
            precedence: Precedence::ListIndex(place),
            ..mapping(Backend::Crd, position, ALICE)
        };
        Rule::compile(mapping).unwrap()
    };
    for (one, other, expected) in [
        (rule(1, "a"), rule(2, "a"), true),
        (rule(2, "a"), rule(1, "a"), false),
        (rule(1, "a"), rule(1, "b"), true),
        (rule(1, "b"), rule(1, "a"), false),
        (rule(1, "a"), rule(1, "a"), false),
    ] {
        assert_eq!(
            one.takes_precedence_over(&other),
            expected,
            "{one:?} {other:?}"
        );
    }
}

#[test]
fn only_equal_patterns_have_the_same_subject() {
    let mut rules = BackendRules::new(Backend::Crd);
    for (position, pattern) in [
        ("a", "acs:ram::1:user/a*"),
        ("b", "acs:ram::1:user/A*"),
        ("longer", "acs:ram::1:user/a*b"),
    ] {
        rules.apply(rule(Backend::Crd, position, pattern));
    }
    for (position, others, winner) in [
        ("a", &["b"][..], None),
        ("b", &["a"], Some("a")),
        ("longer", &[], None),
        ("absent", &[], None),
    ] {
        let name = |rule: &Rule| rule.source().position.clone();
        let found = rules.same_subject_rules(position);
        let found: Vec<String> = found.into_iter().map(name).collect();
        assert_eq!(found, others, "{position}");
        let found = rules.shadowing_rule(position).map(name);
        assert_eq!(found.as_deref(), winner, "{position}");
    }
}

#[test]
fn arn_is_mapped_while_exact_rule_exists() {
    let mut rules = BackendRules::new(Backend::Crd);
    rules.apply(rule(Backend::Crd, "alice", "acs:ram::1:user/Alice"));
    rules.apply(rule(Backend::Crd, "pattern", "acs:ram::1:user/b*"));
    let maps = |rules: &BackendRules, arn: &str| rules.maps_arn(&Arn::parse(arn).unwrap().key());
    assert!(maps(&rules, ALICE));
    assert!(!maps(&rules, BOB));
    rules.delete("alice");
    assert!(!maps(&rules, ALICE));
}
