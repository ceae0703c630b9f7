//! Changes of access between two sets of mappings.

use std::collections::BTreeSet;

use ack_ram_analysis::diff::{Access, Change, ChangeKind, Snapshot, diff};
use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MappingSpec, Precedence, Rule, RuleSet, Source, WildcardMode,
};

/// Backends in order, each with its mappings and accounts.
type Backends<'a> = &'a [(&'a [Mapping], &'a [&'a str])];

fn mapping(arn: &str, username: &str, groups: &[&str]) -> Mapping {
    let source = Source {
        backend: Backend::MountedFile,
        position: String::new(),
    };
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::for_arn(source, Precedence::ListIndex(0), arn, username, groups)
    }
}

fn with_condition(condition: &str, mapping: Mapping) -> Mapping {
    Mapping {
        spec: MappingSpec {
            condition: Some(condition.to_owned()),
            ..mapping.spec
        },
        ..mapping
    }
}

struct CompiledMappings {
    rules: RuleSet,
    mappings: Vec<Mapping>,
    accounts: BTreeSet<AccountId>,
    scrubbed: BTreeSet<AccountId>,
}

impl CompiledMappings {
    fn new(backends: Backends<'_>) -> Self {
        let kinds = [Backend::MountedFile, Backend::DynamicFile];
        let mut all = Vec::new();
        let mut all_accounts = BTreeSet::new();
        let mut sets = Vec::new();
        for ((mappings, accounts), backend) in backends.iter().zip(kinds) {
            let mut rules = BackendRules::new(backend);
            for (place, mapping) in mappings.iter().enumerate() {
                let position = format!("mappings[{place}]");
                let mapping = Mapping {
                    source: Source { backend, position },
                    precedence: Precedence::ListIndex(place),
                    ..mapping.clone()
                };
                rules.apply(Rule::compile(mapping.clone()).unwrap());
                all.push(mapping);
            }
            for account in *accounts {
                let account = AccountId::parse(account).unwrap();
                rules.apply_account(account.clone());
                all_accounts.insert(account);
            }
            sets.push(rules);
        }
        Self {
            rules: RuleSet::new(sets, BTreeSet::new()),
            mappings: all,
            accounts: all_accounts,
            scrubbed: BTreeSet::new(),
        }
    }

    fn all_mappings(&self) -> Vec<&Mapping> {
        self.mappings.iter().collect()
    }

    fn snapshot<'a>(&'a self, mappings: &'a [&'a Mapping]) -> Snapshot<'a> {
        Snapshot {
            rules: &self.rules,
            mappings,
            accounts: &self.accounts,
            scrubbed: &self.scrubbed,
        }
    }
}

/// Compares two sets of backends, with one expected line for each change.
#[track_caller]
fn check(old: Backends<'_>, new: Backends<'_>, expected: &[&str]) {
    let (old, new) = (CompiledMappings::new(old), CompiledMappings::new(new));
    let (old_mappings, new_mappings) = (old.all_mappings(), new.all_mappings());
    let found = diff(old.snapshot(&old_mappings), new.snapshot(&new_mappings));
    let mut lines: Vec<String> = found
        .identities
        .iter()
        .map(|change| line(change, access))
        .collect();
    lines.extend(found.rules.iter().map(|change| {
        line(change, |terms| {
            let names = terms.iter().map(|term| term.spec().username.as_str());
            names.collect::<Vec<_>>().join("+")
        })
    }));
    lines.extend(
        found
            .accounts
            .iter()
            .map(|change| line(change, ToString::to_string)),
    );
    assert_eq!(lines, expected);
    assert_eq!(found.is_empty(), expected.is_empty());
}

fn line<T>(change: &Change<T>, display: impl Fn(&T) -> String) -> String {
    let sign = match change.change {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => '~',
    };
    let side = |side: &Option<T>| side.as_ref().map_or("-".to_owned(), &display);
    let (before, after) = (side(&change.before), side(&change.after));
    format!("{sign} {}: {before} > {after}", change.subject)
}

fn access(access: &Access) -> String {
    match access {
        Access::User { username, groups } => {
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            format!("{username}[{}]", groups.join(","))
        }
        Access::Refused { .. } => "refused".to_owned(),
    }
}

const A: &str = "acs:ram::1:user/a";
const R: &str = "acs:ram::1:role/r";
const RS: &str = "acs:ram::1:role/r*";

