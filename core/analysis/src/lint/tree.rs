//! Static analysis of the syntax trees of expressions.

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::cel::syntax::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op,
};

/// A field of `identity` or `user`.
pub(super) type FieldPath<'t> = (&'t str, &'t str);

/// Fields of `identity` whose values each belong to a single account.
const ACCOUNT_BOUND_FIELDS: [&str; 6] = [
    "accountId",
    "arn",
    "canonicalArn",
    "userId",
    "roleId",
    "accessKeyId",
];

/// Fields of `identity` that are empty for the sessions of roles.
const EMPTY_FOR_SESSIONS: [&str; 2] = ["userId", "userName"];

/// Returns whether the condition `tree` holds only for identities of accounts that the condition names. Recognizes
/// comparisons with literals, joined by `&&`, `||`, `!` and `?:`.
pub(super) fn requires_account(tree: &IdedExpr) -> bool {
    requires_account_for(tree, true)
}

/// Returns whether `tree` yields `outcome` only for identities of accounts that `tree` names.
fn requires_account_for(tree: &IdedExpr, outcome: bool) -> bool {
    let call = match &tree.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => return *value.inner() != outcome,
        Expr::Call(call) => call,
        _ => return false,
    };
    match (operator(call), outcome) {
        ((op::LOGICAL_NOT, [operand]), _) => requires_account_for(operand, !outcome),
        ((op::LOGICAL_AND, [left, right]), true) | ((op::LOGICAL_OR, [left, right]), false) => {
            requires_account_for(left, outcome) || requires_account_for(right, outcome)
        }
        ((op::LOGICAL_AND, [left, right]), false) | ((op::LOGICAL_OR, [left, right]), true) => {
            requires_account_for(left, outcome) && requires_account_for(right, outcome)
        }
        ((op::CONDITIONAL, [condition, yes, no]), _) => {
            (requires_account_for(condition, true) || requires_account_for(yes, outcome))
                && (requires_account_for(condition, false) || requires_account_for(no, outcome))
        }
        ((op::EQUALS, [left, right]), true) | ((op::NOT_EQUALS, [left, right]), false) => {
            (is_account_bound(left) && is_nonempty_literal(right))
                || (is_nonempty_literal(left) && is_account_bound(right))
        }
        ((op::IN, [item, list]), true) => {
            is_account_bound(item) && is_list_of_nonempty_literals(list)
        }
        (("startsWith", [prefix]), true) => {
            let subject = call.target.as_deref().and_then(identity_field);
            matches!(subject, Some("arn" | "canonicalArn")) && fixes_account(prefix)
        }
        _ => false,
    }
}

fn operator(call: &CallExpr) -> (&str, &[IdedExpr]) {
    (&call.func_name, &call.args)
}

fn is_account_bound(tree: &IdedExpr) -> bool {
    identity_field(tree).is_some_and(|name| ACCOUNT_BOUND_FIELDS.contains(&name))
}

/// Returns the field of `identity` that `tree` reads, possibly converted to lower case; `None` for any other
/// expression.
fn identity_field(tree: &IdedExpr) -> Option<&str> {
    match &tree.expr {
        Expr::Call(call) if call.func_name == "lowerAscii" => {
            call.target.as_deref().and_then(identity_field)
        }
        _ => match field_path(tree) {
            Some(("identity", name)) => Some(name),
            _ => None,
        },
    }
}

