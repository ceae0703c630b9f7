//! Kubernetes as a place where mappings come from: the `RAMIdentityMapping` resource, and how to reach the API server.
//!
//! `crd` holds the resource: its type, its definition, and its objects as they are read. `watch` reads objects and the
//! ConfigMap, and changes the rules. `status` writes what became of each object.

pub mod client;
pub mod crd;
pub(crate) mod failure;
mod mapping_controller;
mod status;
mod watch;

pub use mapping_controller::{MappingController, Observation, Observer};
pub use status::writer::Replica;
