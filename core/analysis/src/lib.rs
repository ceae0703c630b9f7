//! Explains tokens and configurations to people. Nothing in this crate grants access.
//!
//! `ack_ram_core` makes the decision, and `ack_ram_config` parses configurations. This crate analyzes both for the
//! commands and for the page of the token inspector:
//!
//! - [`inspect`] decodes a token and lists the checks that it passes and fails.
//! - [`lint`] finds errors and risks in a configuration.
//! - [`explain`] traces how a configuration maps an identity.
//! - [`diff`] compares the access that two configurations give.
//!
//! As in `ack_ram_core`, there is no I/O, no clock and no global state, and no input causes a panic.

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
