//! Shared code of the tests and the quickstart: an emulator of STS, and harnesses that run the real programs and
//! clean up after them.

pub mod authenticator;
pub mod bare_server;
pub mod broken_edits;
pub mod browser;
pub mod callers;
pub mod cluster;
pub mod dates;
pub mod envoy;
pub mod eventually;
pub mod exposition;
pub mod fixture;
pub mod health;
pub mod isolation;
pub mod load;
pub mod observability;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod repository;
pub mod server_config;
pub mod sts;
pub mod tls_secret;
pub mod tools;
pub mod traffic;
pub mod uptime;
pub mod usage;
pub mod vectors;
#[cfg(feature = "wasm")]
pub mod wasm_guest;
pub mod webhook;
