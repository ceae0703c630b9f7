//! The `RAMIdentityMapping` resource: its type, its definition in a cluster, and parsed objects.

pub mod install;
pub mod mapping;
pub mod object;
mod schema;