/// Returns the variable and the field if `tree` is a field access; `None` for any other expression.
pub(super) fn field_path(tree: &IdedExpr) -> Option<FieldPath<'_>> {
    match &tree.expr {
        Expr::Select(select) if !select.test => match &select.operand.expr {
            Expr::Ident(variable) => Some((variable, &select.field)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the text if `tree` is a string literal; `None` for any other expression.
pub(super) fn string_literal(tree: &IdedExpr) -> Option<&str> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Returns whether `tree` is a string literal that is not empty. A comparison with the empty string does not fix the
/// account, because IDs are empty for every identity without one.
fn is_nonempty_literal(tree: &IdedExpr) -> bool {
    string_literal(tree).is_some_and(|text| !text.is_empty())
}

fn is_list_of_nonempty_literals(tree: &IdedExpr) -> bool {
    match &tree.expr {
        Expr::List(list) => list.elements.iter().all(is_nonempty_literal),
        _ => false,
    }
}

/// Returns whether `prefix` is the start of an ARN that includes the complete account.
fn fixes_account(prefix: &IdedExpr) -> bool {
    string_literal(prefix)
        .and_then(|prefix| prefix.strip_prefix("acs:ram::")?.split_once(':'))
        .is_some_and(|(account, _)| AccountId::parse(account).is_some())
}

/// Returns whether the string that `tree` gives, or a string in the list that it gives, may start with the session
/// name, which the caller chooses.
pub(super) fn may_start_with_session_name(tree: &IdedExpr) -> bool {
    StartAnalysis { item: None }.may_be_session_name(tree)
}

/// The analysis of whether strings may start with the session name.
#[derive(Clone, Copy)]
struct StartAnalysis<'t> {
    /// Inside a loop: the loop variable, and whether its value may start with the session name.
    item: Option<(&'t str, bool)>,
}

impl<'t> StartAnalysis<'t> {
    fn may_be_session_name(self, tree: &'t IdedExpr) -> bool {
        match &tree.expr {
            Expr::Select(_) => field_path(tree) == Some(("identity", "sessionName")),
            Expr::Ident(name) => self.item.is_some_and(|(item, is_it)| item == name && is_it),
            Expr::List(list) => list
                .elements
                .iter()
                .any(|item| self.may_be_session_name(item)),
            Expr::Comprehension(body) => self.check_loop(body),
            Expr::Call(call) => match (operator(call), call.target.as_deref()) {
                ((op::ADD, [left, right]), None) => {
                    let reaches_right = self.is_list(left) || may_be_empty(left);
                    self.may_be_session_name(left)
                        || (reaches_right && self.may_be_session_name(right))
                }
                ((op::CONDITIONAL, [_, yes, no]), None) => {
                    self.may_be_session_name(yes) || self.may_be_session_name(no)
                }
                ((op::INDEX, [list, _]), None) => self.may_be_session_name(list),
                // The methods of strings and of lists of strings keep the start of the text, or a later part of it.
                (_, Some(receiver)) => self.may_be_session_name(receiver),
                _ => false,
            },
            _ => false,
        }
    }

    /// Checks a `map` or `filter` loop, whose iterations append to the resulting list.
    fn check_loop(self, body: &'t ComprehensionExpr) -> bool {
        let item = (&*body.iter_var, self.may_be_session_name(&body.iter_range));
        StartAnalysis { item: Some(item) }.may_be_session_name(&body.loop_step)
    }

    fn is_list(self, tree: &'t IdedExpr) -> bool {
        match &tree.expr {
            Expr::List(_) | Expr::Comprehension(_) => true,
            // Inside a loop, a name is the loop variable or the resulting list.
            Expr::Ident(name) => self.item.is_some_and(|(item, _)| item != name),
            Expr::Call(call) => match operator(call) {
                (op::ADD, [left, _]) => self.is_list(left),
                (op::CONDITIONAL, [_, yes, _]) => self.is_list(yes),
                (name, _) => name == "split",
            },
            _ => false,
        }
    }
}

/// Returns whether the string `tree` may be empty for a role session.
fn may_be_empty(tree: &IdedExpr) -> bool {
    string_literal(tree) == Some("")
        || matches!(field_path(tree), Some(("identity", name)) if EMPTY_FOR_SESSIONS.contains(&name))
}

/// Returns the literal prefix of every string that `tree` gives. The prefix may be empty.
pub(super) fn literal_prefix(tree: &IdedExpr) -> &str {
    match &tree.expr {
        Expr::Call(call) => match operator(call) {
            (op::ADD, [left, _]) => literal_prefix(left),
            _ => "",
        },
        _ => string_literal(tree).unwrap_or_default(),
    }
}

/// Returns the literals among the possible results of `tree`, which gives a string or a list of strings. Other results
/// are possible.
pub(super) fn literal_results(tree: &IdedExpr) -> Vec<&str> {
    let mut texts = Vec::new();
    // Each tree, with whether it is an operand of `+`. Only list operands keep their elements unchanged.
    let mut rest = vec![(tree, false)];
    while let Some((tree, is_part)) = rest.pop() {
        match &tree.expr {
            Expr::Literal(_) if !is_part => texts.extend(string_literal(tree)),
            Expr::List(list) => rest.extend(list.elements.iter().map(|item| (item, false))),
            Expr::Call(call) => match operator(call) {
                (op::ADD, [left, right]) => rest.extend([(left, true), (right, true)]),
                (op::CONDITIONAL, [_, yes, no]) => rest.extend([(yes, is_part), (no, is_part)]),
                _ => {}
            },
            _ => {}
        }
    }
    texts
}

/// Returns the fields that `tree` references, including those in `has`.
pub(super) fn referenced_fields(tree: &IdedExpr) -> BTreeSet<FieldPath<'_>> {
    let mut fields = BTreeSet::new();
    let mut rest = vec![tree];
    while let Some(tree) = rest.pop() {
        match &tree.expr {
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(variable) => {
                    fields.insert((variable.as_str(), select.field.as_str()));
                }
                _ => rest.push(&select.operand),
            },
            Expr::Call(call) => rest.extend(call.target.as_deref().into_iter().chain(&call.args)),
            Expr::List(list) => rest.extend(&list.elements),
            Expr::Comprehension(body) => rest.extend([
                &body.iter_range,
                &body.accu_init,
                &body.loop_cond,
                &body.loop_step,
                &body.result,
            ]),
            // The remaining kinds are refused when the expression is compiled, or reference no field.
            Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use ack_ram_core::cel::{Expression, ExpressionKind};

    #[test]
    fn condition_requires_account_where_comparisons_fix_it() {
        for (condition, expected) in [
            ("true", false),
            ("false", true),
            ("identity.accountId == '1'", true),
            ("'1' == identity.accountId", true),
            ("identity.accountId != '1'", false),
            ("!(identity.accountId != '1')", true),
            ("identity.accountId in ['1', '2']", true),
            ("!(identity.accountId in ['1', '2'])", false),
            ("identity.accountId in [identity.accountId]", false),
            ("identity.accountId == identity.accountId", false),
            ("identity.accountId.startsWith('1')", false),
            ("identity.accountId > '1'", false),
            ("identity.arn == 'acs:ram::1:user/a'", true),
            (
                "identity.canonicalArn.lowerAscii() == 'acs:ram::1:user/a'",
                true,
            ),
            ("identity.canonicalArn.startsWith('acs:ram::1:role/')", true),
            ("identity.canonicalArn.startsWith('acs:ram::1')", false),
            ("identity.canonicalArn.startsWith('acs:ram::')", false),
            ("identity.canonicalArn.startsWith('acs:ram:::')", false),
            (
                "!identity.canonicalArn.startsWith('acs:ram::1:role/')",
                false,
            ),
            ("identity.canonicalArn.endsWith(':role/admin')", false),
            ("identity.roleId == '3'", true),
            ("identity.userId in ['3']", true),
            ("identity.userId == ''", false),
            ("identity.userId in ['3', '']", false),
            ("identity.accessKeyId == 'LTAI'", true),
            ("identity.roleName == 'admin'", false),
            ("identity.sessionName.endsWith('@example.com')", false),
            (
                "identity.roleName == 'a' && identity.accountId == '1'",
                true,
            ),
            (
                "identity.roleName == 'a' || identity.accountId == '1'",
                false,
            ),
            (
                "identity.accountId == '1' || identity.accountId == '2'",
                true,
            ),
            (
                "!(identity.roleName == 'a' || identity.accountId != '1')",
                true,
            ),
            (
                "!(identity.roleName == 'a' && identity.accountId != '1')",
                false,
            ),
            (
                "identity.type == 'RAMUser' ? identity.accountId == '1' : false",
                true,
            ),
            (
                "identity.type == 'RAMUser' ? identity.accountId == '1' : true",
                false,
            ),
            ("identity.accountId == '1' ? true : false", true),
            ("identity.accountId == '1' ? false : true", false),
            ("identity.accountId != '1' ? false : true", true),
            ("has(identity.accountId)", false),
        ] {
            let expression = Expression::compile(condition, ExpressionKind::Condition).unwrap();
            assert_eq!(requires_account(expression.tree()), expected, "{condition}");
        }
    }

    #[test]
    fn groups_that_may_start_with_session_name_are_found() {
        for (groups, may) in [
            ("[identity.sessionName]", true),
            ("['dev', identity.sessionName + '@x']", true),
            ("['dev:' + identity.sessionName]", false),
            ("['' + identity.sessionName]", true),
            ("[identity.userName + identity.sessionName]", true),
            ("[identity.roleName + identity.sessionName]", false),
            ("[identity.roleName]", false),
            ("['a'] + [identity.sessionName]", true),
            ("['a'] + ['b'] + [identity.sessionName]", true),
            (
                "[(identity.type == 'RAMUser' ? 'u' : identity.sessionName) + '@x']",
                true,
            ),
            ("[identity.sessionName == 'a' ? 'b' : 'c']", false),
            (
                "identity.type == 'RAMUser' ? ['u'] : [identity.sessionName]",
                true,
            ),
            ("identity.sessionName.split('.')", true),
            ("[identity.sessionName.split('@')[0]]", true),
            (
                "[identity.sessionName.lowerAscii().replace('@', '-')]",
                true,
            ),
            ("['team:' + identity.sessionName.split('.')[0]]", false),
            ("identity.sessionName.split('.').map(part, part)", true),
            (
                "identity.sessionName.split('.').map(part, 'team:' + part)",
                false,
            ),
            (
                "identity.sessionName.split('.').filter(part, part != '')",
                true,
            ),
            (
                "['a', 'b'].filter(name, identity.sessionName.contains(name))",
                false,
            ),
            ("['a', 'b'].map(name, identity.sessionName + name)", true),
            ("[['a', identity.sessionName].join('-')]", true),
        ] {
            let expression = Expression::compile(groups, ExpressionKind::Groups).unwrap();
            assert_eq!(
                may_start_with_session_name(expression.tree()),
                may,
                "{groups}"
            );
        }
    }

    #[test]
    fn literal_results_are_collected_without_parts_of_sums() {
        for (groups, mut expected) in [
            ("['a', 'b']", vec!["a", "b"]),
            (
                "['a'] + (identity.type == 'x' ? ['b'] : ['c'] + ['d'])",
                vec!["a", "b", "c", "d"],
            ),
            (
                "['a' + identity.roleName, identity.type == 'b' ? 'c' : 'd']",
                vec!["c", "d"],
            ),
            ("['a' + (identity.type == 'b' ? 'c' : 'd')]", vec![]),
            (
                "identity.roleName == 'a' ? [identity.userName] : []",
                vec![],
            ),
        ] {
            let expression = Expression::compile(groups, ExpressionKind::Groups).unwrap();
            let mut texts = literal_results(expression.tree());
            texts.sort_unstable();
            expected.sort_unstable();
            assert_eq!(texts, expected, "{groups}");
        }
    }

    #[test]
    fn referenced_fields_include_nested_ones() {
        let source = "user.groups.all(g, g != identity.type) || size(user.username) > 3 || has(user.uid) || \
                      identity.roleName in [identity.arn.lowerAscii()]";
        let expression = Expression::compile(source, ExpressionKind::Validation).unwrap();
        let expected = [
            ("identity", "arn"),
            ("identity", "roleName"),
            ("identity", "type"),
            ("user", "groups"),
            ("user", "uid"),
            ("user", "username"),
        ];
        assert_eq!(
            referenced_fields(expression.tree()),
            BTreeSet::from(expected)
        );
    }
}
