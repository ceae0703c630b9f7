//! Findings about whom a mapping is about.

use crate::lint::finding::{Code, Finding, Report, Severity};
use crate::lint::paths::{self, WithPath};
use crate::lint::{Account, Compiled, Entry, InGo, go_pattern};
use crate::rules::pattern::Pattern;
use crate::rules::subject::Subject;
use crate::rules::{Globs, RuleError};

/// A mapping that cannot be applied.
pub(super) fn refused(entry: &Entry, error: &RuleError) -> Finding {
    let (code, advice) = match error {
        RuleError::Nobody | RuleError::TwoSubjects(..) => (
            Code::InvalidSubject,
            "give it one of an ARN, a pattern, a user id, a role id or a condition",
        ),
        RuleError::Arn(_) => (
            Code::InvalidArn,
            "write `acs:ram::<account>:user/<name>` or `acs:ram::<account>:role/<name>`",
        ),
        RuleError::AssumedRole { .. } => (Code::InvalidArn, "write the role's ARN"),
        RuleError::Pattern(_) => (
            Code::InvalidPattern,
            "write a whole ARN with `*` for a part of one segment, such as `acs:ram::<account>:role/dev-*`",
        ),
        RuleError::Id(_) => (
            Code::InvalidId,
            "copy the id from the RAM console, or from `verify`",
        ),
        RuleError::Expression { .. } => (Code::InvalidExpression, "correct the CEL expression"),
        RuleError::Username(_) | RuleError::Group { .. } => (
            Code::InvalidName,
            "correct the name; `explain` shows what it becomes",
        ),
        RuleError::MayAdd { .. } | RuleError::MayAddWithoutExpression => (
            Code::InvalidName,
            "list the exact names starting `system:` that `groupsExpression` may give, and nothing else",
        ),
    };
    let mut message = format!("the mapping is left out: {error}");
    if let (RuleError::Pattern(_), InGo::Regex) = (error, entry.in_go)
        && let Some(sample) = go_pattern::matched_sample(&entry.mapping.arn)
    {
        message.push_str(&format!("; Go let it match `{sample}`, among others"));
    }
    Finding::new(code, Severity::Error, &entry.position, message, advice)
}

/// What is odd about whom a usable mapping is about.
pub(super) fn check(compiled: &Compiled<'_>, report: &mut Report<'_>) {
    let Compiled { entry, rule } = compiled;
    let arn = &entry.mapping.arn;
    if let Some(role) = entry.mapping.role_of_session() {
        report.add(
            Code::SessionArn,
            Severity::Error,
            format!(
                "`{arn}` names one session, and maps every session of `{role}`; a server refuses it in an object that is new or edited"
            ),
            format!("write `{role}`, and a name that every session may have"),
        );
    }
    let with_path = match rule.subject() {
        Subject::Arn(arn) => paths::of_arn(arn),
        Subject::Pattern(pattern) => paths::of_pattern(pattern),
        Subject::Id(_) | Subject::Anyone => None,
    };
    if let Some(WithPath { message, advice }) = with_path {
        let message = format!("`{}` {message}", rule.subject());
        report.add(Code::ArnWithPath, Severity::Warning, message, advice);
    }
    match (rule.subject(), entry.in_go) {
        (Subject::Arn(_), _)
            if entry.mapping.globs == Globs::Literal && Pattern::has_wildcard(arn) =>
        {
            report.add(
                Code::WildcardInFile,
                Severity::Warning,
                format!(
                    "`{arn}` matches nobody: wildcards are not read here, and no name in RAM has one"
                ),
                "set `server.globs: true` to have it read as a pattern, or write the exact ARN",
            );
        }
        (Subject::Pattern(pattern), InGo::Literal) if !arn.is_empty() => report.add(
            Code::PatternGrantsAnew,
            Severity::Info,
            format!(
                "`{pattern}` is a pattern here (`server.globs`); Go compares it exactly, so there it matches nobody"
            ),
            "check that everyone whom it matches is to be let in",
        ),
        (Subject::Pattern(pattern), InGo::Regex) if !arn.is_empty() => {
            if let Some(difference) = go_pattern::difference(pattern) {
                report.add(
                    Code::PatternDiffersFromGo,
                    Severity::Warning,
                    format!("`{pattern}` means something else than in Go: {difference}"),
                    "write a mapping for each identity that is still to be let in",
                );
            }
        }
        _ => {}
    }
}

/// An entry of `mapAccounts`.
pub(super) fn whole_account(account: &Account) -> Finding {
    Finding::new(
        Code::WholeAccount,
        Severity::Info,
        &account.position,
        format!(
            "every user and every role of account {} may log in, under its own ARN and without groups",
            account.account
        ),
        "map single users and roles, if that is not meant",
    )
}
