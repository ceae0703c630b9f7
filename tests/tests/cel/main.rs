//! CEL in rules: `tests/vectors/cel.json` says what each expression yields or why it is refused, and nothing that
//! anybody writes may panic, overflow a stack, or fail in a way that the checks at load should have excluded.

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
fn every_expression_yields_or_fails_as_the_vectors_say() {
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
        _ => panic!("{source}: give one of `result`, `refused` and `fails`"),
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
fn an_expression_answers_only_what_it_was_compiled_for() {
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
        for (asked, error) in errors {
            let compiled = kind;
            let expected = (asked != kind).then_some(EvaluationError::WrongKind {
                requested: asked,
                actual: compiled,
            });
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn an_expression_can_be_shared_between_threads() {
    fn takes<T: Send + Sync + 'static>(_: &T) {}
    let expression =
        Expression::compile("identity.type == 'RAMUser'", ExpressionKind::Condition).unwrap();
    takes(&expression);
    takes::<Option<ExpressionError>>(&None);
}
