//! The second gate: checks names, types, sizes and costs by walking the parsed tree.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, ListExpr, LiteralValue, SelectExpr, operators,
};

use super::check_error::{Anchor, CheckError, refuse, unknown_name};
use super::cost::{NODE_COST, ROUND_COST, ValueBounds, loop_total, sum};
use super::error::{ExpressionError, ExpressionPosition, Reason, SymbolKind};
use super::functions;
use super::limits::{MAX_COST, MAX_DEPTH, MAX_NODES};
use super::types::ValueType;
use super::variables::{IDENTITY, USER, VariableDeclaration};
use crate::expression_kind::ExpressionKind;

/// Refuses `tree`, parsed from `source`, unless it can be evaluated as `kind` within the limits.
pub(super) fn check(
    source: &str,
    tree: &IdedExpr,
    kind: ExpressionKind,
) -> Result<(), ExpressionError> {
    let mut checker = Checker {
        kind,
        scope: None,
        depth: 0,
        nodes: 0,
        spent: 0,
    };
    match checker.expect(tree, kind.result_type()) {
        Ok(_) => Ok(()),
        Err(CheckError { at, reason }) => Err(ExpressionError {
            position: ExpressionPosition::from_offset(source, at.offset(source)),
            reason,
        }),
    }
}

const LEADING_DOT: Reason = Reason::Unsupported("a name that starts with a dot");

type CheckResult<'t> = Result<ValueBounds, CheckError<'t>>;

struct Checker<'t> {
    kind: ExpressionKind,
    scope: Option<LoopScope<'t>>,
    depth: usize,
    nodes: usize,
    spent: u64,
}

/// The variables of a loop.
#[derive(Clone, Copy)]
struct LoopScope<'t> {
    item_name: &'t str,
    item: ValueBounds,
    result_name: &'t str,
    result: ValueBounds,
}

impl<'t> Checker<'t> {
    fn expect(&mut self, tree: &'t IdedExpr, expected: ValueType) -> CheckResult<'t> {
        let bounds = self.check_node(tree)?;
        if bounds.ty == expected {
            return Ok(bounds);
        }
        let found = bounds.ty;
        refuse(Anchor::Start(tree), Reason::WrongType { expected, found })
    }

    fn check_node(&mut self, tree: &'t IdedExpr) -> CheckResult<'t> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > MAX_NODES {
            return refuse(Anchor::Start(tree), Reason::TooLarge);
        }
        if self.depth > MAX_DEPTH {
            return refuse(Anchor::Start(tree), Reason::TooDeep);
        }
        self.spend(tree, NODE_COST)?;
        let unsupported = |what| refuse(Anchor::Start(tree), Reason::Unsupported(what));
        let bounds = match &tree.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Ok(ValueBounds::BOOL),
            Expr::Literal(LiteralValue::Int(_)) => Ok(ValueBounds::INT),
            Expr::Literal(LiteralValue::String(text)) => Ok(ValueBounds::literal(text.inner())),
            Expr::Ident(name) => self.variable(tree, name),
            Expr::Select(select) => self.field(tree, select),
            Expr::List(list) => self.list(tree, list),
            Expr::Call(call) => self.call(tree, call),
            Expr::Comprehension(comprehension) => self.comprehension(tree, comprehension),
            Expr::Literal(_) => unsupported("a value of this type"),
            Expr::Map(_) | Expr::Struct(_) => unsupported("a map or an object"),
            Expr::Unspecified => unsupported("this"),
        }?;
        self.depth -= 1;
        Ok(bounds)
    }

    fn spend(&mut self, tree: &'t IdedExpr, cost: u64) -> Result<(), CheckError<'t>> {
        self.spent = self.spent.saturating_add(cost);
        if self.spent > MAX_COST {
            let cost = self.spent;
            return refuse(Anchor::Start(tree), Reason::TooCostly { cost });
        }
        Ok(())
    }

    fn variable(&self, tree: &'t IdedExpr, name: &'t str) -> CheckResult<'t> {
        if let Some(bounds) = self.local(name) {
            return Ok(bounds);
        }
        let variable = self.global(tree, name)?;
        refuse(Anchor::Start(tree), Reason::MissingField(variable.name))
    }

    /// A variable of the loop around.
    fn local(&self, name: &str) -> Option<ValueBounds> {
        let scope = self.scope?;
        if name == scope.item_name {
            Some(scope.item)
        } else {
            (name == scope.result_name).then_some(scope.result)
        }
    }

