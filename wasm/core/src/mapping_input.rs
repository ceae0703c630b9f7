//! Mappings in the input of a login.

use std::borrow::Cow;
use std::fmt;

use ack_ram_core::rules::{FieldSlot, MappingField, MappingSpec};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// A mapping in the input: the fields of [`MappingSpec`], and `globs`.
#[derive(Debug, Default)]
pub struct MappingInput {
    /// The fields of the mapping.
    pub spec: MappingSpec,
    /// Whether `arn` may have wildcards.
    pub globs: bool,
}

/// The name of the member that is not a field of [`MappingSpec`].
const GLOBS: &str = "globs";

impl<'de> Deserialize<'de> for MappingInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MappingVisitor)
    }
}

struct MappingVisitor;

impl<'de> Visitor<'de> for MappingVisitor {
    type Value = MappingInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct MappingInput")
    }

    /// Reads the members through the table of fields. A derived implementation with `#[serde(flatten)]` would buffer
    /// each value and accept unknown members.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<MappingInput, A::Error> {
        let mut input = MappingInput::default();
        let mut present = Vec::new();
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            let field = MappingField::from_name(&name);
            let Some(known) = field
                .map(MappingField::name)
                .or((name == GLOBS).then_some(GLOBS))
            else {
                return Err(unknown_member(&name));
            };
            if present.contains(&known) {
                return Err(A::Error::duplicate_field(known));
            }
            present.push(known);
            match field.map(|field| input.spec.slot(field)) {
                None => input.globs = members.next_value()?,
                Some(FieldSlot::Text(text)) => *text = members.next_value()?,
                Some(FieldSlot::OptionalText(text)) => *text = members.next_value()?,
                Some(FieldSlot::Texts(texts)) => *texts = members.next_value()?,
            }
        }
        Ok(input)
    }
}

fn unknown_member<E: Error>(name: &str) -> E {
    let mut known = MappingField::NAMES.to_vec();
    known.insert(1, GLOBS);
    let known = known.join("`, `");
    E::custom(format_args!(
        "unknown field `{name}`, expected one of `{known}`"
    ))
}
