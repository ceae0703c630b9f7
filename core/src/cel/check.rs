//! The second gate: names, types, sizes and costs, told by walking the parsed tree.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, ListExpr, LiteralValue, SelectExpr, operators,
};

use super::Kind;
use super::cost::{MAX_COST, NODE_COST, ROUND_COST, Shape, of_loop, sum};
use super::error::{ExpressionError, Named, Position, Reason};
use super::functions;
use super::refusal::{At, Refusal, refuse, unknown};
use super::types::Type;
use super::variables::{IDENTITY, USER, Variable};

/// How deep the tree may be: the evaluator recurses, in a build without optimisation by 37 KB a step.
pub(super) const MAX_DEPTH: usize = 20;
/// How many nodes the tree may have, those that CEL's macros add among them.
pub(super) const MAX_NODES: usize = 200;

/// Refuses `tree`, parsed from `source`, unless it can be evaluated as `kind` within the limits.
pub(super) fn check(source: &str, tree: &IdedExpr, kind: Kind) -> Result<(), ExpressionError> {
    let mut checker = Checker {
        kind,
        scope: None,
        depth: 0,
        nodes: 0,
        spent: 0,
    };
    match checker.expect(tree, kind.result()) {
        Ok(_) => Ok(()),
        Err(Refusal { at, reason }) => Err(ExpressionError {
            position: Position::at(source, at.offset(source)),
            reason,
        }),
    }
}

const LEADING_DOT: Reason = Reason::Unsupported("a name that starts with a dot");

type Checked<'t> = Result<Shape, Refusal<'t>>;

struct Checker<'t> {
    kind: Kind,
    scope: Option<Scope<'t>>,
    depth: usize,
    nodes: usize,
    spent: u64,
}

/// The variables of a loop.
#[derive(Clone, Copy)]
struct Scope<'t> {
    item_name: &'t str,
    item: Shape,
    result_name: &'t str,
    result: Shape,
}

impl<'t> Checker<'t> {
    fn expect(&mut self, tree: &'t IdedExpr, expected: Type) -> Checked<'t> {
        let shape = self.shape(tree)?;
        if shape.ty == expected {
            return Ok(shape);
        }
        let found = shape.ty;
        refuse(At::Start(tree), Reason::Type { expected, found })
    }

    fn shape(&mut self, tree: &'t IdedExpr) -> Checked<'t> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > MAX_NODES {
            return refuse(At::Start(tree), Reason::TooLarge);
        }
        if self.depth > MAX_DEPTH {
            return refuse(At::Start(tree), Reason::TooDeep);
        }
        self.spend(tree, NODE_COST)?;
        let unsupported = |what| refuse(At::Start(tree), Reason::Unsupported(what));
        let shape = match &tree.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Ok(Shape::BOOL),
            Expr::Literal(LiteralValue::Int(_)) => Ok(Shape::INT),
            Expr::Literal(LiteralValue::String(text)) => Ok(Shape::literal(text.inner())),
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
        Ok(shape)
    }

    fn spend(&mut self, tree: &'t IdedExpr, cost: u64) -> Result<(), Refusal<'t>> {
        self.spent = self.spent.saturating_add(cost);
        if self.spent > MAX_COST {
            let cost = self.spent;
            return refuse(At::Start(tree), Reason::TooCostly { cost });
        }
        Ok(())
    }

    fn variable(&self, tree: &'t IdedExpr, name: &'t str) -> Checked<'t> {
        if let Some(shape) = self.local(name) {
            return Ok(shape);
        }
        let variable = self.global(tree, name)?;
        refuse(At::Start(tree), Reason::Whole(variable.name))
    }

    /// A variable of the loop around.
    fn local(&self, name: &str) -> Option<Shape> {
        let scope = self.scope?;
        if name == scope.item_name {
            Some(scope.item)
        } else {
            (name == scope.result_name).then_some(scope.result)
        }
    }

    /// `identity` or `user`.
    fn global(&self, tree: &'t IdedExpr, name: &str) -> Result<Variable, Refusal<'t>> {
        let is_validation = self.kind == Kind::Validation;
        let reason = match name {
            "identity" => return Ok(IDENTITY),
            "user" if is_validation => return Ok(USER),
            "user" => Reason::NoUser,
            _ if name.starts_with('.') => LEADING_DOT,
            _ => {
                let user = is_validation.then_some(USER.name);
                let item = self.scope.map(|scope| scope.item_name);
                let known = [IDENTITY.name].into_iter().chain(user).chain(item);
                unknown(Named::Variable, name, known)
            }
        };
        refuse(At::Start(tree), reason)
    }

    fn field(&mut self, tree: &'t IdedExpr, select: &'t SelectExpr) -> Checked<'t> {
        let variable = match &select.operand.expr {
            Expr::Ident(name) if self.local(name).is_none() => {
                self.global(&select.operand, name)?
            }
            _ => {
                let found = self.shape(&select.operand)?.ty;
                let expected = "`identity` or `user`";
                return refuse(At::Start(tree), Reason::Operand { expected, found });
            }
        };
        let Some(field) = variable.field(&select.field) else {
            let known = variable.fields().map(|field| field.name);
            let reason = unknown(Named::FieldOf(variable.name), &select.field, known);
            return refuse(At::After(tree.id, &select.field), reason);
        };
        self.spend(tree, field.shape.cost())?;
        if select.test {
            return Ok(Shape::BOOL);
        }
        Ok(field.shape)
    }

    fn list(&mut self, tree: &'t IdedExpr, list: &'t ListExpr) -> Checked<'t> {
        let items = list.elements.iter();
        let items = items
            .map(|item| self.expect(item, Type::String))
            .collect::<Result<Vec<_>, _>>()?;
        let shape = Shape::list(&items);
        self.spend(tree, shape.cost())?;
        Ok(shape)
    }

