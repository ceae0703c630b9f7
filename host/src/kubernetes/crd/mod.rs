//! The `RAMIdentityMapping` resource: its type, its definition in a cluster, and its objects as they are read.

pub mod install;
pub mod mapping;
pub mod object;
mod schema;
