//! Mappings, as they are written, and rules, which mappings compile to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, ArnError, Resource};
use crate::identity::Identity;
use crate::rules::ResolvedNames;
use crate::rules::expression::{EvaluationError, Expression, ExpressionError, ExpressionKind};
use crate::rules::naming::{self, MayAddError, NameError, Naming};
use crate::rules::pattern::{Pattern, PatternError};
use crate::rules::subject::{Subject, SubjectId};
use crate::rules::template::TemplateError;
use crate::sts::is_identifier;
use crate::time::UnixTime;

/// A source of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Backend {
    /// The server's configuration file.
    MountedFile,
    /// The ConfigMap `kube-system/alibabacloud-auth`.
    #[serde(rename = "ACKConfigMap")]
    ConfigMap,
    /// `RAMIdentityMapping` objects.
    #[serde(rename = "CRD")]
    Crd,
    /// A JSON file that may change at any time.
    DynamicFile,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 4] = [
        Self::MountedFile,
        Self::ConfigMap,
        Self::Crd,
        Self::DynamicFile,
    ];
}

/// The names that `server.backendMode` uses.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MountedFile => "MountedFile",
            Self::ConfigMap => "ACKConfigMap",
            Self::Crd => "CRD",
            Self::DynamicFile => "DynamicFile",
        })
    }
}

/// The location of a rule, for messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Source {
    /// The backend.
    pub backend: Backend,
    /// The location in the backend, such as `server.mapRoles[2]` or an object's name.
    pub position: String,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.backend, self.position)
    }
}

/// A mapping as it is written. At most one of `arn`, `arn_pattern`, `user_id` and `role_id` gives the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The location of the mapping.
    pub source: Source,
    /// The precedence among mappings that tie.
    pub precedence: Precedence,
    /// `roleARN`, `userARN` or `spec.arn`; empty is none.
    pub arn: String,
    /// Whether `arn` may have wildcards.
    pub wildcards: WildcardMode,
    /// `spec.arnPattern`.
    pub arn_pattern: Option<String>,
    /// `spec.userID`.
    pub user_id: Option<String>,
    /// `spec.roleID`.
    pub role_id: Option<String>,
    /// `spec.match`: a CEL condition that must hold, too. Alone, it matches every identity that meets it.
    pub condition: Option<String>,
    /// The username, a template. Beside an expression: a name starting `system:` that it may give.
    pub username: String,
    /// `spec.usernameExpression`: a CEL expression in place of the template.
    pub username_expression: Option<String>,
    /// The groups, templates.
    pub groups: Vec<String>,
    /// `spec.groupsExpression`: a CEL expression that gives further groups.
    pub groups_expression: Option<String>,
    /// `spec.groupsExpressionMayAdd`: the names starting `system:` that this expression may give.
    pub groups_expression_may_add: Vec<String>,
    /// How an `arn` that names one session of a role is read.
    pub session_arn_mode: SessionArnMode,
}

impl Mapping {
    /// Creates a mapping of one ARN, the only kind that Go supports.
    #[must_use]
    pub fn for_arn(
        source: Source,
        age: Precedence,
        arn: &str,
        username: &str,
        groups: Vec<String>,
    ) -> Self {
        Self {
            source,
            precedence: age,
            arn: arn.to_owned(),
            wildcards: WildcardMode::Disabled,
            arn_pattern: None,
            user_id: None,
            role_id: None,
            condition: None,
            username: username.to_owned(),
            username_expression: None,
            groups,
            groups_expression: None,
            groups_expression_may_add: Vec::new(),
            session_arn_mode: SessionArnMode::Refused,
        }
    }

    /// Returns the role if `arn` names one session of a role. Identities are looked up by their role, so such a mapping
    /// could only match every session.
    #[must_use]
    pub fn role_of_session(&self) -> Option<Arn> {
        if self.wildcards == WildcardMode::Enabled && Pattern::has_wildcard(&self.arn) {
            return None;
        }
        let arn = Arn::parse(&self.arn).ok()?;
        matches!(arn.resource(), Resource::AssumedRole { .. }).then(|| arn.canonical())
    }
}

/// The precedence among rules that tie: the older one wins, by creation time, then by list index, then by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precedence {
    /// An object, by its creation time.
    Created(UnixTime),
    /// An entry of a file, by its index in the list.
    ListIndex(usize),
}

/// Whether `arn` may have wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardMode {
    /// `*` and `?` are wildcards: in objects, and in files with `server.globs`.
    Enabled,
    /// `*` and `?` are literal, as Go reads them in files; no identity has them.
    Disabled,
}

