//! Checks of operators.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, operators};

use super::{CheckResult, Checker};
use crate::cel::check_error::{Anchor, CheckError, refuse};
use crate::cel::cost::ValueBounds;
use crate::cel::error::Reason;
use crate::cel::types::ValueType;

impl<'t> Checker<'t> {
    /// Checks a call of an operator. Returns `None` if `call` is a call of a function.
    pub(super) fn operator(
        &mut self,
        tree: &'t IdedExpr,
        call: &'t CallExpr,
    ) -> Option<CheckResult<'t>> {
        use operators as op;
        let checked = match (call.func_name.as_str(), call.args.as_slice()) {
            (op::CONDITIONAL, [condition, yes, no]) => self.conditional(condition, yes, no),
            (op::LOGICAL_AND | op::LOGICAL_OR, [left, right]) => self
                .expect(left, ValueType::Bool)
                .and_then(|_| self.expect(right, ValueType::Bool)),
            (op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, [operand]) => {
                self.expect(operand, ValueType::Bool)
            }
            (op::EQUALS | op::NOT_EQUALS, [left, right]) => self.compare(tree, left, right),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
                self.order(tree, left, right)
            }
            (op::IN, [item, list]) => self.membership(tree, item, list),
            (op::INDEX, [list, index]) => self.index(tree, list, index),
            (op::ADD, [left, right]) => self.add(tree, left, right),
            (op::SUBSTRACT, [left, right]) => self
                .expect(left, ValueType::Int)
                .and_then(|_| self.expect(right, ValueType::Int)),
            (op::NEGATE, [_]) => refuse(
                Anchor::Start(tree),
                Reason::Unsupported("`-` before anything except a number"),
            ),
            _ => return None,
        };
        Some(checked)
    }

    fn conditional(
        &mut self,
        condition: &'t IdedExpr,
        yes: &'t IdedExpr,
        no: &'t IdedExpr,
    ) -> CheckResult<'t> {
        self.expect(condition, ValueType::Bool)?;
        let yes = self.check_node(yes)?;
        let no = self.expect(no, yes.ty)?;
        Ok(yes.union(no))
    }

    fn compare(
        &mut self,
        tree: &'t IdedExpr,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
    ) -> CheckResult<'t> {
        let left = self.check_node(left)?;
        let right = self.expect(right, left.ty)?;
        self.spend(tree, left.cost().max(right.cost()))?;
        Ok(ValueBounds::BOOL)
    }

    fn order(
        &mut self,
        tree: &'t IdedExpr,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
    ) -> CheckResult<'t> {
        let accepted = [ValueType::String, ValueType::Int];
        let (left, right) = self.pair(left, right, &accepted, "a string or an int")?;
        self.spend(tree, left.cost().max(right.cost()))?;
        Ok(ValueBounds::BOOL)
    }

    /// Checks two values, which must have the same type, one of the types `accepted`.
    fn pair(
        &mut self,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
        accepted: &[ValueType],
        expected: &'static str,
    ) -> Result<(ValueBounds, ValueBounds), CheckError<'t>> {
        let first = self.check_node(left)?;
        if !accepted.contains(&first.ty) {
            let found = first.ty;
            return refuse(
                Anchor::Start(left),
                Reason::WrongOperand { expected, found },
            );
        }
        Ok((first, self.expect(right, first.ty)?))
    }

    fn add(
        &mut self,
        tree: &'t IdedExpr,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
    ) -> CheckResult<'t> {
        let accepted = [ValueType::String, ValueType::Strings, ValueType::Int];
        let (left, right) = self.pair(left, right, &accepted, "a string, a list or an int")?;
        let bounds = left.concatenated(right);
        self.spend(tree, bounds.cost())?;
        Ok(bounds)
    }

    fn membership(
        &mut self,
        tree: &'t IdedExpr,
        item: &'t IdedExpr,
        list: &'t IdedExpr,
    ) -> CheckResult<'t> {
        self.expect(item, ValueType::String)?;
        let list = self.expect(list, ValueType::Strings)?;
        self.spend(tree, list.cost())?;
        Ok(ValueBounds::BOOL)
    }

    fn index(
        &mut self,
        tree: &'t IdedExpr,
        list: &'t IdedExpr,
        index: &'t IdedExpr,
    ) -> CheckResult<'t> {
        let list = self.expect(list, ValueType::Strings)?;
        self.expect(index, ValueType::Int)?;
        self.spend(tree, list.cost())?;
        Ok(list.item())
    }
}
