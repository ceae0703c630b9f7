//! What a configuration says, without a server: for the server itself, for the commands, and for the page of the token
//! inspector, which run the same code.

#![forbid(unsafe_code)]

pub mod config;
pub mod invisible;
#[doc(hidden)]
pub mod last_good;
pub mod object;
pub mod path_advice;
pub mod proxy;