#[test]
fn changed_identity_is_listed_with_old_and_new_access() {
    let a = |name| mapping(A, name, &["g"]);
    check(&[(&[a("a")], &[])], &[(&[a("a")], &[])], &[]);
    check(
        &[(&[], &[])],
        &[(&[a("a")], &[])],
        &["+ acs:ram::1:user/a: - > a[g]"],
    );
    check(
        &[(&[a("a")], &[])],
        &[(&[], &[])],
        &["- acs:ram::1:user/a: a[g] > -"],
    );
    check(
        &[(&[a("a")], &[])],
        &[(&[a("b")], &[])],
        &["~ acs:ram::1:user/a: a[g] > b[g]"],
    );
    check(
        &[(&[mapping(A, "a", &["x", "y"])], &[])],
        &[(&[mapping("acs:ram::1:USER/A", "a", &["y", "x"])], &[])],
        &[],
    );
    check(
        &[(&[mapping(R, "r:{{SessionName}}", &[])], &[])],
        &[(&[mapping(R, "r:{{SessionNameRaw}}", &[])], &[])],
        &["~ acs:ram::1:role/r: r:<session-name>[] > r:<session@name>[]"],
    );
    check(
        &[(&[a("a")], &[])],
        &[(&[a("{{UserName}}{{RoleName}}")], &[])],
        &[],
    );
    check(
        &[(&[a("a")], &[])],
        &[(&[a("{{RoleName}}")], &[])],
        &["~ acs:ram::1:user/a: a[g] > refused"],
    );
}

#[test]
fn replaced_rule_with_same_result_is_not_a_change() {
    let a = |name| mapping(A, name, &[]);
    check(
        &[(&[a("a")], &[]), (&[a("b")], &[])],
        &[(&[], &[]), (&[a("a")], &[])],
        &[],
    );
    check(
        &[(&[a("a")], &[]), (&[a("b")], &[])],
        &[(&[], &[]), (&[a("b")], &[])],
        &["~ acs:ram::1:user/a: a[] > b[]"],
    );
    check(
        &[(&[mapping(R, "r", &[])], &[])],
        &[(&[mapping(RS, "r", &[])], &[])],
        &["+ acs:ram::1:role/r*: - > r"],
    );
    check(
        &[(&[a("a")], &[])],
        &[(&[], &["1"])],
        &[
            "~ acs:ram::1:user/a: a[] > acs:ram::1:user/a[]",
            "+ 1: - > 1",
        ],
    );
}

#[test]
fn patterns_ids_and_conditions_are_compared_as_written() {
    let id = |name| {
        let mut mapping = mapping("", name, &[]);
        mapping.spec.user_id = Some("2".to_owned());
        mapping
    };
    check(
        &[(&[mapping(RS, "a", &[])], &[])],
        &[(&[mapping("acs:ram::1:ROLE/R*", "b", &[])], &[])],
        &["~ acs:ram::1:role/r*: a > b"],
    );
    check(
        &[(&[id("a")], &[])],
        &[(&[id("b")], &[])],
        &["~ user ID 2: a > b"],
    );
    let condition = "identity.sessionName == 'x'";
    check(
        &[(&[mapping(R, "r", &[])], &[])],
        &[(
            &[
                with_condition(condition, mapping(R, "x", &[])),
                mapping(R, "r", &[]),
            ],
            &[],
        )],
        &["+ acs:ram::1:role/r: - > x"],
    );
    check(
        &[(&[with_condition(condition, mapping("", "x", &[]))], &[])],
        &[(
            &[with_condition(
                "identity.sessionName == 'y'",
                mapping("", "x", &[]),
            )],
            &[],
        )],
        &["~ any identity that matches the condition: x > x"],
    );
    let may_add = |names: &[&str]| {
        let mut mapping = with_condition(condition, mapping("", "x", &[]));
        mapping.spec.groups_expression = Some("['system:a']".to_owned());
        mapping.spec.groups_expression_may_add = names.iter().map(ToString::to_string).collect();
        mapping
    };
    check(
        &[(&[may_add(&[])], &[])],
        &[(&[may_add(&["system:a"])], &[])],
        &["~ any identity that matches the condition: x > x"],
    );
    check(
        &[(&[may_add(&["system:a", "system:b"])], &[])],
        &[(&[may_add(&["system:b", "system:a"])], &[])],
        &[],
    );
}
