//! The terms of a mapping: its condition and the names that it gives, without its subject.

use ack_ram_core::rules::{FieldSlot, FieldValue, MappingField, MappingSpec};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The terms of a mapping: its fields without those that name the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingTerms(MappingSpec);

impl MappingTerms {
    /// Builds the terms from `spec`, without its subject.
    #[must_use]
    pub fn new(mut spec: MappingSpec) -> Self {
        for field in MappingField::ALL.iter().filter(|field| field.is_subject()) {
            match spec.slot(*field) {
                FieldSlot::Text(text) => text.clear(),
                FieldSlot::OptionalText(text) => *text = None,
                FieldSlot::Texts(texts) => texts.clear(),
            }
        }
        Self(spec)
    }

    /// Builds the terms from `spec` with sorted lists, so that terms compare equal regardless of the order of names.
    #[must_use]
    pub fn sorted(mut spec: MappingSpec) -> Self {
        for field in MappingField::ALL {
            if let FieldSlot::Texts(texts) = spec.slot(*field) {
                texts.sort_unstable();
                texts.dedup();
            }
        }
        Self::new(spec)
    }

    /// Returns the terms as a spec without a subject.
    #[must_use]
    pub fn spec(&self) -> &MappingSpec {
        &self.0
    }

    /// Returns the terms with their names and values, in the order of [`MappingField::ALL`].
    pub fn fields(&self) -> impl Iterator<Item = (MappingField, FieldValue<'_>)> {
        let fields = MappingField::ALL.iter().copied();
        fields
            .filter(|field| !field.is_subject())
            .map(|field| (field, self.0.value(field)))
    }
}

/// Serializes the fields that are set. `groups` is always included.
impl Serialize for MappingTerms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        let is_member =
            |field, value: FieldValue<'_>| value.is_set() || field == MappingField::Groups;
        for (field, value) in self.fields() {
            if !is_member(field, value) {
                continue;
            }
            match value {
                FieldValue::Text(text) => members.serialize_entry(field.name(), text)?,
                FieldValue::OptionalText(text) => members.serialize_entry(field.name(), &text)?,
                FieldValue::Texts(texts) => members.serialize_entry(field.name(), texts)?,
            }
        }
        members.end()
    }
}
