//! The username and groups of a rule, given by templates and expressions.

use std::slice;

use crate::identity::Identity;
use crate::rules::expression::{EvaluationError, Expression, ExpressionKind};
use crate::rules::mapping_spec::MappingSpec;
use crate::rules::rule_error::{MayAddError, RuleError};
use crate::rules::template::{RESERVED_PREFIX, RenderError, Template, is_reserved};

/// The username and the groups that a rule produces for an identity.
pub type ResolvedNames = (String, Vec<String>);

/// The templates and expressions for the username and the groups of a rule.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    username: UsernameSpec,
    groups: Vec<Template>,
    groups_expression: Option<Expression>,
    /// The username as written. The expression may return a username that starts with `system:` only if it equals this
    /// name.
    raw_username: Box<str>,
    /// The groups as written.
    raw_groups: Vec<Box<str>>,
    /// The exact names starting with `system:` that the expression for groups may return.
    may_add: Box<[Box<str>]>,
}

#[derive(Clone, Debug)]
enum UsernameSpec {
    Template(Template),
    Expression(Expression),
}

/// The error of a rule that matches, but whose username or one of whose groups is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// `username` or `groups[<n>]`.
    pub field: String,
    /// The defect of the name.
    pub problem: NameProblem,
}

/// The defect of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// A template has no valid name for the identity.
    #[error("{0}")]
    Render(RenderError),
    /// The evaluation of an expression failed.
    #[error("the expression failed: {0}")]
    Evaluation(EvaluationError),
    /// An expression returned a name that starts with [`RESERVED_PREFIX`], and the rule does not list that name. The
    /// message does not contain the name, because the caller reads the message.
    #[error(
        "the expression returned a name that starts with `{RESERVED_PREFIX}` and that `{field}` does not list"
    )]
    MayNotAdd {
        /// The field that lists the allowed names.
        field: &'static str,
    },
    /// The name has a prefix that is reserved from the backend of the rule.
    #[error(
        "names that start with `{0}` are reserved, and the backend of the rule cannot use them"
    )]
    ReservedForOthers(Box<str>),
}