/// How an `arn` that names one session of a role is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionArnMode {
    /// The mapping is refused: it would let every session in under a name that is meant for one.
    Refused,
    /// As the role, as Go reads it: in objects that Go's users made.
    AsRole,
}

/// A compiled mapping.
#[derive(Clone, Debug)]
pub struct Rule {
    source: Source,
    precedence: Precedence,
    subject: Subject,
    condition: Option<Expression>,
    naming: Naming,
}

/// Why a mapping was refused. Other mappings are unaffected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// The mapping has no subject.
    NoSubject,
    /// The mapping has two subjects.
    TwoSubjects(&'static str, &'static str),
    /// Its ARN cannot be an identity.
    Arn(ArnError),
    /// It names one session of a role; the role is what identities are looked up by, so it would map every session.
    AssumedRole {
        /// What to write instead.
        role: String,
    },
    /// An entry of `groupsExpressionMayAdd` is not allowed.
    MayAdd {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: MayAddError,
    },
    /// It has `groupsExpressionMayAdd`, and no `groupsExpression`.
    MayAddWithoutExpression,
    /// Its ARN has wildcards, and is not a pattern.
    Pattern(PatternError),
    /// The user or role id is malformed.
    Id(&'static str),
    /// One of its expressions was refused.
    Expression {
        /// Which.
        field: &'static str,
        /// Why.
        error: ExpressionError,
    },
    /// Its username is not a template.
    Username(TemplateError),
    /// One of its groups is not a template.
    Group {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: TemplateError,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSubject => {
                f.write_str("it names nobody: give it an ARN, a pattern, an id or a condition")
            }
            Self::Expression { field, error } => write!(f, "its `{field}` was refused: {error}"),
            Self::TwoSubjects(one, other) => {
                write!(f, "it has both `{one}` and `{other}`; give it one of them")
            }
            Self::Arn(error) => write!(f, "its ARN cannot be an identity: {error}"),
            Self::AssumedRole { role } => {
                write!(
                    f,
                    "it names one session of a role, and identities are found by their role; write the role, `{role}`"
                )
            }
            Self::MayAdd { index, error } => {
                write!(f, "its `groupsExpressionMayAdd[{index}]` was refused: {error}")
            }
            Self::MayAddWithoutExpression => f.write_str(
                "it has `groupsExpressionMayAdd` without `groupsExpression`; remove it, or add the expression",
            ),
            Self::Pattern(error) => write!(f, "its pattern was refused: {error}"),
            Self::Id(field) => write!(f, "its `{field}` is not letters, digits, `-`, `_` and `.`"),
            Self::Username(error) => write!(f, "its username was refused: {error}"),
            Self::Group { index, error } => write!(f, "its `groups[{index}]` was refused: {error}"),
        }
    }
}

impl std::error::Error for RuleError {}

impl Rule {
    /// Checks `mapping` and parses its parts.
    ///
    /// # Errors
    /// Returns the part that is wrong.
    pub fn compile(mapping: Mapping) -> Result<Self, RuleError> {
        let subject = parse_subject(&mapping)?;
        let naming = Naming::compile(&mapping)?;
        let condition = mapping
            .condition
            .as_ref()
            .map(|source| naming::compile_expression("match", source, ExpressionKind::Condition))
            .transpose()?;
        Ok(Self {
            source: mapping.source,
            precedence: mapping.precedence,
            subject,
            condition,
            naming,
        })
    }

    /// Returns a mapping that compiles to this rule. An ARN of a session is the ARN of its role.
    #[must_use]
    pub fn to_mapping(&self) -> Mapping {
        let mut mapping =
            Mapping::for_arn(self.source.clone(), self.precedence, "", "", Vec::new());
        self.naming.write_into(&mut mapping);
        mapping.condition = self.condition.as_ref().map(|text| text.source().to_owned());
        match &self.subject {
            Subject::Arn(arn) => mapping.arn = arn.to_string(),
            Subject::Pattern(pattern) => mapping.arn_pattern = Some(pattern.to_string()),
            Subject::Id(SubjectId::User(id)) => mapping.user_id = Some(id.to_string()),
            Subject::Id(SubjectId::Role(id)) => mapping.role_id = Some(id.to_string()),
            Subject::Anyone => {}
        }
        mapping
    }

    /// Returns the location of the rule.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the subject that the rule matches.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the username and the groups as written: templates. Beside an expression, the username is the name starting
    /// `system:` that the expression may give.
    #[must_use]
    pub fn raw_names(&self) -> (&str, &[Box<str>]) {
        self.naming.raw_names()
    }

