//! Findings about the conditions and names that mappings have in CEL.

use crate::cel::{Expression, Kind};
use crate::lint::finding::{Code, Report, Severity};
use crate::lint::{Compiled, names, tree};
use crate::rules::subject::Subject;

pub(super) fn check(compiled: &Compiled<'_>, report: &mut Report<'_>) {
    let Compiled { entry, rule } = compiled;
    let mapping = &entry.mapping;
    if *rule.subject() == Subject::Anyone
        && let Some(condition) = parsed(mapping.condition.as_deref(), Kind::Condition)
        && !tree::names_accounts(condition.tree())
    {
        report.add(
            Code::AnyAccount,
            Severity::Warning,
            "its condition asks for no account: whoever meets the rest in an account of their own is let in, too",
            "require yours, such as `identity.accountId == \"<account>\" && (...)`",
        );
    }
    if !names::has_sessions(rule) {
        return;
    }
    for (field, source, kind) in [
        (
            "usernameExpression",
            &mapping.username_expression,
            Kind::Username,
        ),
        ("groupsExpression", &mapping.groups_expression, Kind::Groups),
    ] {
        let expression = parsed(source.as_deref(), kind);
        if expression.is_some_and(|expression| tree::may_start_with_choice(expression.tree())) {
            names::starts_with_choice(field, "identity.sessionName", report);
        }
    }
}

/// An expression of a rule, which has compiled once.
pub(super) fn parsed(source: Option<&str>, kind: Kind) -> Option<Expression> {
    Expression::compile(source?, kind).ok()
}
