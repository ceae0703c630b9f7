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
        RuleError::NoSubject => (
            DiagnosticCode::InvalidSubject,
            "for example, set the ARN to `acs:ram::<account>:role/<role>`",
        ),
        RuleError::TwoSubjects(..) => (
            DiagnosticCode::InvalidSubject,
            "write a mapping for each, or remove one of them",
        ),
        RuleError::Arn(_) => (
            DiagnosticCode::InvalidArn,
            "write `acs:ram::<account>:user/<name>` or `acs:ram::<account>:role/<name>`",
        ),
        RuleError::AssumedRole { .. } => (
            DiagnosticCode::InvalidArn,
            "the mapping then applies to every session of the role",
        ),
        RuleError::Pattern(_) => (
            DiagnosticCode::InvalidPattern,
            "write a complete ARN with `*` in place of a part of one segment, such as `acs:ram::<account>:role/dev-*`",
        ),
        RuleError::Id(_) => (
            DiagnosticCode::InvalidId,
            "copy the ID from the RAM console or from the output of `verify`",
        ),
        RuleError::Expression { .. } => (
            DiagnosticCode::InvalidExpression,
            "correct the CEL expression",
        ),
        RuleError::Username(_) | RuleError::Group { .. } => (
            DiagnosticCode::InvalidName,
            "correct the name; run `explain` to see the result",
        ),
        RuleError::MayAdd { .. } | RuleError::MayAddWithoutExpression => (
            DiagnosticCode::InvalidName,
            "list only the exact `system:` names that `groupsExpression` may give",
        ),
    };
    let mut message = format!("the mapping is left out: {error}");
    if let (RuleError::Pattern(_), GoSemantics::Regex) = (error, entry.go_semantics)
        && let Some(example) = go_pattern::find_matched_arn(&entry.mapping.spec.arn)
    {
        message.push_str(&format!("; in Go it matches `{example}`, among others"));
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
                "`{arn}` names a single session but maps every session of `{role}`; a server refuses it in a new or edited object"
            ),
            format!("write `{role}`, with a username that is suitable for every session"),
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
                    "`{arn}` matches no identity: wildcards are literal characters here, and no name in RAM has one"
                ),
                "to use the ARN as a pattern, set `server.globs: true`; otherwise write the exact ARN",
            );
        }
        (Subject::Pattern(pattern), GoSemantics::Literal) if !arn.is_empty() => report.add(
            DiagnosticCode::PatternGrantsAnew,
            Severity::Info,
            format!(
                "`{pattern}` is a pattern here (`server.globs`); Go compares it literally, so in Go it matches no identity"
            ),
            "check that every identity that it matches should have access",
        ),
        (Subject::Pattern(pattern), GoSemantics::Regex) if !arn.is_empty() => {
            if let Some(difference) = go_pattern::describe_difference(pattern) {
                report.add(
                    DiagnosticCode::PatternDiffersFromGo,
                    Severity::Warning,
                    format!("`{pattern}` has a different meaning in Go: {difference}"),
                    "write a mapping for each identity that should keep its access",
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
            "every user and every role of account {} may log in, with its canonical ARN as the username and without groups",
            account.account
        ),
        "if this is not intended, map single users and roles",
    )
}
