//! What stands in the `spec` of a `RAMIdentityMapping` object, whoever has read the object.

use std::fmt;

use ack_ram_core::rules::{
    Backend, Mapping, Precedence, RuleError, SessionArnMode, Source, WildcardMode,
};
use serde_json::{Map, Value};

/// The fields that the Go server does not know.
pub const EXTENSION_FIELDS: [&str; 7] = [
    "arnPattern",
    "userID",
    "roleID",
    "match",
    "usernameExpression",
    "groupsExpression",
    "groupsExpressionMayAdd",
];

/// `spec`, each field of its type; an absent text is empty where Go knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSpec {
    /// `spec.arn`
    pub arn: String,
    /// `spec.username`
    pub username: String,
    /// `spec.groups`
    pub groups: Vec<String>,
    /// `spec.arnPattern`
    pub arn_pattern: Option<String>,
    /// `spec.userID`
    pub user_id: Option<String>,
    /// `spec.roleID`
    pub role_id: Option<String>,
    /// `spec.match`
    pub condition: Option<String>,
    /// `spec.usernameExpression`
    pub username_expression: Option<String>,
    /// `spec.groupsExpression`
    pub groups_expression: Option<String>,
    /// `spec.groupsExpressionMayAdd`
    pub groups_expression_may_add: Option<Vec<String>>,
}

/// Why an object is no mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// A field of `spec`, or `spec` itself, has another type.
    Type {
        /// Such as `spec.groups[2]`.
        field: String,
        /// Such as `text`.
        wanted: &'static str,
    },
    /// A field that this server does not know stands beside those that Go does not know: it may narrow them.
    UnknownField(String),
    /// `spec.arn` stands beside a field that Go does not know: Go would apply the rest alone.
    ArnWithExtension(&'static str),
    /// It cannot be a rule.
    Rule(RuleError),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { field, wanted } => write!(f, "its `{field}` is not {wanted}"),
            Self::UnknownField(field) => write!(
                f,
                "it has `spec.{field}`, which this server does not know; remove it, or bring the server up to date"
            ),
            Self::ArnWithExtension(field) => write!(
                f,
                "it has `spec.arn` beside `spec.{field}`, without which the Go server would apply it; write `arn: \"\"`, and the ARN as `arnPattern`"
            ),
            Self::Rule(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ObjectError {}

impl ObjectSpec {
    /// Reads `spec`; what is absent or null is empty, as Go reads it.
    ///
    /// # Errors
    /// When a field has another type, or is one that nobody knows beside those that Go does not know.
    pub fn parse(spec: Value) -> Result<Self, ObjectError> {
        let mut fields = match spec {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            _ => return Err(wrong_type("spec".to_owned(), "an object")),
        };
        let mut text = |field: &str| match fields.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => into_text(value, || format!("spec.{field}")).map(Some),
        };
        let spec = Self {
            arn: text("arn")?.unwrap_or_default(),
            username: text("username")?.unwrap_or_default(),
            groups: Vec::new(),
            arn_pattern: text("arnPattern")?,
            user_id: text("userID")?,
            role_id: text("roleID")?,
            condition: text("match")?,
            username_expression: text("usernameExpression")?,
            groups_expression: text("groupsExpression")?,
            groups_expression_may_add: None,
        };
        let groups = take_texts(&mut fields, "groups")?.unwrap_or_default();
        let groups_expression_may_add = take_texts(&mut fields, "groupsExpressionMayAdd")?;
        // Every object with fields that Go does not know has an empty ARN, also one of a later version.
        if spec.arn.is_empty()
            && let Some(field) = fields.into_iter().next()
        {
            return Err(ObjectError::UnknownField(field.0));
        }
        Ok(Self {
            groups,
            groups_expression_may_add,
            ..spec
        })
    }

    /// The mapping that the object `name` holds, as it was written. An ARN of one session is refused in it, as in an
    /// object that is new.
    ///
    /// # Errors
    /// When it holds one that the Go server would read as another.
    pub fn to_mapping(&self, name: &str, age: Precedence) -> Result<Mapping, ObjectError> {
        if !self.arn.is_empty()
            && let Some(field) = self.first_extension_field()
        {
            return Err(ObjectError::ArnWithExtension(field));
        }
        Ok(Mapping {
            source: Source {
                backend: Backend::Crd,
                position: name.to_owned(),
            },
            precedence: age,
            arn: self.arn.clone(),
            wildcards: WildcardMode::Enabled,
            arn_pattern: self.arn_pattern.clone(),
            user_id: self.user_id.clone(),
            role_id: self.role_id.clone(),
            condition: self.condition.clone(),
            username: self.username.clone(),
            username_expression: self.username_expression.clone(),
            groups: self.groups.clone(),
            groups_expression: self.groups_expression.clone(),
            groups_expression_may_add: self.groups_expression_may_add.clone().unwrap_or_default(),
            session_arn_mode: SessionArnMode::Refused,
        })
    }

    /// The first field of `spec` that the Go server does not know.
    fn first_extension_field(&self) -> Option<&'static str> {
        let present = [
            self.arn_pattern.is_some(),
            self.user_id.is_some(),
            self.role_id.is_some(),
            self.condition.is_some(),
            self.username_expression.is_some(),
            self.groups_expression.is_some(),
            self.groups_expression_may_add.is_some(),
        ];
        let mut fields = EXTENSION_FIELDS.into_iter().zip(present);
        fields.find_map(|(field, present)| present.then_some(field))
    }
}

/// The list of texts `field`; `None` when it is absent or null.
fn take_texts(
    fields: &mut Map<String, Value>,
    field: &str,
) -> Result<Option<Vec<String>>, ObjectError> {
    let items = match fields.remove(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => items.into_iter().enumerate(),
        Some(_) => return Err(wrong_type(format!("spec.{field}"), "a list")),
    };
    let texts = items.map(|(index, item)| into_text(item, || format!("spec.{field}[{index}]")));
    texts.collect::<Result<_, _>>().map(Some)
}

fn into_text(value: Value, field: impl FnOnce() -> String) -> Result<String, ObjectError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong_type(field(), "text")),
    }
}

fn wrong_type(field: String, wanted: &'static str) -> ObjectError {
    ObjectError::Type { field, wanted }
}
