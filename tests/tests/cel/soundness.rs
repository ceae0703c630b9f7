//! Each text is rejected when it is compiled, or evaluates to a bounded result or a named error.

use ack_ram_core::cel::{
    EvaluationError, Expression, ExpressionError, MAX_GROUP_BYTES, MAX_GROUPS, MAX_NAME_BYTES,
};
use ack_ram_core::identity::Identity;
use ack_ram_core::kubernetes_user::KubernetesUser;
use serde_json::Value;

use crate::generator::Generator;
use crate::stack::on_a_small_stack;
use crate::vectors::{IdentityVector, UserVector, vectors};
use crate::{KINDS, evaluate};

#[test]
fn accepted_expression_gives_bounded_result_or_named_error() {
    let vectors = vectors();
    let identities: Vec<_> = vectors
        .identities
        .values()
        .map(IdentityVector::identity)
        .collect();
    let users: Vec<_> = vectors.users.values().map(UserVector::user).collect();
    on_a_small_stack(|| {
        let mut generator = Generator(4);
        let mut results = [0; KINDS.len()];
        for round in 0..12_000 {
            let which = round % KINDS.len();
            let source = generator.of_kind(KINDS[which]);
            let Ok(expression) = Expression::compile(&source, KINDS[which]) else {
                continue;
            };
            for identity in &identities {
                let user = &users[generator.below(users.len())];
                results[which] += usize::from(is_sound(&source, &expression, identity, user));
            }
        }
        assert!(
            results.iter().all(|results| *results > 1_000),
            "{results:?}"
        );
    });
}

/// Evaluates an expression and returns whether it has a result.
fn is_sound(
    source: &str,
    expression: &Expression,
    identity: &Identity,
    user: &KubernetesUser,
) -> bool {
    match evaluate(expression, identity, user) {
        Ok(Value::Bool(_)) => {}
        Ok(Value::String(name)) => assert!(name.len() <= MAX_NAME_BYTES, "{source}"),
        Ok(Value::Array(names)) => {
            assert!(names.len() <= MAX_GROUPS, "{source}");
            let fits = |name: &Value| name.as_str().unwrap().len() <= MAX_GROUP_BYTES;
            assert!(names.iter().all(fits), "{source}");
        }
        Ok(other) => panic!("`{source}` yields {other}"),
        Err(EvaluationError::UnexpectedFailure | EvaluationError::WrongKind { .. }) => {
            panic!("`{source}` fails in a way that compilation should exclude")
        }
        Err(_) => return false,
    }
    true
}

#[test]
fn arbitrary_text_never_panics_the_compiler() {
    let vectors = vectors();
    let sources: Vec<_> = vectors
        .cases
        .iter()
        .map(|case| case.expression.text())
        .collect();
    let identity = vectors.identities["session"].identity();
    let user = vectors.users["admin"].user();
    on_a_small_stack(|| {
        let mut generator = Generator(5);
        for round in 0..20_000 {
            let source = match round % 2 {
                0 => generator.token_soup(),
                _ => generator.mutation(&sources[round % sources.len()]),
            };
            let kind = KINDS[generator.below(KINDS.len())];
            match Expression::compile(&source, kind) {
                Ok(expression) => drop(is_sound(&source, &expression, &identity, &user)),
                Err(error) => assert!(is_inside(&source, &error), "{source:?}: {error}"),
            }
        }
    });
}

fn is_inside(source: &str, error: &ExpressionError) -> bool {
    let position = error.position;
    let line = source.split('\n').nth(position.line.wrapping_sub(1));
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&position.column))
}
