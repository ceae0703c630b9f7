//! What a configuration says, without a server: for the server itself, for the commands, and for the page of the token
//! inspector, which run the same code.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod compile;
pub mod compiled_config;
pub mod config;
pub mod explain;
pub mod findings;
#[doc(hidden)]
pub mod last_good;
pub mod object;
pub mod proxy;