impl Naming {
    pub(super) fn compile(spec: &MappingSpec) -> Result<Self, RuleError> {
        let username = match &spec.username_expression {
            None => Template::parse(&spec.username)
                .map(UsernameSpec::Template)
                .map_err(RuleError::Username)?,
            Some(source) => {
                let expression =
                    compile_expression("usernameExpression", source, ExpressionKind::Username)?;
                UsernameSpec::Expression(expression)
            }
        };
        let groups = spec
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                Template::parse(group).map_err(|error| RuleError::Group { index, error })
            })
            .collect::<Result<_, _>>()?;
        let groups_expression = spec
            .groups_expression
            .as_ref()
            .map(|source| compile_expression("groupsExpression", source, ExpressionKind::Groups))
            .transpose()?;
        let may_add = &spec.groups_expression_may_add;
        if groups_expression.is_none() && !may_add.is_empty() {
            return Err(RuleError::MayAddWithoutExpression);
        }
        for (index, name) in may_add.iter().enumerate() {
            check_may_add(name).map_err(|error| RuleError::MayAdd { index, error })?;
        }
        Ok(Self {
            username,
            groups,
            groups_expression,
            raw_username: spec.username.as_str().into(),
            raw_groups: spec
                .groups
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            may_add: may_add.iter().map(|name| name.as_str().into()).collect(),
        })
    }

    pub(super) fn may_add(&self) -> &[Box<str>] {
        &self.may_add
    }

    pub(super) fn raw_names(&self) -> (&str, &[Box<str>]) {
        (&self.raw_username, &self.raw_groups)
    }

    /// Writes the templates and expressions into `spec`, as they were written in the mapping.
    pub(super) fn write_into(&self, spec: &mut MappingSpec) {
        let source = |expression: &Expression| expression.source().to_owned();
        spec.username = self.raw_username.to_string();
        spec.username_expression = match &self.username {
            UsernameSpec::Template(_) => None,
            UsernameSpec::Expression(expression) => Some(source(expression)),
        };
        spec.groups = self.raw_groups.iter().map(ToString::to_string).collect();
        spec.groups_expression = self.groups_expression.as_ref().map(source);
        spec.groups_expression_may_add = self.may_add.iter().map(ToString::to_string).collect();
    }

    /// Returns whether the username is an expression, and whether there is an expression for groups.
    pub(super) fn uses_expressions(&self) -> (bool, bool) {
        let username = matches!(self.username, UsernameSpec::Expression(_));
        (username, self.groups_expression.is_some())
    }

    /// Returns the names for `identity`: the groups of the templates first, then the additional groups of the
    /// expression.
    pub(super) fn resolve(&self, identity: &Identity) -> Result<ResolvedNames, NameError> {
        let username = self
            .resolve_username(identity)
            .map_err(|problem| NameError {
                field: "username".to_owned(),
                problem,
            })?;
        let group_error = |index, problem| NameError {
            field: format!("groups[{index}]"),
            problem,
        };
        let mut groups: Vec<String> = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            let group = group.render(identity);
            let group = group.map_err(|error| group_error(index, NameProblem::Render(error)))?;
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let Some(expression) = &self.groups_expression else {
            return Ok((username, groups));
        };
        let evaluated = expression.evaluate_groups(identity);
        let evaluated = evaluated
            .map_err(|error| group_error(self.groups.len(), NameProblem::Evaluation(error)))?;
        for (index, group) in evaluated.into_iter().enumerate() {
            // A group that a template already gives needs no entry in `groupsExpressionMayAdd`.
            if groups.contains(&group) {
                continue;
            }
            check_expression_name(&group, &self.may_add, "groupsExpressionMayAdd")
                .map_err(|problem| group_error(self.groups.len() + index, problem))?;
            groups.push(group);
        }
        Ok((username, groups))
    }

    fn resolve_username(&self, identity: &Identity) -> Result<String, NameProblem> {
        match &self.username {
            UsernameSpec::Template(template) => {
                template.render(identity).map_err(NameProblem::Render)
            }
            UsernameSpec::Expression(expression) => {
                let name = expression.evaluate_username(identity);
                let name = name.map_err(NameProblem::Evaluation)?;
                check_expression_name(&name, slice::from_ref(&self.raw_username), "username")?;
                Ok(name)
            }
        }
    }
}

/// Checks `name`, the result of an expression. A name that starts with [`RESERVED_PREFIX`] must equal one of the
/// `allowed` names, which are the entries of `field`.
fn check_expression_name(
    name: &str,
    allowed: &[Box<str>],
    field: &'static str,
) -> Result<(), NameProblem> {
    if name.is_empty() {
        Err(NameProblem::Render(RenderError::Empty))
    } else if name.chars().any(char::is_control) {
        Err(NameProblem::Render(RenderError::ControlCharacter))
    } else if is_reserved(name) && !allowed.iter().any(|allowed| **allowed == *name) {
        Err(NameProblem::MayNotAdd { field })
    } else {
        Ok(())
    }
}

fn check_may_add(name: &str) -> Result<(), MayAddError> {
    if name.is_empty() {
        Err(MayAddError::Empty)
    } else if name.chars().any(char::is_control) {
        Err(MayAddError::ControlCharacter)
    } else if name.contains("{{") {
        Err(MayAddError::Template)
    } else if !name.starts_with(RESERVED_PREFIX) {
        Err(MayAddError::MissingReservedPrefix)
    } else {
        Ok(())
    }
}

pub(super) fn compile_expression(
    field: &'static str,
    source: &str,
    kind: ExpressionKind,
) -> Result<Expression, RuleError> {
    Expression::compile(source, kind).map_err(|error| RuleError::Expression { field, error })
}
