//! Decisions depend on the rules, but not on the order in which the rules were added.

use ack_ram_core::arn::AccountId;
use ack_ram_core::decision::Decision;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MappingSpec, MatchedEntry, Precedence, Rule, RuleSet, Source,
    WildcardMode,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::inputs::{NOW, Person};
use crate::{CASES, cases};

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn order_of_rules_and_accounts_changes_nothing((list, shuffled) in shuffled(), verified in someone()) {
        let (list, shuffled) = (rule_set(&list), rule_set(&shuffled));
        prop_assert_eq!(verified.decide(&list), verified.decide(&shuffled));
        prop_assert_eq!(list.backends()[0].conflicts(), shuffled.backends()[0].conflicts());
    }

    #[test]
    fn replaced_or_deleted_rule_has_no_effect(
        kept in entries(),
        others in entries(),
        order in any::<prop::sample::Index>(),
        verified in someone(),
    ) {
        let mut rules = BackendRules::new(BACKEND);
        // First adds other entries at the same and at further positions, then removes them, and adds the entries that
        // count in a rotated order.
        others.iter().for_each(|entry| entry.apply(&mut rules));
        for entry in others.iter().skip(kept.len()) {
            entry.delete(&mut rules);
        }
        for entry in &others {
            if let Entry::Account(account) = entry {
                rules.delete_account(&AccountId::parse(account).unwrap());
            }
        }
        let mut rotated = kept.clone();
        rotated.rotate_left(order.index(kept.len()));
        for entry in others.iter().take(kept.len()) {
            entry.delete(&mut rules);
        }
        rotated.iter().for_each(|entry| entry.apply(&mut rules));
        let changed = RuleSet::new(vec![rules], []);
        prop_assert_eq!(verified.decide(&rule_set(&kept)), verified.decide(&changed));
    }

    #[test]
    fn most_specific_then_oldest_rule_wins(list in entries(), verified in someone()) {
        let decision = verified.decide(&rule_set(&list));
        prop_assert_eq!(matched(&decision), first_by_search(&list, &verified));
    }

    #[test]
    fn snapshot_ignores_later_changes(list in entries(), later in entries(), verified in someone()) {
        let mut rules = rule_set(&list);
        let snapshot = rules.clone();
        let before = verified.decide(&snapshot);
        let backend = rules.backend_mut(BACKEND).unwrap();
        later.iter().for_each(|entry| entry.apply(backend));
        backend.reset();
        prop_assert_eq!(verified.decide(&snapshot), before);
        prop_assert_eq!(verified.decide(&rules).code(), "not_mapped");
    }
}

const BACKEND: Backend = Backend::Crd;

/// A rule or an account, whose identities map to themselves.
#[derive(Clone, Debug)]
enum Entry {
    Rule(Box<Mapping>),
    Account(&'static str),
}

impl Entry {
    fn apply(&self, rules: &mut BackendRules) {
        match self {
            Self::Rule(mapping) => rules.apply(Rule::compile((**mapping).clone()).unwrap()),
            Self::Account(account) => rules.apply_account(AccountId::parse(account).unwrap()),
        }
    }

