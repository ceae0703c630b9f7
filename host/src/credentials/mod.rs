//! Credentials: the access key that a client signs with, and its source.

mod environment;
mod error;

pub use environment::from_environment;
pub use error::{CredentialError, ValueFault};
