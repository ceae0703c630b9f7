//! Kubernetes as a place where mappings come from: the `RAMIdentityMapping` resource, and how to reach the API server.

pub mod client;
mod config_map;
mod due;
mod events;
mod failure;
mod history;
pub mod install;
mod lease;
pub mod mapping;
mod mappings;
pub mod object;
mod objects;
mod report;
mod reported;
mod schema;
mod session_arn;
mod watch;
mod writer;

pub use mappings::{Mappings, Observation, Observe};
pub use writer::Replica;