    /// `identity` or `user`.
    fn global(
        &self,
        tree: &'t IdedExpr,
        name: &str,
    ) -> Result<VariableDeclaration, CheckError<'t>> {
        let is_validation = self.kind == ExpressionKind::Validation;
        let reason = match name {
            "identity" => return Ok(IDENTITY),
            "user" if is_validation => return Ok(USER),
            "user" => Reason::UserOutsideValidation,
            _ if name.starts_with('.') => LEADING_DOT,
            _ => {
                let user = is_validation.then_some(USER.name);
                let item = self.scope.map(|scope| scope.item_name);
                let known = [IDENTITY.name].into_iter().chain(user).chain(item);
                unknown_name(SymbolKind::Variable, name, known)
            }
        };
        refuse(Anchor::Start(tree), reason)
    }

    fn field(&mut self, tree: &'t IdedExpr, select: &'t SelectExpr) -> CheckResult<'t> {
        let variable = match &select.operand.expr {
            Expr::Ident(name) if self.local(name).is_none() => {
                self.global(&select.operand, name)?
            }
            _ => {
                let found = self.check_node(&select.operand)?.ty;
                let expected = "`identity` or `user`";
                return refuse(
                    Anchor::Start(tree),
                    Reason::WrongOperand { expected, found },
                );
            }
        };
        let Some(field) = variable.field(&select.field) else {
            let known = variable.fields().map(|field| field.name);
            let reason = unknown_name(SymbolKind::FieldOf(variable.name), &select.field, known);
            return refuse(Anchor::After(tree.id, &select.field), reason);
        };
        self.spend(tree, field.bounds.cost())?;
        if select.test {
            return Ok(ValueBounds::BOOL);
        }
        Ok(field.bounds)
    }

    fn list(&mut self, tree: &'t IdedExpr, list: &'t ListExpr) -> CheckResult<'t> {
        let items = list.elements.iter();
        let items = items
            .map(|item| self.expect(item, ValueType::String))
            .collect::<Result<Vec<_>, _>>()?;
        let bounds = ValueBounds::list(&items);
        self.spend(tree, bounds.cost())?;
        Ok(bounds)
    }

    fn call(&mut self, tree: &'t IdedExpr, call: &'t CallExpr) -> CheckResult<'t> {
        if call.target.is_none()
            && let Some(checked) = self.operator(tree, call)
        {
            return checked;
        }
        self.function(tree, call)
    }

    /// `None` when the call is of a function.
    fn operator(&mut self, tree: &'t IdedExpr, call: &'t CallExpr) -> Option<CheckResult<'t>> {
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
                Reason::Unsupported("`-` before anything but a number"),
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

    /// Two values of one of the types `accepted`.
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

    fn function(&mut self, tree: &'t IdedExpr, call: &'t CallExpr) -> CheckResult<'t> {
        let name = call.func_name.as_str();
        let at = || match call.target {
            Some(_) => Anchor::Before(tree.id, name),
            None => Anchor::Start(tree),
        };
        let Some(function) = functions::find(name) else {
            return refuse(
                at(),
                unknown_name(SymbolKind::Function, name, functions::names()),
            );
        };
        let usage = function.usage;
        if function.overloads.is_empty() {
            return refuse(at(), Reason::WrongArguments { usage });
        }
        let receiver = match &call.target {
            Some(target) => Some(self.check_node(target)?),
            None => None,
        };
        let arguments = call.args.iter();
        let arguments = arguments
            .map(|argument| self.check_node(argument))
            .collect::<Result<Vec<_>, _>>()?;
        let types: Vec<_> = arguments.iter().map(|argument| argument.ty).collect();
        let receiver_type = receiver.map(|receiver| receiver.ty);
        let overload = function
            .overloads
            .iter()
            .find(|overload| overload.accepts(receiver_type, &types));
        let Some(overload) = overload else {
            return refuse(at(), Reason::WrongArguments { usage });
        };
        let values: Vec<_> = receiver.into_iter().chain(arguments).collect();
        let bounds = ValueBounds::call_result(name, &values, overload.result);
        self.spend(tree, sum(&values, |value| value.cost()))?;
        self.spend(tree, bounds.cost())?;
        Ok(bounds)
    }

    /// What CEL's macros become: a list is gone through, and each item makes the next result of the one before.
    fn comprehension(
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
        // The same nodes once more.
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

    /// What one round yields, and what it costs; the cost is not spent yet.
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
