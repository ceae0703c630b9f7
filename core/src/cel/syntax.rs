//! The syntax tree of a compiled expression, for analysis. Only the [`Expression`](super::Expression) that owns a tree
//! can evaluate it.

pub use cel::IdedExpr;
pub use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};

/// Returns the part `id` of the condition `tree` if it is the condition itself, or an operand of its `!`, `&&`, `||` or
/// `?:`. Returns `None` for any other part.
///
/// The returned part is also a condition and is outside all loops, so it can be evaluated alone.
pub(super) fn find_operand(tree: &IdedExpr, id: u64) -> Option<&IdedExpr> {
    if tree.id == id {
        return Some(tree);
    }
    let Expr::Call(call) = &tree.expr else {
        return None;
    };
    match call.func_name.as_str() {
        operators::LOGICAL_NOT
        | operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::CONDITIONAL => call
            .args
            .iter()
            .find_map(|operand| find_operand(operand, id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::{Expression, ExpressionKind};

    /// Returns the IDs of all nodes of `tree`.
    fn ids(tree: &IdedExpr) -> Vec<u64> {
        let mut ids = Vec::new();
        let mut rest = vec![tree];
        while let Some(tree) = rest.pop() {
            ids.push(tree.id);
            match &tree.expr {
                Expr::Select(select) => rest.push(&select.operand),
                Expr::List(list) => rest.extend(&list.elements),
                Expr::Call(call) => {
                    rest.extend(call.target.as_deref().into_iter().chain(&call.args));
                }
                Expr::Comprehension(body) => rest.extend([
                    &body.iter_range,
                    &body.accu_init,
                    &body.loop_cond,
                    &body.loop_step,
                    &body.result,
                ]),
                _ => {}
            }
        }
        ids
    }

    #[test]
    fn only_conditions_outside_loops_are_operands() {
        for (source, operands) in [
            ("true", 1),
            ("user.username == 'a'", 1),
            ("!(user.username == 'a')", 2),
            ("true && false && true && false && true", 9),
            ("true || false || true", 5),
            ("true ? false : true", 4),
            ("(true ? 'a' : 'b') == user.username", 1),
            ("user.groups.all(group, !(group == 'a') && group != 'b')", 1),
            (
                "size(user.groups.filter(group, true && false)) > 1 || true",
                3,
            ),
            ("(true && false) == (false || true)", 1),
        ] {
            let expression = Expression::compile(source, ExpressionKind::Validation).unwrap();
            let tree = expression.tree();
            let mut ids = ids(tree);
            let nodes = ids.len();
            let found = ids.iter().filter_map(|id| find_operand(tree, *id)).count();
            assert_eq!(found, operands, "{source}");
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), nodes, "two parts have the same ID: {source}");
            assert!(find_operand(tree, u64::MAX).is_none(), "{source}");
        }
    }
}
