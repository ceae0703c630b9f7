//! Checks of loops, to which the macros of CEL expand.

use cel::IdedExpr;
use cel::common::ast::ComprehensionExpr;

use super::{CheckResult, Checker, LEADING_DOT, LoopScope};
use crate::cel::check_error::{Anchor, CheckError, refuse};
use crate::cel::cost::{ROUND_COST, ValueBounds, loop_total};
use crate::cel::error::Reason;
use crate::cel::types::ValueType;
use crate::cel::variables::{IDENTITY, USER};

impl<'t> Checker<'t> {
    /// Checks a comprehension, to which the macros of CEL expand: a loop over a list, in which each item updates the
    /// result.
    pub(super) fn comprehension(
        &mut self,
        tree: &'t IdedExpr,
        body: &'t ComprehensionExpr,
    ) -> CheckResult<'t> {
        if self.scope.is_some() {
            return refuse(Anchor::Start(tree), Reason::NestedLoop);
        }
        let item_name = body.iter_var.as_str();
        if [IDENTITY.name, USER.name].contains(&item_name) {
            return refuse(
                Anchor::After(tree.id, item_name),
                Reason::ShadowedName(item_name.into()),
            );
        }
        if item_name.starts_with('.') {
            return refuse(Anchor::After(tree.id, item_name), LEADING_DOT);
        }
        let range = self.expect(&body.iter_range, ValueType::Strings)?;
        let initial = self.check_node(&body.accu_init)?;
        let scope = |item, result| LoopScope {
            item_name,
            item,
            result_name: &body.accu_var,
            result,
        };

        let nodes = self.nodes;
        self.scope = Some(scope(ValueBounds::string(0), initial));
        let (empty, empty_cost) = self.round(body, initial.ty)?;
        // The second round checks the same nodes, so count them once.
        self.nodes = nodes;
        self.scope = Some(scope(ValueBounds::string(range.bytes), initial));
        let (all, all_cost) = self.round(body, initial.ty)?;
        let rounds = loop_total(range.items, empty_cost, all_cost);
        self.spend(tree, rounds.saturating_add(range.cost()))?;

        let result = match initial.ty {
            ValueType::Strings => ValueBounds::strings(
                range.items.saturating_mul(all.items),
                all.max_item_bytes,
                loop_total(range.items, empty.bytes, all.bytes),
            ),
            _ => initial,
        };
        self.spend(tree, result.cost())?;
        self.scope = Some(scope(ValueBounds::string(0), result));
        let bounds = self.check_node(&body.result)?;
        self.scope = None;
        Ok(bounds)
    }

    /// Checks one round of a loop. Returns the bounds of its result and its cost, which the caller must spend.
    fn round(
        &mut self,
        body: &'t ComprehensionExpr,
        result: ValueType,
    ) -> Result<(ValueBounds, u64), CheckError<'t>> {
        let before = self.spent;
        self.expect(&body.loop_cond, ValueType::Bool)?;
        let bounds = self.expect(&body.loop_step, result)?;
        let cost = self.spent.saturating_sub(before);
        self.spent = before;
        Ok((bounds, cost.saturating_add(ROUND_COST)))
    }
}
