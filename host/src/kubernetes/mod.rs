//! Kubernetes as a place where mappings come from: the `RAMIdentityMapping` resource, and how to reach the API server.

pub mod client;
mod config_map;
mod desired_status;
mod events;
mod failure;
pub mod install;
mod lease;
pub mod mapping;
mod mapping_controller;
pub mod object;
mod objects;
mod observed_status;
mod revision;
mod schema;
mod session_arn;
mod status_queue;
mod watch;
mod writer;

pub use mapping_controller::{MappingController, Observation, Observer};
pub use writer::Replica;
