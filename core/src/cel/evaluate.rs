//! Evaluates expressions, and converts their results.

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelList, CelString};
use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};

use super::error::EvaluationError;
use super::limits::{MAX_GROUP_BYTES, MAX_GROUPS, MAX_NAME_BYTES};
use super::variables::Activation;
use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;

/// The functions that all expressions can call.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::default().with_optional_support(false).with_stdlib();
    // `add_extension` fails only if the extension is already present.
    let _ = environment.add_extension(cel::extensions::strings);
    Arc::new(environment)
});

/// Evaluates `tree`, which [`super::check`] has accepted, and converts the result with `read`.
pub(super) fn evaluate<T>(
    tree: &IdedExpr,
    identity: &Identity,
    user: Option<&KubernetesUser>,
    read: fn(&dyn Val) -> Result<T, EvaluationError>,
) -> Result<T, EvaluationError> {
    let variables = Activation::new(identity, user)?;
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.set_variable_resolver(&variables);
    let value = Value::resolve_val(tree, &context).map_err(convert_error)?;
    read(value.as_ref())
}

/// Converts an error of the evaluator, which contains values, into an error without values.
fn convert_error(error: ExecutionError) -> EvaluationError {
    match error {
        ExecutionError::IndexOutOfBounds(_) => EvaluationError::IndexOutOfBounds,
        ExecutionError::Overflow(..) => EvaluationError::Overflow,
        ExecutionError::FunctionError { function, .. } if function == "substring" => {
            EvaluationError::PositionOutOfText {
                function: "substring",
            }
        }
        _ => EvaluationError::UnexpectedFailure,
    }
}

pub(super) fn read_bool(value: &dyn Val) -> Result<bool, EvaluationError> {
    let value = value.downcast_ref::<CelBool>();
    value
        .map(|value| *value.inner())
        .ok_or(EvaluationError::UnexpectedFailure)
}

pub(super) fn read_username(value: &dyn Val) -> Result<String, EvaluationError> {
    read_string(value, MAX_NAME_BYTES)
}

pub(super) fn read_groups(value: &dyn Val) -> Result<Vec<String>, EvaluationError> {
    let items = value
        .downcast_ref::<CelList<'_>>()
        .ok_or(EvaluationError::UnexpectedFailure)?;
    let groups = items.len();
    if groups > MAX_GROUPS {
        return Err(EvaluationError::TooManyGroups { groups });
    }
    items
        .iter()
        .map(|item| read_string(item.as_ref(), MAX_GROUP_BYTES))
        .collect()
}

fn read_string(value: &dyn Val, limit: usize) -> Result<String, EvaluationError> {
    let text = value
        .downcast_ref::<CelString<'_>>()
        .ok_or(EvaluationError::UnexpectedFailure)?
        .inner();
    if text.len() > limit {
        let bytes = text.len();
        return Err(EvaluationError::NameTooLong { bytes, limit });
    }
    Ok(text.to_owned())
}
