//! `RAMIdentityMapping` objects as the API server hands them out: whatever older definitions let in, none of them keeps
//! the others from being read.

use std::borrow::Cow;
use std::fmt;

use ack_ram_core::rules::{Age, Backend, Globs, Mapping, Rule, RuleError, Source};
use ack_ram_core::time::UnixTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::ClusterResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::kubernetes::mapping::{
    RamIdentityMapping, RamIdentityMappingSpec, RamIdentityMappingStatus,
};
use crate::kubernetes::schema::BEYOND_GO;

/// An object, to list and watch with `Api<MappingObject>`.
///
/// What is wrong with its `spec` is kept, in place of an error that would break the whole list. Of `metadata`, only
/// names, versions and times are kept: `managedFields` alone may be larger than all the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingObject {
    metadata: ObjectMeta,
    spec: Result<RamIdentityMappingSpec, ObjectError>,
    status: RamIdentityMappingStatus,
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
    ArnBeside(&'static str),
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
            Self::ArnBeside(field) => write!(
                f,
                "it has `spec.arn` beside `spec.{field}`, without which the Go server would apply it; write `arn: \"\"`, and the ARN as `arnPattern`"
            ),
            Self::Rule(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ObjectError {}

impl MappingObject {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Which edit of `spec` this is.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.metadata.generation
    }

    /// What its status says; nothing, if that cannot be read.
    #[must_use]
    pub fn status(&self) -> &RamIdentityMappingStatus {
        &self.status
    }

    /// The mapping that it holds, as it was written.
    ///
    /// # Errors
    /// When it holds none, or one that the Go server would read as another.
    pub fn mapping(&self) -> Result<Mapping, ObjectError> {
        let spec = self.spec.as_ref().map_err(Clone::clone)?;
        if !spec.arn.is_empty()
            && let Some(field) = beyond_go(spec)
        {
            return Err(ObjectError::ArnBeside(field));
        }
        Ok(Mapping {
            source: Source {
                backend: Backend::Crd,
                position: self.name().to_owned(),
            },
            age: self.age(),
            arn: spec.arn.clone(),
            globs: Globs::Wildcards,
            arn_pattern: spec.arn_pattern.clone(),
            user_id: spec.user_id.clone(),
            role_id: spec.role_id.clone(),
            condition: spec.condition.clone(),
            username: spec.username.clone(),
            username_expression: spec.username_expression.clone(),
            groups: spec.groups.clone(),
            groups_expression: spec.groups_expression.clone(),
        })
    }

    /// The rule that it is.
    ///
    /// # Errors
    /// When it is none. [`RuleError::Nobody`] tells an object that names nobody.
    pub fn rule(&self) -> Result<Rule, ObjectError> {
        Rule::compile(self.mapping()?).map_err(ObjectError::Rule)
    }

    /// By creation time. The API server gives every object one; an object without comes last.
    fn age(&self) -> Age {
        let created = self.metadata.creation_timestamp.as_ref();
        Age::Created(UnixTime::from_seconds(
            created.map_or(i64::MAX, |time| time.0.as_second()),
        ))
    }
}

/// The first field of `spec` that the Go server does not know.
fn beyond_go(spec: &RamIdentityMappingSpec) -> Option<&'static str> {
    let present = [
        spec.arn_pattern.is_some(),
        spec.user_id.is_some(),
        spec.role_id.is_some(),
        spec.condition.is_some(),
        spec.username_expression.is_some(),
        spec.groups_expression.is_some(),
    ];
    let mut fields = BEYOND_GO.into_iter().zip(present);
    fields.find_map(|(field, present)| present.then_some(field))
}

impl Resource for MappingObject {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        RamIdentityMapping::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        RamIdentityMapping::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        RamIdentityMapping::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        RamIdentityMapping::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<'de> Deserialize<'de> for MappingObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
            #[serde(default)]
            spec: Value,
            #[serde(default)]
            status: Value,
        }
        /// What the API server itself writes, so it has its types.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            name: Option<String>,
            uid: Option<String>,
            resource_version: Option<String>,
            generation: Option<i64>,
            creation_timestamp: Option<Time>,
            deletion_timestamp: Option<Time>,
        }
        let Object {
            metadata,
            spec,
            status,
        } = Object::deserialize(deserializer)?;
        Ok(Self {
            metadata: ObjectMeta {
                name: metadata.name,
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                generation: metadata.generation,
                creation_timestamp: metadata.creation_timestamp,
                deletion_timestamp: metadata.deletion_timestamp,
                ..ObjectMeta::default()
            },
            spec: read(spec),
            status: serde_json::from_value(status).unwrap_or_default(),
        })
    }
}

/// Reads `spec`; what is absent or null is empty, as Go reads it.
fn read(spec: Value) -> Result<RamIdentityMappingSpec, ObjectError> {
    let mut fields = match spec {
        Value::Null => Map::new(),
        Value::Object(fields) => fields,
        _ => return Err(wrong_type("spec".to_owned(), "an object")),
    };
    let mut text = |field: &str| match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => into_text(value, || format!("spec.{field}")).map(Some),
    };
    let spec = RamIdentityMappingSpec {
        arn: text("arn")?.unwrap_or_default(),
        username: text("username")?.unwrap_or_default(),
        groups: Vec::new(),
        arn_pattern: text("arnPattern")?,
        user_id: text("userID")?,
        role_id: text("roleID")?,
        condition: text("match")?,
        username_expression: text("usernameExpression")?,
        groups_expression: text("groupsExpression")?,
    };
    let groups = match fields.remove("groups") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(groups)) => groups,
        Some(_) => return Err(wrong_type("spec.groups".to_owned(), "a list")),
    };
    let groups = groups.into_iter().enumerate();
    let groups = groups
        .map(|(index, group)| into_text(group, || format!("spec.groups[{index}]")))
        .collect::<Result<_, _>>()?;
    // Every object with fields that Go does not know has an empty ARN, also one of a later version.
    if spec.arn.is_empty()
        && let Some(field) = fields.into_iter().next()
    {
        return Err(ObjectError::UnknownField(field.0));
    }
    Ok(RamIdentityMappingSpec { groups, ..spec })
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

#[cfg(test)]
mod tests;
