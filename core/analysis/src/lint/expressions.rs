//! Findings about the CEL expressions of mappings: conditions and names.

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
            "the condition does not require an account, so matching identities of any Alibaba Cloud account get access",
            "require your account, for example `identity.accountId == \"<account>\" && (...)`",
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

/// Reports literal `system:` names that an expression may produce and that the mapping does not list.
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
        let mut names = tree::literal_results(expression.tree());
        // Names that are built by concatenation start with this literal.
        let start = tree::literal_prefix(expression.tree());
        if !allowed.iter().any(|allowed| allowed.starts_with(start)) {
            names.push(start);
        }
        names.sort_unstable();
        names.dedup();
        let is_allowed = |name: &&str| allowed.iter().any(|allowed| allowed == name);
        for name in names
            .into_iter()
            .filter(|name| is_reserved(name) && !is_allowed(name))
        {
            report.add(
                DiagnosticCode::UnlistedSystemName,
                Severity::Warning,
                format!("`{field}` may give `{name}`, which `{list}` does not list: such logins are refused"),
                format!("if this is intended, write the exact name in `{list}`"),
            );
        }
    }
}

/// Compiles an expression of a rule that has already compiled; `None` if the rule has no such expression.
pub(super) fn compile_expression(source: Option<&str>, kind: ExpressionKind) -> Option<Expression> {
    Expression::compile(source?, kind).ok()
}