    /// Returns the names starting `system:` that the expression for groups may give.
    #[must_use]
    pub fn expression_may_add(&self) -> &[Box<str>] {
        self.naming.may_add()
    }

    /// Returns the names of the expression fields that the rule has, as they are called in mappings.
    #[must_use]
    pub fn expression_fields(&self) -> Vec<&'static str> {
        let (username, groups) = self.naming.uses_expressions();
        [
            ("match", self.has_condition()),
            ("usernameExpression", username),
            ("groupsExpression", groups),
        ]
        .into_iter()
        .filter_map(|(field, is_present)| is_present.then_some(field))
        .collect()
    }

    /// Returns whether the rule takes precedence over `other`, a rule for the same subject.
    #[must_use]
    pub fn takes_precedence_over(&self, other: &Self) -> bool {
        self.precedence_key() < other.precedence_key()
    }

    /// Returns the sort key of precedence: the smaller one wins, and no two rules of one backend have equal keys.
    pub(crate) fn precedence_key(&self) -> (Precedence, &str) {
        (self.precedence, &self.source.position)
    }

    /// Returns whether the rule has a condition.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    /// Returns whether `identity`, which the subject matches, meets the condition of the rule.
    pub(crate) fn condition_holds(&self, identity: &Identity) -> Result<bool, EvaluationError> {
        match &self.condition {
            None => Ok(true),
            Some(condition) => condition.evaluate_condition(identity),
        }
    }

    pub(crate) fn resolve_names(&self, identity: &Identity) -> Result<ResolvedNames, NameError> {
        self.naming.resolve(identity)
    }
}

fn parse_subject(mapping: &Mapping) -> Result<Subject, RuleError> {
    let subjects = [
        (
            "arn",
            Some(mapping.arn.as_str()).filter(|arn| !arn.is_empty()),
        ),
        ("arnPattern", mapping.arn_pattern.as_deref()),
        ("userID", mapping.user_id.as_deref()),
        ("roleID", mapping.role_id.as_deref()),
    ];
    let mut subjects = subjects
        .into_iter()
        .filter_map(|(field, value)| value.map(|value| (field, value)));
    let Some((field, value)) = subjects.next() else {
        return match mapping.condition {
            Some(_) => Ok(Subject::Anyone),
            None => Err(RuleError::NoSubject),
        };
    };
    if let Some((other, _)) = subjects.next() {
        return Err(RuleError::TwoSubjects(field, other));
    }
    match field {
        "arn" if mapping.wildcards == WildcardMode::Enabled && Pattern::has_wildcard(value) => {
            parse_pattern(value)
        }
        "arn" => parse_exact_arn(value, mapping.session_arn_mode),
        "arnPattern" if Pattern::has_wildcard(value) => parse_pattern(value),
        "arnPattern" => parse_exact_arn(value, SessionArnMode::Refused),
        "userID" => Ok(Subject::Id(SubjectId::User(parse_id(field, value)?))),
        _ => Ok(Subject::Id(SubjectId::Role(parse_id(field, value)?))),
    }
}

fn parse_pattern(text: &str) -> Result<Subject, RuleError> {
    Pattern::parse(text)
        .map(Subject::Pattern)
        .map_err(RuleError::Pattern)
}

/// Parses an exact ARN. A session of a role is no subject: identities are looked up by the role.
fn parse_exact_arn(text: &str, session_arns: SessionArnMode) -> Result<Subject, RuleError> {
    let arn = Arn::parse(text).map_err(RuleError::Arn)?;
    match (arn.resource(), session_arns) {
        (Resource::AssumedRole { .. }, SessionArnMode::AsRole) => Ok(Subject::Arn(arn.canonical())),
        (Resource::AssumedRole { .. }, SessionArnMode::Refused) => {
            let role = arn.canonical().to_string();
            Err(RuleError::AssumedRole { role })
        }
        (Resource::Root | Resource::User(_) | Resource::Role(_), _) => Ok(Subject::Arn(arn)),
    }
}

/// Parses `text`, an ARN or a pattern.
pub(super) fn parse_arn_or_pattern(text: &str) -> Result<Subject, RuleError> {
    if Pattern::has_wildcard(text) {
        parse_pattern(text)
    } else {
        parse_exact_arn(text, SessionArnMode::Refused)
    }
}

fn parse_id(field: &'static str, text: &str) -> Result<Box<str>, RuleError> {
    is_identifier(text)
        .then(|| text.into())
        .ok_or(RuleError::Id(field))
}
