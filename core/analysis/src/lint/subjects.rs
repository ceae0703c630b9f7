//! Findings about the subjects of mappings.

use ack_ram_config::path_advice::{self, PathAdvice};
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{RuleError, WildcardMode};

use crate::lint::sink::DiagnosticSink;
use crate::lint::{AccountEntry, CompiledMapping, GoSemantics, MappingEntry, go_pattern};
use ack_ram_config::{Diagnostic, DiagnosticCode, Severity};

/// Builds the finding about a mapping that does not compile.
pub(super) fn invalid_mapping(entry: &MappingEntry, error: &RuleError) -> Diagnostic {
    let (code, advice) = match error {
        RuleError::NoSubject | RuleError::TwoSubjects(..) => (
            DiagnosticCode::InvalidSubject,
            "give it one of an ARN, a pattern, a user id, a role id or a condition",
        ),
        RuleError::Arn(_) => (
            DiagnosticCode::InvalidArn,
            "write `acs:ram::<account>:user/<name>` or `acs:ram::<account>:role/<name>`",
        ),
        RuleError::AssumedRole { .. } => (DiagnosticCode::InvalidArn, "write the role's ARN"),
        RuleError::Pattern(_) => (
            DiagnosticCode::InvalidPattern,
            "write a whole ARN with `*` for a part of one segment, such as `acs:ram::<account>:role/dev-*`",
        ),
        RuleError::Id(_) => (
            DiagnosticCode::InvalidId,
            "copy the id from the RAM console, or from `verify`",
        ),
        RuleError::Expression { .. } => (
            DiagnosticCode::InvalidExpression,
            "correct the CEL expression",
        ),
        RuleError::Username(_) | RuleError::Group { .. } => (
            DiagnosticCode::InvalidName,
            "correct the name; `explain` shows what it becomes",
        ),
        RuleError::MayAdd { .. } | RuleError::MayAddWithoutExpression => (
            DiagnosticCode::InvalidName,
            "list the exact names starting `system:` that `groupsExpression` may give, and nothing else",
        ),
    };
    let mut message = format!("the mapping is left out: {error}");
    if let (RuleError::Pattern(_), GoSemantics::Regex) = (error, entry.go_semantics)
        && let Some(example) = go_pattern::find_matched_arn(&entry.mapping.spec.arn)
    {
        message.push_str(&format!("; Go let it match `{example}`, among others"));
    }
    Diagnostic::from_parts(code, Severity::Error, &entry.location, message, advice)
}

/// Checks the subject of a mapping that compiles.
pub(super) fn check(compiled: &CompiledMapping<'_>, report: &mut DiagnosticSink<'_>) {
    let CompiledMapping { entry, rule } = compiled;
    let arn = &entry.mapping.spec.arn;
    if let Some(role) = entry.mapping.role_of_session() {
        report.add(
            DiagnosticCode::SessionArn,
            Severity::Error,
            format!(
                "`{arn}` names one session, and maps every session of `{role}`; a server refuses it in an object that is new or edited"
            ),
            format!("write `{role}`, and a name that every session may have"),
        );
    }
    let with_path = match rule.subject() {
        Subject::Arn(arn) => path_advice::check_arn(arn),
        Subject::Pattern(pattern) => path_advice::check_pattern(pattern),
        Subject::Id(_) | Subject::Anyone => None,
    };
    if let Some(PathAdvice { message, advice }) = with_path {
        let message = format!("`{}` {message}", rule.subject());
        report.add(
            DiagnosticCode::ArnWithPath,
            Severity::Warning,
            message,
            advice,
        );
    }
    match (rule.subject(), entry.go_semantics) {
        (Subject::Arn(_), _)
            if entry.mapping.wildcards == WildcardMode::Disabled && Pattern::has_wildcard(arn) =>
        {
            report.add(
                DiagnosticCode::WildcardInFile,
                Severity::Warning,
                format!(
                    "`{arn}` matches nobody: wildcards are not read here, and no name in RAM has one"
                ),
                "set `server.globs: true` to have it read as a pattern, or write the exact ARN",
            );
        }
        (Subject::Pattern(pattern), GoSemantics::Literal) if !arn.is_empty() => report.add(
            DiagnosticCode::PatternGrantsAnew,
            Severity::Info,
            format!(
                "`{pattern}` is a pattern here (`server.globs`); Go compares it exactly, so there it matches nobody"
            ),
            "check that everyone whom it matches is to be let in",
        ),
        (Subject::Pattern(pattern), GoSemantics::Regex) if !arn.is_empty() => {
            if let Some(difference) = go_pattern::describe_difference(pattern) {
                report.add(
                    DiagnosticCode::PatternDiffersFromGo,
                    Severity::Warning,
                    format!("`{pattern}` means something else than in Go: {difference}"),
                    "write a mapping for each identity that is still to be let in",
                );
            }
        }
        _ => {}
    }
}

/// Builds the finding about an entry of `mapAccounts`.
pub(super) fn mapped_account(account: &AccountEntry) -> Diagnostic {
    Diagnostic::from_parts(
        DiagnosticCode::WholeAccount,
        Severity::Info,
        &account.location,
        format!(
            "every user and every role of account {} may log in, under its own ARN and without groups",
            account.account
        ),
        "map single users and roles, if that is not meant",
    )
}
