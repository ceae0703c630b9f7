//! CEL in rules. `tests/vectors/cel.json` has the result of each expression, or the error. No text may cause a panic or
//! a stack overflow, and no accepted expression may fail in a way that compilation should have excluded.

mod generator;
mod soundness;
mod stack;
mod vectors;

use ack_ram_core::cel::{EvaluationError, Expression, ExpressionError, ExpressionKind};
use ack_ram_core::identity::Identity;
use ack_ram_core::kubernetes_user::KubernetesUser;
use serde_json::{Value, json};

use crate::vectors::{Case, Vectors, vectors};

const KINDS: [ExpressionKind; 4] = [
    ExpressionKind::Condition,
    ExpressionKind::Username,
    ExpressionKind::Groups,
    ExpressionKind::Validation,
];

fn evaluate(
    expression: &Expression,
    identity: &Identity,
    user: &KubernetesUser,
) -> Result<Value, EvaluationError> {
    match expression.kind() {
        ExpressionKind::Condition => expression.evaluate_condition(identity).map(|is| json!(is)),
        ExpressionKind::Username => expression
            .evaluate_username(identity)
            .map(|name| json!(name)),
        ExpressionKind::Groups => expression
            .evaluate_groups(identity)
            .map(|names| json!(names)),
        ExpressionKind::Validation => expression.validate(identity, user).map(|is| json!(is)),
    }
}

#[test]
fn expression_vectors_yield_expected_results() {
    let vectors = vectors();
    assert!(vectors.cases.len() >= 260);
    for case in &vectors.cases {
        check(case, &vectors);
    }
}

fn check(case: &Case, vectors: &Vectors) {
    let source = case.expression.text();
    let kind = KINDS.into_iter().find(|kind| kind.name() == case.kind);
    let identity = case.identity.as_deref().unwrap_or("session");
    let user = case.user.as_deref().unwrap_or("admin");
    let (identity, user) = (&vectors.identities[identity], &vectors.users[user]);
    let expected = match (&case.result, &case.refused, &case.fails) {
        (Some(result), None, None) => format!("yields {result}"),
        (None, Some(refused), None) => format!("refused at {refused}"),
        (None, None, Some(fails)) => format!("fails: {fails}"),
        _ => panic!("{source}: set one of `result`, `refused` and `fails`"),
    };
    let found = match Expression::compile(&source, kind.expect("a known kind")) {
        Err(error) => format!("refused at {error}"),
        Ok(expression) => match evaluate(&expression, &identity.identity(), &user.user()) {
            Ok(value) => format!("yields {value}"),
            Err(error) => format!("fails: {error}"),
        },
    };
    assert_eq!(found, expected, "{} `{source}`", case.kind);
}

#[test]
fn expression_evaluates_only_the_type_it_was_compiled_for() {
    let vectors = vectors();
    let identity = vectors.identities["session"].identity();
    let user = vectors.users["admin"].user();
    let sources = ["true", "'a'", "['a']", "true"];
    for (kind, source) in KINDS.into_iter().zip(sources) {
        let expression = Expression::compile(source, kind).unwrap();
        let errors = [
            (
                ExpressionKind::Condition,
                expression.evaluate_condition(&identity).err(),
            ),
            (
                ExpressionKind::Username,
                expression.evaluate_username(&identity).err(),
            ),
            (
                ExpressionKind::Groups,
                expression.evaluate_groups(&identity).err(),
            ),
            (
                ExpressionKind::Validation,
                expression.validate(&identity, &user).err(),
            ),
        ];
        for (requested, error) in errors {
            let compiled = kind;
            let expected = (requested != kind).then_some(EvaluationError::WrongKind {
                requested,
                actual: compiled,
            });
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn expression_is_shared_between_threads() {
    fn assert_shareable<T: Send + Sync + 'static>(_: &T) {}
    let expression =
        Expression::compile("identity.type == 'RAMUser'", ExpressionKind::Condition).unwrap();
    assert_shareable(&expression);
    assert_shareable::<Option<ExpressionError>>(&None);
}
