//! The `spec` of a `RAMIdentityMapping` object, from the API server or from a file.

use ack_ram_core::rules::{
    Backend, FieldSlot, Mapping, MappingField, MappingSpec, Precedence, RuleError, Source,
    WildcardMode,
};
use serde_json::{Map, Value};

/// The parsed `spec` of an object. A missing text is empty if the Go server knows its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSpec {
    spec: MappingSpec,
    /// First field of the object that the Go server does not know, even if it is an empty list.
    extension: Option<MappingField>,
}

/// Reason why an object is not a valid mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// A field of `spec`, or `spec` itself, has the wrong type.
    #[error("`{field}` is not {wanted}")]
    Type {
        /// Name of the field, such as `spec.groups[2]`.
        field: String,
        /// Expected type, such as `text`.
        wanted: &'static str,
    },
    /// The object has an unknown field next to fields that the Go server does not know. The unknown field may restrict
    /// the mapping.
    #[error("unknown field `spec.{0}`; remove it, or upgrade the server")]
    UnknownField(String),
    /// `spec.arn` is set next to a field that the Go server does not know. The Go server would apply the mapping
    /// without that field.
    #[error(
        "`spec.arn` is set beside `spec.{0}`, and the Go server would apply the object without `spec.{0}`; write `arn: \"\"`, and the ARN as `arnPattern`"
    )]
    ArnWithExtension(&'static str),
    /// The mapping cannot be compiled to a rule.
    #[error("{0}")]
    Rule(RuleError),
}

impl ObjectSpec {
    /// Parses `spec`. Missing and null fields are empty, as in the Go server.
    ///
    /// # Errors
    /// Returns an error if a field has the wrong type, or if an unknown field is next to fields that the Go server does
    /// not know.
    pub fn parse(spec: Value) -> Result<Self, ObjectError> {
        let mut fields = match spec {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            _ => return Err(wrong_type("spec".to_owned(), "an object")),
        };
        let mut spec = MappingSpec::default();
        let mut extensions = Vec::new();
        for field in reading_order() {
            let Some(value) = fields.remove(field.name()).filter(|value| !value.is_null()) else {
                continue;
            };
            let name = field.name();
            match spec.slot(field) {
                FieldSlot::Text(text) => *text = into_text(value, || format!("spec.{name}"))?,
                FieldSlot::OptionalText(text) => {
                    *text = Some(into_text(value, || format!("spec.{name}"))?)
                }
                FieldSlot::Texts(texts) => *texts = into_texts(value, name)?,
            }
            if field.is_extension() {
                extensions.push(field);
            }
        }
        // Objects with fields that the Go server does not know have an empty ARN, including objects of later versions.
        if spec.arn.is_empty()
            && let Some(field) = fields.into_iter().next()
        {
            return Err(ObjectError::UnknownField(field.0));
        }
        let mut known = MappingField::ALL.iter().copied();
        Ok(Self {
            spec,
            extension: known.find(|field| extensions.contains(field)),
        })
    }

    /// Returns the mapping of the object `name`, as written. The mapping does not allow an ARN of a single session, as
    /// for a new object.
    ///
    /// # Errors
    /// Returns an error if the Go server would apply a different mapping.
    pub fn to_mapping(&self, name: &str, age: Precedence) -> Result<Mapping, ObjectError> {
        if !self.spec.arn.is_empty()
            && let Some(field) = self.extension
        {
            return Err(ObjectError::ArnWithExtension(field.name()));
        }
        let source = Source {
            backend: Backend::Crd,
            position: name.to_owned(),
        };
        Ok(Mapping {
            wildcards: WildcardMode::Enabled,
            ..Mapping::new(source, age, self.spec.clone())
        })
    }
}

/// Returns the fields in reading order: texts before lists, and fields that the Go server knows before the others. Only
/// the first of several errors is reported.
fn reading_order() -> Vec<MappingField> {
    let mut fields = MappingField::ALL.to_vec();
    fields.sort_by_key(|field| (field.is_list(), field.is_extension()));
    fields
}

fn into_texts(value: Value, name: &str) -> Result<Vec<String>, ObjectError> {
    let Value::Array(items) = value else {
        return Err(wrong_type(format!("spec.{name}"), "a list"));
    };
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| into_text(item, || format!("spec.{name}[{index}]")))
        .collect()
}

fn into_text(value: Value, path: impl FnOnce() -> String) -> Result<String, ObjectError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong_type(path(), "text")),
    }
}

fn wrong_type(field: String, wanted: &'static str) -> ObjectError {
    ObjectError::Type { field, wanted }
}
