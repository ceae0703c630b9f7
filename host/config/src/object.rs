//! What stands in the `spec` of a `RAMIdentityMapping` object, whoever has read the object.

use ack_ram_core::rules::{
    Backend, FieldSlot, Mapping, MappingField, MappingSpec, Precedence, RuleError, Source,
    WildcardMode,
};
use serde_json::{Map, Value};

/// `spec`, each field of its type; an absent text is empty where Go knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSpec {
    spec: MappingSpec,
    /// The first field that the Go server does not know and the object has, be it an empty list.
    extension: Option<MappingField>,
}

/// Why an object is no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// A field of `spec`, or `spec` itself, has another type.
    #[error("its `{field}` is not {wanted}")]
    Type {
        /// Such as `spec.groups[2]`.
        field: String,
        /// Such as `text`.
        wanted: &'static str,
    },
    /// A field that this server does not know stands beside those that Go does not know: it may narrow them.
    #[error(
        "it has `spec.{0}`, which this server does not know; remove it, or bring the server up to date"
    )]
    UnknownField(String),
    /// `spec.arn` stands beside a field that Go does not know: Go would apply the rest alone.
    #[error(
        "it has `spec.arn` beside `spec.{0}`, without which the Go server would apply it; write `arn: \"\"`, and the ARN as `arnPattern`"
    )]
    ArnWithExtension(&'static str),
    /// It cannot be a rule.
    #[error("{0}")]
    Rule(RuleError),
}

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
        // Every object with fields that Go does not know has an empty ARN, also one of a later version.
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

    /// The mapping that the object `name` holds, as it was written. An ARN of one session is refused in it, as in an
    /// object that is new.
    ///
    /// # Errors
    /// When it holds one that the Go server would read as another.
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

/// The order in which fields are read: of several errors, the first one is reported. Texts come before lists, and what Go
/// knows before what it does not.
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
