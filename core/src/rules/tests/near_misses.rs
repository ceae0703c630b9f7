use super::{identity, rule};
use crate::rules::{Backend, BackendRules, RuleSet};

/// Returns the near misses of `arn` among rules for `subjects`.
fn near_misses(subjects: &[&str], arn: &str) -> Vec<String> {
    let mut rules = BackendRules::new(Backend::Crd);
    for (place, subject) in subjects.iter().enumerate() {
        rules.apply(rule(Backend::Crd, &format!("r{place}"), subject));
    }
    let (explanation, user) = RuleSet::new(vec![rules], []).explain(&identity(arn));
    assert!(user.is_err(), "{arn} is mapped by {subjects:?}");
    let misses = explanation.near_misses.iter();
    misses.map(ToString::to_string).collect()
}

#[test]
fn rule_that_differs_in_one_part_is_a_near_miss() {
    let user = "acs:ram::1:user/alice";
    let user_with_path = "acs:ram::1:user/p/q/alice";
    for (subject, arn, expected) in [
        ("acs:ram::2:user/alice", user, Some("another account")),
        ("acs:ram::1:role/alice", user, Some("a user is not a role")),
        (user, "acs:ram::1:role/alice", Some("a user is not a role")),
        (user, user_with_path, Some("another path")),
        (user_with_path, user, Some("another path")),
        (
            user_with_path,
            "acs:ram::1:user/r/alice",
            Some("another path"),
        ),
        (
            "acs:ram::1:user/p/q/bob",
            user_with_path,
            Some("another name under this path"),
        ),
        (
            "acs:ram::1:role/p/q/alice",
            user_with_path,
            Some("a user is not a role"),
        ),
        (
            "acs:ram::2:user/p/q/alice",
            user_with_path,
            Some("another account"),
        ),
        (
            "acs:ram::1:user/p/*",
            user_with_path,
            Some("`*` stops at a `/`, `**` does not"),
        ),
        ("acs:ram::1:user/p/*x", user_with_path, None),
        // Two parts differ.
        ("acs:ram::2:role/alice", user, None),
        ("acs:ram::1:user/bob", user, None),
        ("acs:ram::1:user/p/bob", user_with_path, None),
        ("acs:ram::2:user/p/q/bob", user_with_path, None),
        (user, "acs:ram::1:root", None),
        ("acs:ram::1:root", user, None),
        (
            "acs:ram::2:root",
            "acs:ram::1:root",
            Some("another account"),
        ),
    ] {
        let expected = expected.map(|difference| format!("CRD r0 maps `{subject}`: {difference}"));
        let found = near_misses(&[subject], arn);
        assert_eq!(
            found,
            expected.into_iter().collect::<Vec<_>>(),
            "{subject} {arn}"
        );
    }
}

#[test]
fn explanation_lists_at_most_three_near_misses() {
    let subjects: Vec<String> = (2..9)
        .map(|account| format!("acs:ram::{account}:user/alice"))
        .collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    for count in 0..subjects.len() {
        let found = near_misses(&subjects[..count], "acs:ram::1:user/alice");
        assert_eq!(found.len(), count.min(3));
    }
}
