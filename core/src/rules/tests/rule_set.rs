#[cfg(feature = "cel")]
use super::mapping;
use super::{identity, rule};
use crate::arn::AccountId;
#[cfg(feature = "cel")]
use crate::rules::Rule;
use crate::rules::{Backend, BackendRules, RuleSet};

const ALICE: &str = "acs:ram::1:user/alice";

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

#[test]
fn scrubbed_account_hides_identity_in_explanation() {
    for (scrubbed, expected) in [(&["1"][..], true), (&["2", "1"], true), (&["2"], false)] {
        let mut rules = BackendRules::new(Backend::Crd);
        rules.apply(rule(Backend::Crd, "alice", ALICE));
        let scrubbed = scrubbed.iter().map(|id| account(id));
        let set = RuleSet::new(vec![rules], scrubbed);
        for arn in [ALICE, "acs:ram::1:user/not-mapped"] {
            let (explanation, _) = set.explain(&identity(arn));
            assert_eq!(explanation.scrubbed, expected, "{arn}");
            assert_eq!(explanation.identity.is_none(), expected, "{arn}");
        }
        let (_, user) = set.explain(&identity(ALICE));
        assert_eq!(user.unwrap().extra.is_empty(), expected);
    }
}

#[test]
fn backend_mut_returns_rules_of_that_backend() {
    let backends = [Backend::MountedFile, Backend::Crd];
    let mut set = RuleSet::new(backends.map(BackendRules::new).into(), []);
    let order: Vec<Backend> = set.backends().iter().map(BackendRules::backend).collect();
    assert_eq!(order, backends);
    for backend in Backend::ALL {
        let found = set.backend_mut(backend).map(|rules| rules.backend());
        let expected = backends.contains(&backend).then_some(backend);
        assert_eq!(found, expected);
    }
}

#[test]
#[cfg(feature = "cel")]
fn explanation_lists_at_most_five_skipped_rules() {
    for (count, expected) in [(0, 0), (4, 4), (5, 5), (6, 5), (9, 5)] {
        let mut rules = BackendRules::new(Backend::Crd);
        for index in 0..count {
            let mut mapping = mapping(Backend::Crd, &format!("condition-{index}"), ALICE);
            mapping.spec.condition = Some("identity.accountId == '2'".to_owned());
            rules.apply(Rule::compile(mapping).unwrap());
        }
        let (explanation, user) = RuleSet::new(vec![rules], []).explain(&identity(ALICE));
        assert!(user.is_err());
        assert_eq!(explanation.skipped_rules.len(), expected, "{count}");
    }
}

#[test]
fn explanation_lists_at_most_five_outranked_rules() {
    for (count, expected) in [(0, 0), (2, 2), (3, 3), (4, 4), (5, 5), (8, 5)] {
        // Two outranked rules are of the backend that answers. All others are of the next backend.
        let own = count.min(2);
        let mut first = BackendRules::new(Backend::Crd);
        for index in 0..=own {
            first.apply(rule(Backend::Crd, &format!("own-{index}"), ALICE));
        }
        let mut second = BackendRules::new(Backend::ConfigMap);
        for index in own..count {
            second.apply(rule(Backend::ConfigMap, &format!("later-{index}"), ALICE));
        }
        let (explanation, user) = RuleSet::new(vec![first, second], []).explain(&identity(ALICE));
        assert!(user.is_ok());
        assert_eq!(explanation.outranked.len(), expected, "{count}");
    }
}