    fn call(&mut self, tree: &'t IdedExpr, call: &'t CallExpr) -> Checked<'t> {
        if call.target.is_none()
            && let Some(checked) = self.operator(tree, call)
        {
            return checked;
        }
        self.function(tree, call)
    }

    /// `None` when the call is of a function.
    fn operator(&mut self, tree: &'t IdedExpr, call: &'t CallExpr) -> Option<Checked<'t>> {
        use operators as op;
        let checked = match (call.func_name.as_str(), call.args.as_slice()) {
            (op::CONDITIONAL, [condition, yes, no]) => self.conditional(condition, yes, no),
            (op::LOGICAL_AND | op::LOGICAL_OR, [left, right]) => self
                .expect(left, Type::Bool)
                .and_then(|_| self.expect(right, Type::Bool)),
            (op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, [operand]) => {
                self.expect(operand, Type::Bool)
            }
            (op::EQUALS | op::NOT_EQUALS, [left, right]) => self.compare(tree, left, right),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
                self.order(tree, left, right)
            }
            (op::IN, [item, list]) => self.contained(tree, item, list),
            (op::INDEX, [list, index]) => self.index(tree, list, index),
            (op::ADD, [left, right]) => self.add(tree, left, right),
            (op::SUBSTRACT, [left, right]) => self
                .expect(left, Type::Int)
                .and_then(|_| self.expect(right, Type::Int)),
            (op::NEGATE, [_]) => refuse(
                At::Start(tree),
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
    ) -> Checked<'t> {
        self.expect(condition, Type::Bool)?;
        let yes = self.shape(yes)?;
        let no = self.expect(no, yes.ty)?;
        Ok(yes.or(no))
    }

    fn compare(
        &mut self,
        tree: &'t IdedExpr,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
    ) -> Checked<'t> {
        let left = self.shape(left)?;
        let right = self.expect(right, left.ty)?;
        self.spend(tree, left.cost().max(right.cost()))?;
        Ok(Shape::BOOL)
    }

    fn order(
        &mut self,
        tree: &'t IdedExpr,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
    ) -> Checked<'t> {
        let taken = [Type::String, Type::Int];
        let (left, right) = self.pair(left, right, &taken, "a string or an int")?;
        self.spend(tree, left.cost().max(right.cost()))?;
        Ok(Shape::BOOL)
    }

    /// Two values of one of the types `taken`.
    fn pair(
        &mut self,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
        taken: &[Type],
        expected: &'static str,
    ) -> Result<(Shape, Shape), Refusal<'t>> {
        let first = self.shape(left)?;
        if !taken.contains(&first.ty) {
            let found = first.ty;
            return refuse(At::Start(left), Reason::Operand { expected, found });
        }
        Ok((first, self.expect(right, first.ty)?))
    }

    fn add(&mut self, tree: &'t IdedExpr, left: &'t IdedExpr, right: &'t IdedExpr) -> Checked<'t> {
        let taken = [Type::String, Type::Strings, Type::Int];
        let (left, right) = self.pair(left, right, &taken, "a string, a list or an int")?;
        let shape = left.plus(right);
        self.spend(tree, shape.cost())?;
        Ok(shape)
    }

    fn contained(
        &mut self,
        tree: &'t IdedExpr,
        item: &'t IdedExpr,
        list: &'t IdedExpr,
    ) -> Checked<'t> {
        self.expect(item, Type::String)?;
        let list = self.expect(list, Type::Strings)?;
        self.spend(tree, list.cost())?;
        Ok(Shape::BOOL)
    }

    fn index(
        &mut self,
        tree: &'t IdedExpr,
        list: &'t IdedExpr,
        index: &'t IdedExpr,
    ) -> Checked<'t> {
        let list = self.expect(list, Type::Strings)?;
        self.expect(index, Type::Int)?;
        self.spend(tree, list.cost())?;
        Ok(list.item())
    }

    fn function(&mut self, tree: &'t IdedExpr, call: &'t CallExpr) -> Checked<'t> {
        let name = call.func_name.as_str();
        let at = || match call.target {
            Some(_) => At::Before(tree.id, name),
            None => At::Start(tree),
        };
        let Some(function) = functions::find(name) else {
            return refuse(at(), unknown(Named::Function, name, functions::names()));
        };
        let usage = function.usage;
        if function.forms.is_empty() {
            return refuse(at(), Reason::Arguments { usage });
        }
        let receiver = match &call.target {
            Some(target) => Some(self.shape(target)?),
            None => None,
        };
        let arguments = call.args.iter();
        let arguments = arguments
            .map(|argument| self.shape(argument))
            .collect::<Result<Vec<_>, _>>()?;
        let types: Vec<_> = arguments.iter().map(|argument| argument.ty).collect();
        let receiver_type = receiver.map(|receiver| receiver.ty);
        let form = function
            .forms
            .iter()
            .find(|form| form.takes(receiver_type, &types));
        let Some(form) = form else {
            return refuse(at(), Reason::Arguments { usage });
        };
        let values: Vec<_> = receiver.into_iter().chain(arguments).collect();
        let shape = Shape::of_call(name, &values, form.result);
        self.spend(tree, sum(&values, |value| value.cost()))?;
        self.spend(tree, shape.cost())?;
        Ok(shape)
    }

    /// What CEL's macros become: a list is gone through, and each item makes the next result of the one before.
    fn comprehension(&mut self, tree: &'t IdedExpr, body: &'t ComprehensionExpr) -> Checked<'t> {
        if self.scope.is_some() {
            return refuse(At::Start(tree), Reason::NestedLoop);
        }
        let item_name = body.iter_var.as_str();
        if [IDENTITY.name, USER.name].contains(&item_name) {
            return refuse(
                At::After(tree.id, item_name),
                Reason::Shadowing(item_name.into()),
            );
        }
        if item_name.starts_with('.') {
            return refuse(At::After(tree.id, item_name), LEADING_DOT);
        }
        let range = self.expect(&body.iter_range, Type::Strings)?;
        let initial = self.shape(&body.accu_init)?;
        let scope = |item, result| Scope {
            item_name,
            item,
            result_name: &body.accu_var,
            result,
        };

        let nodes = self.nodes;
        self.scope = Some(scope(Shape::string(0), initial));
        let (empty, empty_cost) = self.round(body, initial.ty)?;
        // The same nodes once more.
        self.nodes = nodes;
        self.scope = Some(scope(Shape::string(range.bytes), initial));
        let (all, all_cost) = self.round(body, initial.ty)?;
        let rounds = of_loop(range.items, empty_cost, all_cost);
        self.spend(tree, rounds.saturating_add(range.cost()))?;

        let result = match initial.ty {
            Type::Strings => Shape::strings(
                range.items.saturating_mul(all.items),
                all.longest,
                of_loop(range.items, empty.bytes, all.bytes),
            ),
            _ => initial,
        };
        self.spend(tree, result.cost())?;
        self.scope = Some(scope(Shape::string(0), result));
        let shape = self.shape(&body.result)?;
        self.scope = None;
        Ok(shape)
    }

    /// What one round yields, and what it costs; the cost is not spent yet.
    fn round(
        &mut self,
        body: &'t ComprehensionExpr,
        result: Type,
    ) -> Result<(Shape, u64), Refusal<'t>> {
        let before = self.spent;
        self.expect(&body.loop_cond, Type::Bool)?;
        let shape = self.expect(&body.loop_step, result)?;
        let cost = self.spent.saturating_sub(before);
        self.spent = before;
        Ok((shape, cost.saturating_add(ROUND_COST)))
    }
}
