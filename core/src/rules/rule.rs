//! Rules: compiled mappings.

use crate::arn::{Arn, Resource};
use crate::identity::Identity;
use crate::protocol::grammar::is_identifier;
use crate::rules::expression::{EvaluationError, Expression, ExpressionKind};
use crate::rules::mapping::{Mapping, Precedence, SessionArnMode, WildcardMode};
use crate::rules::mapping_spec::MappingSpec;
use crate::rules::naming::{self, NameError, Naming, ResolvedNames};
use crate::rules::pattern::Pattern;
use crate::rules::rule_error::RuleError;
use crate::rules::source::Source;
use crate::rules::subject::{Subject, SubjectId};

/// A rule: a compiled mapping.
#[derive(Clone, Debug)]
pub struct Rule {
    source: Source,
    precedence: Precedence,
    subject: Subject,
    condition: Option<Expression>,
    naming: Naming,
}

impl Rule {
    /// Compiles `mapping`: checks it and parses its parts.
    ///
    /// # Errors
    /// Returns the part that is invalid, and the reason.
    pub fn compile(mapping: Mapping) -> Result<Self, RuleError> {
        let subject = parse_subject(&mapping)?;
        let naming = Naming::compile(&mapping.spec)?;
        let condition = mapping
            .spec
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

    /// Returns a mapping that compiles to this rule. The mapping contains the ARN of the role in place of the ARN of a
    /// session.
    #[must_use]
    pub fn to_mapping(&self) -> Mapping {
        let mut spec = MappingSpec::default();
        self.naming.write_into(&mut spec);
        // This mapping is the base of the last good form of a broken edit. Name all fields, so that none is
        // forgotten.
        let MappingSpec {
            arn,
            arn_pattern,
            user_id,
            role_id,
            condition,
            username: _,
            username_expression: _,
            groups: _,
            groups_expression: _,
            groups_expression_may_add: _,
        } = &mut spec;
        *condition = self.condition.as_ref().map(|text| text.source().to_owned());
        match &self.subject {
            Subject::Arn(subject) => *arn = subject.to_string(),
            Subject::Pattern(pattern) => *arn_pattern = Some(pattern.to_string()),
            Subject::Id(SubjectId::User(id)) => *user_id = Some(id.to_string()),
            Subject::Id(SubjectId::Role(id)) => *role_id = Some(id.to_string()),
            Subject::Anyone => {}
        }
        Mapping::new(self.source.clone(), self.precedence, spec)
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

    /// Returns the templates of the username and the groups, as written. If the rule has an expression for the
    /// username, the returned username is the name starting with `system:` that the expression may return.
    #[must_use]
    pub fn raw_names(&self) -> (&str, &[Box<str>]) {
        self.naming.raw_names()
    }

    /// Returns the names starting with `system:` that the expression for groups may return.
    #[must_use]
    pub fn expression_may_add(&self) -> &[Box<str>] {
        self.naming.may_add()
    }

    /// Returns the names of the expression fields of the rule, such as `match`.
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

    /// Returns the sort key of precedence. The rule with the smaller key takes precedence. The keys of the rules of one
    /// backend are unique.
    #[must_use]
    pub fn precedence_key(&self) -> (Precedence, &str) {
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

    /// Returns the username and the groups for `identity`, which the subject of the rule must match.
    ///
    /// The result grants no access: this method checks neither the condition nor the reserved prefixes nor the
    /// validations.
    ///
    /// # Errors
    /// Returns the name that is invalid, and the reason.
    pub fn resolve_names(&self, identity: &Identity) -> Result<ResolvedNames, NameError> {
        self.naming.resolve(identity)
    }
}

fn parse_subject(mapping: &Mapping) -> Result<Subject, RuleError> {
    let spec = &mapping.spec;
    let subjects = [
        ("arn", Some(spec.arn.as_str()).filter(|arn| !arn.is_empty())),
        ("arnPattern", spec.arn_pattern.as_deref()),
        ("userID", spec.user_id.as_deref()),
        ("roleID", spec.role_id.as_deref()),
    ];
    let mut subjects = subjects
        .into_iter()
        .filter_map(|(field, value)| value.map(|value| (field, value)));
    let Some((field, value)) = subjects.next() else {
        return match spec.condition {
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

/// Parses an exact ARN. A session of a role is not a valid subject, because identities are looked up by their role.
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
