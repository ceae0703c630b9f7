//! Findings about mappings whose logins are always refused by a validation.
//!
//! Each validation is evaluated for a sample login through each mapping. The result counts only if it is the same for
//! every login through that mapping: if all fields that the validation reads are known, or if the unknown fields cannot
//! change the outcome.

use std::collections::BTreeSet;

use ack_ram_core::arn::{Arn, Resource};
use ack_ram_core::cel::syntax::{Expr, IdedExpr, operators as op};
use ack_ram_core::cel::{Expression, ExpressionKind};
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::subject::{Subject, SubjectId};
use ack_ram_core::rules::template::TemplateVariable;
use ack_ram_core::rules::{ResolvedNames, Validation};

use crate::lint::expressions::compile_expression;
use crate::lint::{AccountEntry, CompiledBackend, CompiledMapping, names, tree};
use crate::placeholder;
use ack_ram_config::{Diagnostic, DiagnosticCode, Severity};

/// The account of the sample identity if the mapping does not name an account.
const SAMPLE_ACCOUNT: &str = "1";

pub(super) fn check(
    validations: &[Validation],
    backends: &[CompiledBackend<'_>],
    findings: &mut Vec<Diagnostic>,
) {
    for backend in backends {
        let rules = backend
            .rules
            .iter()
            .map(|compiled| (&compiled.entry.location, SampleLogin::for_rule(compiled)));
        let accounts = &backend.entries.accounts;
        let accounts = accounts
            .iter()
            .map(|account| (&account.location, SampleLogin::for_account(account)));
        for (location, login) in rules.chain(accounts) {
            let Some(login) = login else { continue };
            let refusing = validations
                .iter()
                .find(|validation| login.is_refused_by(validation));
            findings.extend(refusing.map(|validation| {
                Diagnostic::from_parts(
                    DiagnosticCode::AlwaysRefused,
                    Severity::Warning,
                    location,
                    format!(
                        "every login through this mapping is refused: {}",
                        validation.message()
                    ),
                    "change the names in the mapping, or the expression in `server.userValidationRules`",
                )
            }));
        }
    }
}

/// A sample login through one mapping, and the fields that are the same in all logins through that mapping.
struct SampleLogin {
    identity: Identity,
    names: ResolvedNames,
    known: BTreeSet<(&'static str, &'static str)>,
    /// The common prefix of all usernames.
    username_start: String,
}

impl SampleLogin {
    /// Builds the sample for a rule; `None` if the sample identity gets no names.
    fn for_rule(compiled: &CompiledMapping<'_>) -> Option<Self> {
        let CompiledMapping { entry, rule } = compiled;
        let mapping = &entry.mapping;
        let identity = sample_identity(compiled)?;
        let names = rule.resolve_names(&identity).ok()?;
        let mut known: BTreeSet<_> = fixed_fields(rule.subject())
            .iter()
            .map(|field| ("identity", *field))
            .collect();
        let is_known = |names: &[String], expression: Option<&Expression>| {
            names.iter().all(|name| is_template_known(name, &known))
                && expression.is_none_or(|expression| reads_only(expression.tree(), &known))
        };
        let by_expression = compile_expression(
            mapping.spec.username_expression.as_deref(),
            ExpressionKind::Username,
        );
        let username_start = match &by_expression {
            Some(expression) => tree::literal_prefix(expression.tree()),
            None => mapping.spec.username.split("{{").next().unwrap_or_default(),
        };
        let template = match by_expression {
            Some(_) => &[],
            None => std::slice::from_ref(&mapping.spec.username),
        };
        let is_username_known = is_known(template, by_expression.as_ref());
        let further = compile_expression(
            mapping.spec.groups_expression.as_deref(),
            ExpressionKind::Groups,
        );
        let are_groups_known = is_known(&mapping.spec.groups, further.as_ref());
        known.extend(is_username_known.then_some(("user", "username")));
        known.extend(are_groups_known.then_some(("user", "groups")));
        Some(Self {
            username_start: username_start.to_owned(),
            names,
            identity,
            known,
        })
    }

    /// Builds the sample for an account: an identity with its canonical ARN as the username, without groups.
    fn for_account(account: &AccountEntry) -> Option<Self> {
        let account = &account.account;
        let identity = placeholder::identity_for_arn(sample_role(account.as_str())?)?;
        let username = identity.arn.canonical().to_string();
        Some(Self {
            names: (username, Vec::new()),
            identity,
            known: BTreeSet::from([("identity", "accountId"), ("user", "groups")]),
            username_start: format!("acs:ram::{account}:"),
        })
    }

    /// Returns whether `validation` refuses every login. A validation whose evaluation fails also refuses.
    fn is_refused_by(&self, validation: &Validation) -> bool {
        let tree = validation.expression().tree();
        match self.outcome(validation, tree) {
            Some(passes) => !passes,
            None => reads_only(tree, &self.known),
        }
    }

    /// Returns the result of `tree`, a part of `validation`, if it is the same in every login.
    fn outcome(&self, validation: &Validation, tree: &IdedExpr) -> Option<bool> {
        if reads_only(tree, &self.known) {
            let outcome = validation.preview_operand(tree.id, &self.identity, &self.names)?;
            return outcome.ok();
        }
        let Expr::Call(call) = &tree.expr else {
            return None;
        };
        let operand_outcome = |operand| self.outcome(validation, operand);
        match (&*call.func_name, &*call.args) {
            (op::LOGICAL_NOT, [operand]) => operand_outcome(operand).map(|outcome| !outcome),
            (op::LOGICAL_AND, [left, right]) => {
                combine_outcomes(operand_outcome(left), operand_outcome(right), false)
            }
            (op::LOGICAL_OR, [left, right]) => {
                combine_outcomes(operand_outcome(left), operand_outcome(right), true)
            }
            (op::CONDITIONAL, [condition, yes, no]) => match operand_outcome(condition) {
                Some(true) => operand_outcome(yes),
                Some(false) => operand_outcome(no),
                None => None,
            },
            ("startsWith", [prefix]) => {
                let receiver = call.target.as_deref().and_then(tree::field_path);
                let is_username = receiver == Some(("user", "username"));
                self.username_starts_with(tree::string_literal(prefix).filter(|_| is_username)?)
            }
            _ => None,
        }
    }

    /// Returns `Some(true)` if every username starts with `prefix`, `Some(false)` if no username does, else `None`.
    fn username_starts_with(&self, prefix: &str) -> Option<bool> {
        if self.username_start.starts_with(prefix) {
            Some(true)
        } else if prefix.starts_with(&self.username_start) {
            None
        } else {
            Some(false)
        }
    }
}

/// Returns the result of `&&` or `||`. An operand with the value `decisive` determines the result alone.
fn combine_outcomes(left: Option<bool>, right: Option<bool>, decisive: bool) -> Option<bool> {
    match (left, right) {
        (Some(one), _) | (_, Some(one)) if one == decisive => Some(decisive),
        (Some(_), Some(_)) => Some(!decisive),
        _ => None,
    }
}

/// Returns an identity that the subject of the mapping matches. The identity need not meet the mapping's condition.
fn sample_identity(compiled: &CompiledMapping<'_>) -> Option<Identity> {
    let rule = &compiled.rule;
    let arn = match rule.subject() {
        Subject::Arn(arn) => arn.clone(),
        Subject::Pattern(pattern) if names::may_have_session(rule) => {
            sample_role(pattern.account().as_str())?
        }
        Subject::Pattern(pattern) => sample_user(pattern.account().as_str())?,
        Subject::Id(SubjectId::User(_)) => sample_user(SAMPLE_ACCOUNT)?,
        Subject::Id(SubjectId::Role(_)) | Subject::Anyone => sample_role(SAMPLE_ACCOUNT)?,
    };
    placeholder::identity_for_arn(arn)
}

fn sample_role(account: &str) -> Option<Arn> {
    Arn::parse(&format!("acs:ram::{account}:role/some")).ok()
}

fn sample_user(account: &str) -> Option<Arn> {
    Arn::parse(&format!("acs:ram::{account}:user/some")).ok()
}

/// Returns the fields of `identity` that are the same for every identity that `subject` matches, and for
/// [`sample_identity`].
fn fixed_fields(subject: &Subject) -> &'static [&'static str] {
    match subject {
        Subject::Arn(arn) => match arn.resource() {
            Resource::Root | Resource::User(_) => &[
                "accountId",
                "arn",
                "canonicalArn",
                "roleId",
                "roleName",
                "sessionName",
                "type",
                "userName",
            ],
            Resource::Role(_) | Resource::AssumedRole { .. } => &[
                "accountId",
                "canonicalArn",
                "roleName",
                "type",
                "userId",
                "userName",
            ],
        },
        Subject::Id(SubjectId::User(_)) => &["roleId", "roleName", "sessionName", "type"],
        Subject::Id(SubjectId::Role(_)) => &["type", "userId", "userName"],
        Subject::Pattern(_) => &["accountId"],
        Subject::Anyone => &[],
    }
}

/// Returns whether `template` uses only `known` fields, so that it always gives the same name.
fn is_template_known(template: &str, known: &BTreeSet<(&str, &str)>) -> bool {
    TemplateVariable::ALL
        .into_iter()
        .filter(|(name, _)| template.contains(&names::template_variable(name)))
        .all(|(_, variable)| {
            let field = match variable {
                TemplateVariable::AccountId => "accountId",
                TemplateVariable::RoleName => "roleName",
                TemplateVariable::UserName => "userName",
                TemplateVariable::SessionName | TemplateVariable::SessionNameRaw => "sessionName",
                TemplateVariable::AccessKeyId | TemplateVariable::UserId => return false,
            };
            known.contains(&("identity", field))
        })
}

fn reads_only(tree: &IdedExpr, known: &BTreeSet<(&str, &str)>) -> bool {
    tree::referenced_fields(tree)
        .iter()
        .all(|field| known.contains(field))
}
