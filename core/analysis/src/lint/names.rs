//! Findings about the usernames and groups that mappings give.

use ack_ram_core::arn::Resource;
use ack_ram_core::rules::subject::{Subject, SubjectId};
use ack_ram_core::rules::template::{RenderError, TemplateVariable, is_reserved};
use ack_ram_core::rules::{NameError, NameProblem, ReservedPrefixes, Rule};

use crate::lint::CompiledMapping;
use crate::lint::sink::DiagnosticSink;
use crate::placeholder;
use ack_ram_config::{DiagnosticCode, Severity};

/// The group that has full access regardless of RBAC.
const MASTERS: &str = "system:masters";

pub(super) fn check(
    compiled: &CompiledMapping<'_>,
    reserved: &ReservedPrefixes,
    report: &mut DiagnosticSink<'_>,
) {
    let CompiledMapping { entry, rule } = compiled;
    let mapping = &entry.mapping;
    let username = mapping.spec.username_expression.is_none().then(|| {
        (
            "username".to_owned(),
            &mapping.spec.username,
            &reserved.usernames,
        )
    });
    let groups = mapping
        .spec
        .groups
        .iter()
        .enumerate()
        .map(|(index, group)| (format!("groups[{index}]"), group, &reserved.groups));
    for (field, template, prefixes) in username.into_iter().chain(groups) {
        if may_have_session(rule) {
            if let Some(variable) = leading_caller_variable(template) {
                report_caller_chosen_start(&field, &variable, report);
            }
            if template.contains(&template_variable("SessionName")) {
                report.add(
                    DiagnosticCode::SessionNameCollision,
                    Severity::Info,
                    format!(
                        "`{field}` has `{{{{SessionName}}}}`, which replaces `@` with `-`: the sessions `a@b` and `a-b` get the same name"
                    ),
                    "write `{{SessionNameRaw}}` if their names must differ",
                );
            }
        }
        if let Some(variable) = open_name_variable(rule, template) {
            report.add(
                DiagnosticCode::OpenSystemName,
                Severity::Warning,
                format!(
                    "`{field}` is `{template}`: anyone who may create a role or user in RAM chooses the value of `{variable}`, and could produce a name such as `{MASTERS}`"
                ),
                "map single identities to such names, or put another prefix before the variable",
            );
        }
        if let Some(prefix) = prefixes
            .iter()
            .find(|prefix| template.starts_with(&***prefix))
        {
            report.add(
                DiagnosticCode::ReservedName,
                Severity::Error,
                format!(
                    "`{field}` is `{template}`, but names that start with `{prefix}` are reserved, and the backend of this mapping cannot use them: every login through this mapping is refused"
                ),
                "give another name, or change `server.reservedPrefixConfig`",
            );
        }
    }
    if mapping.spec.groups_expression.is_some() {
        unconditional_system_groups(&mapping.spec.groups, report);
    }
    let username = &mapping.spec.username;
    let is_exact_reserved = is_reserved(username) && !username.contains("{{");
    if mapping.spec.username_expression.is_some() && !username.is_empty() && !is_exact_reserved {
        report.add(
            DiagnosticCode::UnusedUsername,
            Severity::Warning,
            format!("the username `{username}` is never used: `usernameExpression` gives the name"),
            "remove the username; together with `usernameExpression`, set `username` only to the exact `system:` name that the expression may give",
        );
    }
    if let Some(field) = empty_name_field(rule) {
        report.add(
            DiagnosticCode::EmptyName,
            Severity::Error,
            format!(
                "`{field}` is empty for `{}`: every login through this mapping is refused",
                rule.subject()
            ),
            "use a variable that this kind of identity has, or a literal name",
        );
    }
    let is_masters = |name: &String| name == MASTERS;
    let gets = if mapping.spec.groups.iter().any(is_masters) {
        Some("gets")
    } else if mapping
        .spec
        .groups_expression_may_add
        .iter()
        .any(is_masters)
    {
        Some("may get")
    } else {
        None
    };
    if let Some(gets) = gets {
        let (severity, subject) = match rule.subject() {
            Subject::Arn(arn) => (Severity::Info, format!("`{arn}`")),
            Subject::Id(_) => (Severity::Info, rule.subject().to_string()),
            Subject::Pattern(pattern) => (
                Severity::Warning,
                format!("every identity that matches `{pattern}`"),
            ),
            Subject::Anyone => (Severity::Warning, rule.subject().to_string()),
        };
        report.add(
            DiagnosticCode::SystemMasters,
            severity,
            format!("{subject} {gets} `{MASTERS}`, which no RBAC rule can limit"),
            "if less access is enough, bind a role to a group of your own instead",
        );
    }
    if mapping.spec.username_expression.is_none() && is_reserved(&mapping.spec.username) {
        report.add(
            DiagnosticCode::SystemName,
            Severity::Info,
            format!(
                "the username `{}` is reserved for Kubernetes components",
                mapping.spec.username
            ),
            "check that this mapping is for a component, not for a person",
        );
    }
    if mapping.spec.groups.is_empty() && mapping.spec.groups_expression.is_none() {
        report.add(
            DiagnosticCode::NoGroups,
            Severity::Info,
            "the mapping gives no groups: the user has only the permissions that are bound to the username",
            "add groups, unless this is intended",
        );
    }
}

