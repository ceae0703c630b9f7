//! Parses `RAMIdentityMapping` objects. Older definitions accept almost any object, so an invalid object is parsed,
//! too, and does not prevent reading the others.

use std::borrow::Cow;

pub use ack_ram_config::object::ObjectError;
use ack_ram_config::object::ObjectSpec;
use ack_ram_core::rules::{Mapping, Precedence, Rule};
use ack_ram_core::time::UnixTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::ClusterResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::config::partial_entry::PartialEntry;
use crate::kubernetes::crd::mapping::{RamIdentityMapping, RamIdentityMappingStatus};

/// An object, to list and watch with `Api<MappingObject>`.
///
/// Stores an error in `spec`, because a deserialization error would fail the whole list. Of `metadata`, stores only
/// names, versions and times: `managedFields` may be larger than the rest of the object.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingObject {
    metadata: ObjectMeta,
    spec: Result<ObjectSpec, ObjectError>,
    /// The parts of `spec` that can be read.
    partial: Box<PartialEntry>,
    status: RamIdentityMappingStatus,
}

impl MappingObject {
    /// Returns the name of the object.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns the generation, which counts edits of `spec`.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.metadata.generation
    }

    /// Returns the status of the object, which is empty if it cannot be parsed.
    #[must_use]
    pub fn status(&self) -> &RamIdentityMappingStatus {
        &self.status
    }

    /// Returns the mapping in `spec`.
    ///
    /// # Errors
    /// If `spec` is not a mapping, or if the Go server would interpret it differently.
    pub fn mapping(&self) -> Result<Mapping, ObjectError> {
        let spec = self.spec.as_ref().map_err(Clone::clone)?;
        spec.to_mapping(self.name(), self.age())
    }

    /// Returns the parts of `spec` that can be parsed, for an object that is not a valid rule.
    #[must_use]
    pub fn partial(&self) -> &PartialEntry {
        &self.partial
    }

    /// Compiles the mapping to a rule.
    ///
    /// # Errors
    /// If the object is not a valid rule. [`ack_ram_core::rules::RuleError::NoSubject`] means that it has no subject.
    pub fn rule(&self) -> Result<Rule, ObjectError> {
        Rule::compile(self.mapping()?).map_err(ObjectError::Rule)
    }

    /// Returns the precedence by creation time. An object without a creation time, which the API server never sends,
    /// comes last.
    fn age(&self) -> Precedence {
        let created = self.metadata.creation_timestamp.as_ref();
        Precedence::Created(UnixTime::from_seconds(
            created.map_or(i64::MAX, |time| time.0.as_second()),
        ))
    }
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
        /// The fields that the API server itself sets, and whose types are therefore certain.
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
            partial: Box::new(PartialEntry::from_object(&spec)),
            spec: ObjectSpec::parse(spec),
            status: serde_json::from_value(status).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests;
