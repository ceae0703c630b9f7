//! Findings about the conditions and names that mappings have in CEL.

use crate::cel::{Expression, Kind};
use crate::lint::finding::{Code, Report, Severity};
use crate::lint::{Compiled, names, tree};
use crate::rules::Mapping;
use crate::rules::subject::Subject;
use crate::rules::template::is_reserved;

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
    unlisted_system_names(mapping, report);
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

/// Names of Kubernetes' own that expressions give as they are written, and that nothing in the mapping allows.
fn unlisted_system_names(mapping: &Mapping, report: &mut Report<'_>) {
    let username = std::slice::from_ref(&mapping.username);
    let groups = [&*mapping.groups, &*mapping.groups_expression_may_add].concat();
    for (field, source, kind, allowed, list) in [
        (
            "usernameExpression",
            &mapping.username_expression,
            Kind::Username,
            username,
            "username",
        ),
        (
            "groupsExpression",
            &mapping.groups_expression,
            Kind::Groups,
            &groups,
            "groupsExpressionMayAdd",
        ),
    ] {
        let Some(expression) = parsed(source.as_deref(), kind) else {
            continue;
        };
        let mut given = tree::given_texts(expression.tree());
        // A sum gives names that start so.
        let start = tree::literal_start(expression.tree());
        if !allowed.iter().any(|allowed| allowed.starts_with(start)) {
            given.push(start);
        }
        given.sort_unstable();
        given.dedup();
        let is_allowed = |name: &&str| allowed.iter().any(|allowed| allowed == name);
        for name in given
            .into_iter()
            .filter(|name| is_reserved(name) && !is_allowed(name))
        {
            report.add(
                Code::UnlistedSystemName,
                Severity::Warning,
                format!("`{field}` may give `{name}`, which `{list}` does not have: a login to which it does is refused"),
                format!("write the name in `{list}`, if that is meant"),
            );
        }
    }
}

/// An expression of a rule, which has compiled once.
pub(super) fn parsed(source: Option<&str>, kind: Kind) -> Option<Expression> {
    Expression::compile(source?, kind).ok()
}
