//! The second gate: checks names, types, sizes and costs by walking the parsed tree.

mod loops;
mod operators;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, ListExpr, LiteralValue, SelectExpr};

use super::check_error::{Anchor, CheckError, refuse, unknown_name};
use super::cost::{NODE_COST, ValueBounds, sum};
use super::error::{ExpressionError, ExpressionPosition, Reason, SymbolKind};
use super::functions;
use super::limits::{MAX_COST, MAX_DEPTH, MAX_NODES};
use super::types::ValueType;
use super::variables::{IDENTITY, USER, VariableDeclaration};
use crate::expression_kind::ExpressionKind;

/// Checks that `tree`, parsed from `source`, can be evaluated as `kind` within the limits.
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

    /// Returns the bounds of a variable of the enclosing loop.
    fn local(&self, name: &str) -> Option<ValueBounds> {
        let scope = self.scope?;
        if name == scope.item_name {
            Some(scope.item)
        } else {
            (name == scope.result_name).then_some(scope.result)
        }
    }

    /// Returns the declaration of `identity` or `user`.
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
}
