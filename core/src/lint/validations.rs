//! Findings about mappings that a validation leaves nothing of.
//!
//! A validation is asked about a made-up login by each mapping. What it says counts where it is the same for every
//! login by that mapping: where all that it reads is known, or the rest cannot change the outcome.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{Expr, operators as op};

use crate::arn::{Arn, Resource};
use crate::cel::{Expression, Kind};
use crate::decision::KubernetesUser;
use crate::identity::Identity;
use crate::lint::expressions::parsed;
use crate::lint::finding::{Code, Finding, Severity};
use crate::lint::{Account, Compiled, Usable, names, tree};
use crate::rules::Validation;
use crate::rules::subject::{Subject, SubjectId};
use crate::rules::template::Variable;
use crate::sample;

/// An account, where a mapping names none.
const SOME_ACCOUNT: &str = "1";

pub(super) fn check(
    validations: &[Validation],
    backends: &[Usable<'_>],
    findings: &mut Vec<Finding>,
) {
    for backend in backends {
        let rules = backend
            .rules
            .iter()
            .map(|compiled| (&compiled.entry.position, Login::by_rule(compiled)));
        let accounts = &backend.entries.accounts;
        let accounts = accounts
            .iter()
            .map(|account| (&account.position, Login::by_account(account)));
        for (position, login) in rules.chain(accounts) {
            let Some(login) = login else { continue };
            let refusing = validations
                .iter()
                .find(|validation| login.is_refused_by(&validation.expression));
            findings.extend(refusing.map(|validation| {
                Finding::new(
                    Code::AlwaysRefused,
                    Severity::Warning,
                    position,
                    format!("every login by it is refused: {}", validation.message),
                    "change its names, or the expression in `server.userValidationRules`",
                )
            }));
        }
    }
}

/// A login by one mapping, and what is the same in all logins by it.
struct Login {
    identity: Identity,
    user: KubernetesUser,
    known: BTreeSet<(&'static str, &'static str)>,
    /// What every username starts with.
    username_start: String,
}

impl Login {
    /// None where the made-up identity gets no names.
    fn by_rule(compiled: &Compiled<'_>) -> Option<Self> {
        let Compiled { entry, rule } = compiled;
        let mapping = &entry.mapping;
        let identity = some_identity(compiled)?;
        let (username, groups) = rule.names(&identity).ok()?;
        let mut known: BTreeSet<_> = known_fields(rule.subject())
            .iter()
            .map(|field| ("identity", *field))
            .collect();
        let is_known = |names: &[String], expression: Option<&Expression>| {
            names.iter().all(|name| template_is_known(name, &known))
                && expression.is_none_or(|expression| reads_only(expression.tree(), &known))
        };
        let by_expression = parsed(mapping.username_expression.as_deref(), Kind::Username);
        let username_start = match &by_expression {
            Some(expression) => tree::literal_start(expression.tree()),
            None => mapping.username.split("{{").next().unwrap_or_default(),
        };
        let template = match by_expression {
            Some(_) => &[],
            None => std::slice::from_ref(&mapping.username),
        };
        let username_is_known = is_known(template, by_expression.as_ref());
        let further = parsed(mapping.groups_expression.as_deref(), Kind::Groups);
        let groups_are_known = is_known(&mapping.groups, further.as_ref());
        known.extend(username_is_known.then_some(("user", "username")));
        known.extend(groups_are_known.then_some(("user", "groups")));
        Some(Self {
            username_start: username_start.to_owned(),
            user: KubernetesUser::new(&identity, username, groups, false),
            identity,
            known,
        })
    }

    /// Somebody of a whole account: under its own ARN, without groups.
    fn by_account(account: &Account) -> Option<Self> {
        let account = &account.account;
        let identity = sample::identity(role_of(account.as_str())?)?;
        let username = identity.arn.canonical().to_string();
        Some(Self {
            user: KubernetesUser::new(&identity, username, Vec::new(), false),
            identity,
            known: BTreeSet::from([("identity", "accountId"), ("user", "groups")]),
            username_start: format!("acs:ram::{account}:"),
        })
    }

    /// A validation that fails to run refuses.
    fn is_refused_by(&self, validation: &Expression) -> bool {
        let tree = validation.tree();
        match self.outcome(tree) {
            Some(passes) => !passes,
            None => reads_only(tree, &self.known),
        }
    }

    /// What `tree` comes to in every login, where that is certain.
    fn outcome(&self, tree: &IdedExpr) -> Option<bool> {
        if reads_only(tree, &self.known) {
            let part = Expression::part(tree);
            return part.validate(&self.identity, &self.user).ok();
        }
        let Expr::Call(call) = &tree.expr else {
            return None;
        };
        match (&*call.func_name, &*call.args) {
            (op::LOGICAL_NOT, [operand]) => self.outcome(operand).map(|outcome| !outcome),
            (op::LOGICAL_AND, [left, right]) => self.joined(left, right, false),
            (op::LOGICAL_OR, [left, right]) => self.joined(left, right, true),
            (op::CONDITIONAL, [condition, yes, no]) => match self.outcome(condition) {
                Some(true) => self.outcome(yes),
                Some(false) => self.outcome(no),
                None => None,
            },
            ("startsWith", [prefix]) => {
                let receiver = call.target.as_deref().and_then(tree::field);
                let is_username = receiver == Some(("user", "username"));
                self.starts_with(tree::text(prefix).filter(|_| is_username)?)
            }
            _ => None,
        }
    }

    /// `&&` or `||`, which one operand decides if it is `decisive`.
    fn joined(&self, left: &IdedExpr, right: &IdedExpr, decisive: bool) -> Option<bool> {
        match (self.outcome(left), self.outcome(right)) {
            (Some(one), _) | (_, Some(one)) if one == decisive => Some(decisive),
            (Some(_), Some(_)) => Some(!decisive),
            _ => None,
        }
    }

    /// Whether every username starts with `prefix`, or none.
    fn starts_with(&self, prefix: &str) -> Option<bool> {
        if self.username_start.starts_with(prefix) {
            Some(true)
        } else if prefix.starts_with(&self.username_start) {
            None
        } else {
            Some(false)
        }
    }
}

/// Somebody for whom a mapping speaks, if they meet its condition.
fn some_identity(compiled: &Compiled<'_>) -> Option<Identity> {
    let rule = &compiled.rule;
    let arn = match rule.subject() {
        Subject::Arn(arn) => arn.clone(),
        Subject::Pattern(pattern) if names::has_sessions(rule) => {
            role_of(pattern.account().as_str())?
        }
        Subject::Pattern(pattern) => user_of(pattern.account().as_str())?,
        Subject::Id(SubjectId::User(_)) => user_of(SOME_ACCOUNT)?,
        Subject::Id(SubjectId::Role(_)) | Subject::Anyone => role_of(SOME_ACCOUNT)?,
    };
    sample::identity(arn)
}

fn role_of(account: &str) -> Option<Arn> {
    Arn::parse(&format!("acs:ram::{account}:role/some")).ok()
}

fn user_of(account: &str) -> Option<Arn> {
    Arn::parse(&format!("acs:ram::{account}:user/some")).ok()
}

/// The fields of `identity` that are the same for everyone whom `subject` is about, and for [`some_identity`].
fn known_fields(subject: &Subject) -> &'static [&'static str] {
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

/// Whether `template` gives the same name whatever is not `known`.
fn template_is_known(template: &str, known: &BTreeSet<(&str, &str)>) -> bool {
    Variable::ALL
        .into_iter()
        .filter(|(name, _)| template.contains(&names::placeholder(name)))
        .all(|(_, variable)| {
            let field = match variable {
                Variable::AccountId => "accountId",
                Variable::RoleName => "roleName",
                Variable::UserName => "userName",
                Variable::SessionName | Variable::SessionNameRaw => "sessionName",
                Variable::AccessKeyId | Variable::UserId => return false,
            };
            known.contains(&("identity", field))
        })
}

fn reads_only(tree: &IdedExpr, known: &BTreeSet<(&str, &str)>) -> bool {
    tree::fields(tree).iter().all(|field| known.contains(field))
}
