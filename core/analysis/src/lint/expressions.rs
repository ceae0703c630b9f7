//! Findings about the conditions and names that mappings have in CEL.

use ack_ram_core::cel::{Expression, ExpressionKind};
use ack_ram_core::rules::Mapping;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::template::is_reserved;

use crate::lint::sink::DiagnosticSink;
use crate::lint::{CompiledMapping, names, tree};
use ack_ram_config::{DiagnosticCode, Severity};

pub(super) fn check(compiled: &CompiledMapping<'_>, report: &mut DiagnosticSink<'_>) {
    let CompiledMapping { entry, rule } = compiled;
    let mapping = &entry.mapping;
    if *rule.subject() == Subject::Anyone
        && let Some(condition) =
            compile_expression(mapping.spec.condition.as_deref(), ExpressionKind::Condition)
        && !tree::requires_account(condition.tree())
    {
        report.add(
            DiagnosticCode::AnyAccount,
            Severity::Warning,
            "its condition asks for no account: whoever meets the rest in an account of their own is let in, too",
            "require yours, such as `identity.accountId == \"<account>\" && (...)`",
        );
    }
    unlisted_system_names(mapping, report);
    if !names::may_have_session(rule) {
        return;
    }
    for (field, source, kind) in [
        (
            "usernameExpression",
            &mapping.spec.username_expression,
            ExpressionKind::Username,
        ),
        (
            "groupsExpression",
            &mapping.spec.groups_expression,
            ExpressionKind::Groups,
        ),
    ] {
        let expression = compile_expression(source.as_deref(), kind);
        if expression.is_some_and(|expression| tree::may_start_with_session_name(expression.tree()))
        {
            names::report_caller_chosen_start(field, "identity.sessionName", report);
        }
    }
}

/// Names of Kubernetes' own that expressions give as they are written, and that nothing in the mapping allows.
fn unlisted_system_names(mapping: &Mapping, report: &mut DiagnosticSink<'_>) {
    let username = std::slice::from_ref(&mapping.spec.username);
    let groups = [
        &*mapping.spec.groups,
        &*mapping.spec.groups_expression_may_add,
    ]
    .concat();
    for (field, source, kind, allowed, list) in [
        (
            "usernameExpression",
            &mapping.spec.username_expression,
            ExpressionKind::Username,
            username,
            "username",
        ),
        (
            "groupsExpression",
            &mapping.spec.groups_expression,
            ExpressionKind::Groups,
            &groups,
            "groupsExpressionMayAdd",
        ),
    ] {
        let Some(expression) = compile_expression(source.as_deref(), kind) else {
            continue;
        };
        let mut given = tree::literal_results(expression.tree());
        // A sum gives names that start so.
        let start = tree::literal_prefix(expression.tree());
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
                DiagnosticCode::UnlistedSystemName,
                Severity::Warning,
                format!("`{field}` may give `{name}`, which `{list}` does not have: a login to which it does is refused"),
                format!("write the name in `{list}`, if that is meant"),
            );
        }
    }
}

/// An expression of a rule, which has compiled once.
pub(super) fn compile_expression(source: Option<&str>, kind: ExpressionKind) -> Option<Expression> {
    Expression::compile(source?, kind).ok()
}
