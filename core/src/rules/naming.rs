//! The username and groups that a rule gives: templates, and expressions beside them.

use std::fmt;
use std::slice;

use crate::identity::Identity;
use crate::rules::Names;
use crate::rules::expression::{EvaluationError, Expression, Kind};
use crate::rules::mapping::{Mapping, RuleError};
use crate::rules::template::{RenderError, Template, is_reserved};

/// How a rule names whoever it matches.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    username: Username,
    groups: Vec<Template>,
    groups_expression: Option<Expression>,
    /// The username as it is written: one that starts `system:` comes out of an expression only if it is this.
    written_username: Box<str>,
    /// The groups as they are written, with the same meaning for groups.
    written_groups: Vec<Box<str>>,
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

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// A template gives none, or one that cannot be used.
    Render(RenderError),
    /// An expression gives none.
    Evaluation(EvaluationError),
    /// The backend may not give names that start so.
    ReservedForOthers(Box<str>),
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Render(error) => error.fmt(f),
            Self::Evaluation(error) => write!(f, "its expression failed: {error}"),
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
                let expression = expression("usernameExpression", source, Kind::Username)?;
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
            .map(|source| expression("groupsExpression", source, Kind::Groups))
            .transpose()?;
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
        })
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
    }

    /// Whether an expression gives the username, and whether one gives further groups.
    pub(super) fn is_expression(&self) -> (bool, bool) {
        let username = matches!(self.username, Username::Expression(_));
        (username, self.groups_expression.is_some())
    }

    /// The names for `identity`; groups as written, then those of the expression that are not among them.
    pub(super) fn names(&self, identity: &Identity) -> Result<Names, NameError> {
        let username = match &self.username {
            Username::Template(template) => template.render(identity).map_err(NameProblem::Render),
            Username::Expression(expression) => expression
                .evaluate_name(identity)
                .map_err(NameProblem::Evaluation)
                .and_then(|name| evaluated(name, slice::from_ref(&self.written_username))),
        };
        let username = username.map_err(|problem| NameError {
            field: "username".to_owned(),
            problem,
        })?;
        let rendered = self
            .groups
            .iter()
            .map(|group| group.render(identity).map_err(NameProblem::Render));
        let evaluated = match &self.groups_expression {
            None => Vec::new(),
            Some(expression) => match expression.evaluate_names(identity) {
                Ok(names) => names
                    .into_iter()
                    .map(|name| evaluated(name, &self.written_groups))
                    .collect(),
                Err(error) => vec![Err(NameProblem::Evaluation(error))],
            },
        };
        let mut groups: Vec<String> = Vec::new();
        for (index, group) in rendered.chain(evaluated).enumerate() {
            let group = group.map_err(|problem| NameError {
                field: format!("groups[{index}]"),
                problem,
            })?;
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        Ok((username, groups))
    }
}

/// A name that an expression gave, if it may be one: reserved ones only where they are `written`.
fn evaluated(name: String, written: &[Box<str>]) -> Result<String, NameProblem> {
    let problem = if name.is_empty() {
        RenderError::Empty
    } else if name.chars().any(char::is_control) {
        RenderError::ControlCharacter
    } else if is_reserved(&name) && !written.iter().any(|written| **written == *name) {
        RenderError::Reserved
    } else {
        return Ok(name);
    };
    Err(NameProblem::Render(problem))
}

pub(super) fn expression(
    field: &'static str,
    source: &str,
    kind: Kind,
) -> Result<Expression, RuleError> {
    Expression::compile(source, kind).map_err(|error| RuleError::Expression { field, error })
}
