//! Expressions in CEL: compilation and evaluation.

use ack_ram_core::rules::{MappingSpec, Validation};

use super::*;

const SHORT: &str = "identity.type == 'AssumedRoleUser'";
/// A condition of about the maximum length in practice.
const LONG: &str = "identity.type == 'AssumedRoleUser' && identity.roleName in ['ops', 'dev', 'team-7'] && identity.sessionName.split('@').size() == 1 && !identity.sessionName.startsWith('ci-')";
const NEVER: &str = "identity.sessionName == 'bob'";

/// Compiles a mapping with a condition.
#[divan::bench]
fn compile_short(bencher: Bencher<'_, '_>) {
    compile(bencher, || conditional(0, SHORT));
}

#[divan::bench]
fn compile_long(bencher: Bencher<'_, '_>) {
    compile(bencher, || conditional(0, LONG));
}

/// Compiles the same mapping without a condition.
#[divan::bench]
fn baseline_compile(bencher: Bencher<'_, '_>) {
    compile(bencher, || mapping(0, &arn(7)));
}

/// Decides among rules for the same ARN that have conditions. Only the condition of the last rule is true.
#[divan::bench(args = [1, 10, 100])]
fn decide(bencher: Bencher<'_, '_>, size: usize) {
    let others = (1..size).map(|index| conditional(index, NEVER));
    bench(bencher, others.chain([conditional(size, SHORT)]));
}

/// Decides by one rule with a longer condition.
#[divan::bench]
fn decide_long(bencher: Bencher<'_, '_>) {
    bench(bencher, [conditional(0, LONG)]);
}

/// Decides by one rule without a condition, with a template for the username and one group.
#[divan::bench]
fn baseline_decide(bencher: Bencher<'_, '_>) {
    bench(bencher, [mapping(0, &arn(7))]);
}

/// Decides by one rule with an expression for the username.
#[divan::bench]
fn username(bencher: Bencher<'_, '_>) {
    let expression = "'dev:' + identity.sessionName.lowerAscii()";
    let mapping = Mapping {
        spec: MappingSpec {
            username: String::new(),
            username_expression: Some(expression.to_owned()),
            ..mapping(0, &arn(7)).spec
        },
        ..mapping(0, &arn(7))
    };
    bench(bencher, [mapping]);
}

/// Decides by one rule with an expression for two additional groups.
#[divan::bench]
fn groups(bencher: Bencher<'_, '_>) {
    let expression = "[identity.roleName, 'account-' + identity.accountId]";
    let mapping = Mapping {
        spec: MappingSpec {
            groups_expression: Some(expression.to_owned()),
            ..mapping(0, &arn(7)).spec
        },
        ..mapping(0, &arn(7))
    };
    bench(bencher, [mapping]);
}

/// Decides with one validation of the user.
#[divan::bench]
fn validation(bencher: Bencher<'_, '_>) {
    let expression =
        "user.username.startsWith('dev:') && !user.groups.exists(g, g.startsWith('system:'))";
    let validation = Validation::compile(expression, "usernames start with `dev:`").unwrap();
    let rules = rule_set([rule(0, &arn(7))].into_iter()).with_validations(vec![validation]);
    grants(bencher, &rules);
}

fn compile(bencher: Bencher<'_, '_>, mapping: impl Fn() -> Mapping) {
    bencher
        .with_inputs(mapping)
        .bench_local_values(|mapping| Rule::compile(mapping).unwrap());
}

fn conditional(index: usize, condition: &str) -> Mapping {
    Mapping {
        spec: MappingSpec {
            condition: Some(condition.to_owned()),
            ..mapping(index, &arn(7)).spec
        },
        ..mapping(index, &arn(7))
    }
}

fn bench(bencher: Bencher<'_, '_>, mappings: impl IntoIterator<Item = Mapping>) {
    let compiled = |mapping| Rule::compile(mapping).unwrap();
    grants(bencher, &rule_set(mappings.into_iter().map(compiled)));
}

fn grants(bencher: Bencher<'_, '_>, rules: &RuleSet) {
    let identity = verified_identity(7);
    assert_eq!(identity.decide(rules).code(), "granted");
    bencher.bench_local(|| black_box(&identity).decide(rules));
}
