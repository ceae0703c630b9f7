//! The cost of many rules: a login does not scan all rules, and lint and diff do not compare all pairs.
//!
//! The time limit is much longer than a slow and busy machine needs, and much shorter than a fast machine needs to scan
//! all rules.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use ack_ram_analysis::diff::{Snapshot, diff};
use ack_ram_analysis::lint::{self, BackendEntries, GoSemantics, LintInput, lint};
use ack_ram_config::{Diagnostic, DiagnosticCode, Location};
use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, ReservedPrefixes, Rule, RuleSet, Source,
    WildcardMode,
};

const RULES: usize = 30_000;
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Returns the ARN of the rule with this index.
type ArnOf = fn(usize) -> String;

/// Sets of rules that could all share one place of an index, each with an ARN that is looked up there.
const CROWDED_RULES: [(ArnOf, &str); 5] = [
    // The same role in every account.
    (
        |index| format!("acs:ram::{}:role/admin", index + 10),
        "acs:ram::1:role/admin",
    ),
    // The same role in every account, each with another path, so that no rule is a near miss.
    (
        |index| format!("acs:ram::{}:role/p{index}/admin", index + 10),
        "acs:ram::1:role/admin",
    ),
    // The same name with every path of one account.
    (
        |index| format!("acs:ram::1:role/p{index}/admin"),
        "acs:ram::1:role/q/admin",
    ),
    // Every name with the same path.
    (
        |index| format!("acs:ram::1:role/p/a{index}"),
        "acs:ram::1:role/p/admin",
    ),
    // Patterns of one account.
    (
        |index| format!("acs:ram::1:role/a{index}-*"),
        "acs:ram::1:role/admin",
    ),
];

#[test]
fn denial_does_not_scan_all_rules() {
    for (arn, unmapped) in CROWDED_RULES {
        let rules = rule_set(&mappings(0..RULES, arn));
        let unmapped = Identity {
            arn: Arn::parse(unmapped).unwrap(),
            user_id: "1".into(),
            access_key_id: AccessKeyId::parse("LTAI").unwrap(),
        };
        within_limit(&arn(0), || {
            for _ in 0..10_000 {
                let (explanation, result) = rules.explain(&unmapped);
                assert!(result.is_err() && explanation.near_misses.len() <= 3);
            }
        });
    }
}

#[test]
fn lint_does_not_compare_all_pairs() {
    let crowds: [ArnOf; 3] = [
        |index| format!("acs:ram::1:role/*-a{index}"),
        |index| format!("acs:ram::1:role/a{index}-*"),
        |_| "acs:ram::1:role/dev".to_owned(),
    ];
    for arn in crowds {
        let mappings = mappings(0..20_000, arn);
        let entries = |backend| BackendEntries {
            backend,
            is_known: true,
            mappings: mappings.iter().map(entry).collect(),
            accounts: Vec::new(),
            reserved: ReservedPrefixes::default(),
        };
        let configuration = LintInput {
            backends: vec![entries(Backend::MountedFile), entries(Backend::Crd)],
            ..LintInput::default()
        };
        within_limit(&arn(0), || {
            let findings = lint(&configuration);
            let is_shadowed = |finding: &&Diagnostic| finding.code == DiagnosticCode::Shadowed;
            assert_eq!(findings.iter().filter(is_shadowed).count(), mappings.len());
        });
    }
}

/// No identity is in both snapshots, and all identities have the same name.
#[test]
fn diff_grows_linearly() {
    let (arn, _) = CROWDED_RULES[1];
    let (old, new) = (mappings(0..20_000, arn), mappings(20_000..40_000, arn));
    let (old_rules, new_rules) = (rule_set(&old), rule_set(&new));
    let (old, new): (Vec<_>, Vec<_>) = (old.iter().collect(), new.iter().collect());
    let none = BTreeSet::new();
    let side = |rules, mappings| Snapshot {
        rules,
        mappings,
        accounts: &none,
        scrubbed: &none,
    };
    within_limit("diff", || {
        let diff = diff(side(&old_rules, &old), side(&new_rules, &new));
        assert_eq!(diff.identities.len(), 40_000);
    });
}

fn within_limit(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let took = start.elapsed();
    assert!(took < TIME_LIMIT, "{what}: {took:?}");
}

fn mappings(indices: Range<usize>, arn: ArnOf) -> Vec<Mapping> {
    indices
        .map(|index| {
            let source = Source {
                backend: Backend::Crd,
                position: format!("mapping-{index}"),
            };
            let groups = vec!["dev".to_owned()];
            Mapping {
                wildcards: WildcardMode::Enabled,
                ..Mapping::for_arn(
                    source,
                    Precedence::ListIndex(index),
                    &arn(index),
                    "dev",
                    groups,
                )
            }
        })
        .collect()
}

fn rule_set(mappings: &[Mapping]) -> RuleSet {
    let mut rules = BackendRules::new(Backend::Crd);
    for mapping in mappings {
        rules.apply(Rule::compile(mapping.clone()).unwrap());
    }
    RuleSet::new(vec![rules], BTreeSet::new())
}

fn entry(mapping: &Mapping) -> lint::MappingEntry {
    lint::MappingEntry {
        mapping: mapping.clone(),
        location: Location::default(),
        go_semantics: GoSemantics::Unsupported,
    }
}
