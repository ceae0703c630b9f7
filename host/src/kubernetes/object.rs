//! `RAMIdentityMapping` objects as the API server hands them out: whatever older definitions let in, none of them keeps
//! the others from being read.

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
use crate::kubernetes::mapping::{RamIdentityMapping, RamIdentityMappingStatus};

/// An object, to list and watch with `Api<MappingObject>`.
///
/// What is wrong with its `spec` is kept, in place of an error that would break the whole list. Of `metadata`, only
/// names, versions and times are kept: `managedFields` alone may be larger than all the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingObject {
    metadata: ObjectMeta,
    spec: Result<ObjectSpec, ObjectError>,
    /// The parts of `spec` that can be read.
    partial: Box<PartialEntry>,
    status: RamIdentityMappingStatus,
}

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
        spec.to_mapping(self.name(), self.age())
    }

    /// The parts of it that can be read, should it be no rule.
    #[must_use]
    pub fn partial(&self) -> &PartialEntry {
        &self.partial
    }

    /// The rule that it is.
    ///
    /// # Errors
    /// When it is none. [`ack_ram_core::rules::RuleError::NoSubject`] tells an object that names nobody.
    pub fn rule(&self) -> Result<Rule, ObjectError> {
        Rule::compile(self.mapping()?).map_err(ObjectError::Rule)
    }

    /// By creation time. The API server gives every object one; an object without comes last.
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
            partial: Box::new(PartialEntry::from_object(&spec)),
            spec: ObjectSpec::parse(spec),
            status: serde_json::from_value(status).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests;
