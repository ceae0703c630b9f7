//! Explains tokens and configurations to people, and grants nothing.
//!
//! The decision is in `ack_ram_core`, and what a configuration says in `ack_ram_config`. This crate analyzes both for
//! the commands and for the page of the token inspector:
//!
//! - [`inspect`] takes a token apart and lists the checks that it passes and fails.
//! - [`lint`] finds what is wrong or risky in a configuration.
//! - [`explain`] traces how a configuration maps an identity.
//! - [`diff`] compares the access that two configurations give.
//!
//! As in `ack_ram_core`, there is no I/O, no clock and no global state, and no input panics.

#![forbid(unsafe_code)]

#[cfg(feature = "config")]
pub mod bundle;
#[cfg(feature = "config")]
pub mod compiled_config;
pub mod diff;
#[cfg(feature = "config")]
pub mod explain;
#[cfg(feature = "config")]
pub mod findings;
pub mod inspect;
#[cfg(feature = "config")]
pub mod lint;
pub mod mapping_terms;
pub mod placeholder;