    fn delete(&self, rules: &mut BackendRules) {
        if let Self::Rule(mapping) = self {
            rules.delete(&mapping.source.position);
        }
    }
}

/// The subject of a rule. There are few subjects, so that rules overlap.
#[derive(Clone, Copy, Debug)]
enum Subject {
    User(&'static str),
    Role(&'static str),
    Arn(&'static str),
    Anyone,
}

const SUBJECTS: [Subject; 16] = [
    Subject::User("u1"),
    Subject::Role("r1"),
    Subject::Role("u1"),
    Subject::Arn("acs:ram::1:root"),
    Subject::Arn("acs:ram::1:user/a"),
    Subject::Arn("acs:ram::1:user/A"),
    Subject::Arn("acs:ram::1:role/dev"),
    Subject::Arn("acs:ram::2:role/dev"),
    Subject::Arn("acs:ram::1:role/*"),
    Subject::Arn("acs:ram::1:role/d*"),
    Subject::Arn("acs:ram::1:role/?ev"),
    Subject::Arn("acs:ram::1:user/*"),
    Subject::Arn("acs:ram::1:**"),
    Subject::Arn("acs:ram::2:**"),
    Subject::Anyone,
    Subject::Anyone,
];

const CONDITIONS: [&str; 3] = [
    "identity.accountId == '1'",
    "identity.sessionName.startsWith('s')",
    "identity.roleName == 'dev' || identity.userName == 'a'",
];

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let rule = (
        select(&SUBJECTS[..]),
        0..4_i64,
        proptest::option::weighted(0.3, select(&CONDITIONS[..])),
    );
    let accounts = subsequence(vec!["1", "2"], 0..=2);
    (prop::collection::vec(rule, 1..24), accounts).prop_map(|(rules, accounts)| {
        let rules = rules.into_iter().enumerate();
        rules
            .map(|(index, (subject, age, condition))| {
                Entry::Rule(Box::new(mapping(index, subject, age, condition)))
            })
            .chain(accounts.into_iter().map(Entry::Account))
            .collect()
    })
}

fn shuffled() -> impl Strategy<Value = (Vec<Entry>, Vec<Entry>)> {
    entries().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle()))
}

fn mapping(index: usize, subject: Subject, age: i64, condition: Option<&str>) -> Mapping {
    let source = Source {
        backend: BACKEND,
        position: format!("rule-{index}"),
    };
    let age = Precedence::Created(NOW.plus_seconds(age));
    let username = format!("user-{index}");
    let mut mapping = Mapping::for_arn(source, age, "", &username, Vec::new());
    mapping.wildcards = WildcardMode::Enabled;
    mapping.spec.condition = condition.map(str::to_owned);
    match subject {
        Subject::User(id) => mapping.spec.user_id = Some(id.to_owned()),
        Subject::Role(id) => mapping.spec.role_id = Some(id.to_owned()),
        Subject::Arn(arn) => mapping.spec.arn = arn.to_owned(),
        Subject::Anyone => {
            mapping
                .spec
                .condition
                .get_or_insert_with(|| CONDITIONS[0].to_owned());
        }
    }
    mapping
}

fn rule_set(list: &[Entry]) -> RuleSet {
    let mut rules = BackendRules::new(BACKEND);
    list.iter().for_each(|entry| entry.apply(&mut rules));
    RuleSet::new(vec![rules], [])
}

fn someone() -> impl Strategy<Value = VerifiedIdentity> {
    let person = prop_oneof![
        Just(Person::Root),
        select(vec!["a", "A", "b"]).prop_map(|name| Person::User(name.to_owned())),
        (
            select(vec!["dev", "DEV", "ops", "p/dev"]),
            select(vec!["s1", "t1"])
        )
            .prop_map(|(role, session)| Person::Session {
                role: role.to_owned(),
                session: session.to_owned(),
            }),
    ];
    (
        person,
        select(vec!["1", "2", "3"]),
        select(vec!["u1", "r1", "x1"]),
    )
        .prop_map(|(person, account, id)| person.verify(account, id))
}

/// Returns the position of the rule, or the account, that matched.
fn matched(decision: &Decision) -> Option<String> {
    match decision.explanation().matched.as_ref()? {
        MatchedEntry::Rule(source) => Some(source.position.clone()),
        MatchedEntry::Account { account, .. } => Some(account.to_string()),
    }
}

/// Returns the same result as [`matched`] by a search over all entries.
fn first_by_search(list: &[Entry], verified: &VerifiedIdentity) -> Option<String> {
    let identity = verified.identity();
    let arn = identity.arn.canonical().to_string().to_ascii_lowercase();
    let account = identity.account_id().as_str();
    let is_user = arn.contains(":user/");
    let is_role = arn.contains(":role/");
    let holds_condition = |condition: &str| match condition {
        "identity.accountId == '1'" => account == "1",
        "identity.sessionName.startsWith('s')" => identity.session_name().starts_with('s'),
        _ => {
            identity.arn.canonical().to_string().ends_with(":role/dev")
                || identity.arn.to_string().ends_with(":user/a")
        }
    };
    let rank = |mapping: &Mapping| {
        let (exactness, prefix) = match &mapping.spec {
            MappingSpec {
                user_id: Some(id), ..
            } => (is_user && **id == *identity.user_id).then_some((0, 0)),
            MappingSpec {
                role_id: Some(id), ..
            } => (is_role && **id == *identity.user_id).then_some((0, 0)),
            MappingSpec { arn: glob, .. } if glob.contains(['*', '?']) => {
                let pattern = Pattern::parse(glob).unwrap();
                let is_match = pattern.matches(&identity.arn.key());
                is_match.then_some((2, usize::MAX - glob.find(['*', '?']).unwrap()))
            }
            MappingSpec { arn: exact, .. } if exact.is_empty() => Some((3, 0)),
            MappingSpec { arn: exact, .. } => (exact.to_ascii_lowercase() == arn).then_some((1, 0)),
        }?;
        let holds = mapping
            .spec
            .condition
            .as_deref()
            .is_none_or(holds_condition);
        holds.then(|| {
            (
                exactness,
                prefix,
                mapping.precedence,
                mapping.source.position.clone(),
            )
        })
    };
    let rules = list.iter().filter_map(|entry| match entry {
        Entry::Rule(mapping) => rank(mapping),
        Entry::Account(_) => None,
    });
    let accounts = list.iter().filter_map(|entry| match entry {
        Entry::Account(own) if *own == account => Some(account.to_owned()),
        Entry::Account(_) | Entry::Rule(_) => None,
    });
    let first = rules.min().map(|(.., position)| position);
    first.or_else(|| accounts.min())
}
