//! Mappings in Kubernetes: the `RAMIdentityMapping` resource, and the client of the API server.
//!
//! `crd` has the resource: its type, its definition, and parsed objects. `watch` watches the objects and the ConfigMap,
//! and updates the rules. `status` writes the status of each object.

pub mod client;
pub mod crd;
pub(crate) mod failure;
mod mapping_controller;
mod status;
mod watch;

pub use mapping_controller::{MappingController, Observation, Observer};
pub use status::writer::Replica;
