//! The username and groups that a rule gives: templates, and expressions beside them.

use std::fmt;
use std::slice;

use crate::identity::Identity;
use crate::rules::Names;
use crate::rules::expression::{EvaluationError, Expression, ExpressionKind};
use crate::rules::mapping::{Mapping, RuleError};
use crate::rules::template::{RESERVED_PREFIX, RenderError, Template, is_reserved};

/// How a rule names whoever it matches.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    username: Username,
    groups: Vec<Template>,
    groups_expression: Option<Expression>,
    /// The username as it is written. An expression may give one that starts `system:` only if it is exactly this.
    written_username: Box<str>,
    /// The groups as they are written.
    written_groups: Vec<Box<str>>,
    /// The groups starting `system:` that the expression may give, each exactly.
    may_add: Box<[Box<str>]>,
}

#[derive(Clone, Debug)]
enum Username {
    Template(Template),
    Expression(Expression),
}

/// A rule matched, but the username or a group that it gives cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// `username` or `groups[<n>]`.
    pub field: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

/// Why a name cannot be among those that an expression may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayAddError {
    /// There is no text.
    Empty,
    /// It does not start with [`RESERVED_PREFIX`]. Its author may believe that the list limits other names, too.
    NotReserved,
    /// It holds `{{`: nothing is rendered here.
    Template,
    /// It holds a control character.
    ControlCharacter,
}

impl fmt::Display for MayAddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotReserved => write!(
                f,
                "it does not start with `{RESERVED_PREFIX}`, and an expression may give such names whether they are here or not; remove it"
            ),
            Self::Template => {
                f.write_str("it holds `{{`, and no variables are read here; write the exact name")
            }
            Self::ControlCharacter => f.write_str("it holds a control character"),
        }
    }
}

impl std::error::Error for MayAddError {}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// A template gives none, or one that cannot be used.
    Render(RenderError),
    /// An expression gives none.
    Evaluation(EvaluationError),
    /// An expression gives a name that starts with [`RESERVED_PREFIX`], and the rule does not let it.
    MayNotAdd {
        /// The field that would let it.
        field: &'static str,
    },
    /// The backend may not give names that start so.
    ReservedForOthers(Box<str>),
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Render(error) => error.fmt(f),
            Self::Evaluation(error) => write!(f, "its expression failed: {error}"),
            // Whoever logs in reads this: it tells no name.
            Self::MayNotAdd { field } => write!(
                f,
                "its expression gives a name that starts with `{RESERVED_PREFIX}`, and `{field}` does not have it"
            ),
            Self::ReservedForOthers(prefix) => {
                write!(
                    f,
                    "names that start `{prefix}` are reserved from its backend"
                )
            }
        }
    }
}

impl Naming {
    pub(super) fn compile(mapping: &Mapping) -> Result<Self, RuleError> {
        let username = match &mapping.username_expression {
            None => Template::parse(&mapping.username)
                .map(Username::Template)
                .map_err(RuleError::Username)?,
            Some(source) => {
                let expression = expression("usernameExpression", source, ExpressionKind::Username)?;
                Username::Expression(expression)
            }
        };
        let groups = mapping
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                Template::parse(group).map_err(|error| RuleError::Group { index, error })
            })
            .collect::<Result<_, _>>()?;
        let groups_expression = mapping
            .groups_expression
            .as_ref()
            .map(|source| expression("groupsExpression", source, ExpressionKind::Groups))
            .transpose()?;
        let may_add = &mapping.groups_expression_may_add;
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
            written_username: mapping.username.as_str().into(),
            written_groups: mapping
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

    pub(super) fn written(&self) -> (&str, &[Box<str>]) {
        (&self.written_username, &self.written_groups)
    }

    /// Writes the names into `mapping`, as they were written.
    pub(super) fn write_into(&self, mapping: &mut Mapping) {
        let source = |expression: &Expression| expression.source().to_owned();
        mapping.username = self.written_username.to_string();
        mapping.username_expression = match &self.username {
            Username::Template(_) => None,
            Username::Expression(expression) => Some(source(expression)),
        };
        mapping.groups = self
            .written_groups
            .iter()
            .map(ToString::to_string)
            .collect();
        mapping.groups_expression = self.groups_expression.as_ref().map(source);
        mapping.groups_expression_may_add = self.may_add.iter().map(ToString::to_string).collect();
    }

    /// Whether an expression gives the username, and whether one gives further groups.
    pub(super) fn is_expression(&self) -> (bool, bool) {
        let username = matches!(self.username, Username::Expression(_));
        (username, self.groups_expression.is_some())
    }

    /// The names for `identity`; groups as written, then those of the expression that are not among them.
    pub(super) fn names(&self, identity: &Identity) -> Result<Names, NameError> {
        let username = self.username(identity).map_err(|problem| NameError {
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
            // What the identity has anyway needs no leave.
            if groups.contains(&group) {
                continue;
            }
            checked(&group, &self.may_add, "groupsExpressionMayAdd")
                .map_err(|problem| group_error(self.groups.len() + index, problem))?;
            groups.push(group);
        }
        Ok((username, groups))
    }

    fn username(&self, identity: &Identity) -> Result<String, NameProblem> {
        match &self.username {
            Username::Template(template) => template.render(identity).map_err(NameProblem::Render),
            Username::Expression(expression) => {
                let name = expression.evaluate_username(identity);
                let name = name.map_err(NameProblem::Evaluation)?;
                checked(&name, slice::from_ref(&self.written_username), "username")?;
                Ok(name)
            }
        }
    }
}

/// Whether `name`, which an expression gave, may be one. One that starts with [`RESERVED_PREFIX`] must be among
/// `allowed`, which `field` holds.
fn checked(name: &str, allowed: &[Box<str>], field: &'static str) -> Result<(), NameProblem> {
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
        Err(MayAddError::NotReserved)
    } else {
        Ok(())
    }
}

pub(super) fn expression(
    field: &'static str,
    source: &str,
    kind: ExpressionKind,
) -> Result<Expression, RuleError> {
    Expression::compile(source, kind).map_err(|error| RuleError::Expression { field, error })
}