/// Reports `system:` names in `groups` beside a `groupsExpression`. An earlier version treated such names as the names
/// that the expression may give.
fn unconditional_system_groups(groups: &[String], report: &mut DiagnosticSink<'_>) {
    let groups = groups.iter().enumerate();
    for (index, group) in groups.filter(|(_, group)| is_reserved(group)) {
        report.add(
            DiagnosticCode::UnconditionalSystemGroup,
            Severity::Error,
            format!(
                "`groups[{index}]` gives `{group}` to every identity that the mapping matches, regardless of `groupsExpression`"
            ),
            "if the expression decides which identities get the group, move it to `groupsExpressionMayAdd`; if every identity gets it, use a mapping without `groupsExpression`",
        );
    }
}

/// Reports that a name in `field` starts with `variable`, which the caller chooses.
pub(super) fn report_caller_chosen_start(
    field: &str,
    variable: &str,
    report: &mut DiagnosticSink<'_>,
) {
    report.add(
        DiagnosticCode::UnprefixedSessionName,
        Severity::Warning,
        format!(
            "`{field}` starts with `{variable}`, which the caller who assumes the role chooses: the caller can get any name without a colon"
        ),
        "add a prefix, such as `dev:`",
    );
}

/// Returns the variable for the name of a role or user in `template`, if `template` is a `system:` name and `rule`
/// matches more than one identity.
fn open_name_variable(rule: &Rule, template: &str) -> Option<String> {
    let is_open = match rule.subject() {
        Subject::Pattern(_) | Subject::Anyone => is_reserved(template),
        Subject::Arn(_) | Subject::Id(_) => false,
    };
    TemplateVariable::ALL
        .into_iter()
        .filter(|(_, variable)| {
            matches!(
                variable,
                TemplateVariable::RoleName | TemplateVariable::UserName
            )
        })
        .map(|(name, _)| template_variable(name))
        .find(|template_variable| is_open && template.contains(template_variable))
}

/// Returns whether an identity that `rule` matches may have a session name.
pub(super) fn may_have_session(rule: &Rule) -> bool {
    match rule.subject() {
        Subject::Id(SubjectId::Role(_)) | Subject::Anyone => true,
        Subject::Id(SubjectId::User(_)) => false,
        Subject::Arn(arn) => matches!(arn.resource(), Resource::Role(_)),
        Subject::Pattern(pattern) => {
            let user = format!("acs:ram::{}:user/", pattern.account());
            !pattern.prefix().starts_with(&user)
        }
    }
}

/// Returns the variable at the start of `template`, if the caller can choose its value.
fn leading_caller_variable(template: &str) -> Option<String> {
    TemplateVariable::ALL
        .into_iter()
        .filter(|(_, variable)| variable.is_caller_controlled())
        .map(|(name, _)| template_variable(name))
        .find(|template_variable| template.starts_with(template_variable))
}

pub(super) fn template_variable(name: &str) -> String {
    format!("{{{{{name}}}}}")
}

/// Returns the field whose name is empty for the identity in `rule`; `None` if there is none, or if `rule` does not
/// have an ARN as its subject.
fn empty_name_field(rule: &Rule) -> Option<String> {
    let Subject::Arn(arn) = rule.subject() else {
        return None;
    };
    match rule.resolve_names(&placeholder::identity_for_arn(arn.clone())?) {
        Err(NameError {
            field,
            problem: NameProblem::Render(RenderError::Empty),
        }) => Some(field),
        _ => None,
    }
}
