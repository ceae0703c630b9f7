//! Credentials: the key that a client signs with, and where it comes from.

mod environment;
mod error;

pub use environment::from_environment;
pub use error::{CredentialError, ValueFault};
