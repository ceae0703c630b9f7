//! Shared code of the tests and the quickstart: an emulator of STS, and harnesses that run the real programs and
//! clean up after them.

pub mod authenticator;
pub mod bare_server;
pub mod broken_edits;
pub mod browser;
pub mod callers;
pub mod cloud_sso;
pub mod cluster;
pub mod connect_proxy;
pub mod dates;
pub mod envoy;
pub mod eventually;
pub mod exposition;
pub mod fixture;
pub mod health;
pub mod http_service;
pub mod isolation;
pub mod key_url;
pub mod load;
mod merge_patch;
pub mod metadata;
pub mod oauth;
pub mod observability;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod repository;
pub mod scripts;
pub mod server_config;
mod service_thread;
pub mod socks_proxy;
pub mod sts;
pub mod terminal;
pub mod test_authority;
pub mod tls_secret;
pub mod tools;
pub mod traffic;
pub mod uptime;
pub mod usage;
pub mod vectors;
#[cfg(feature = "wasm")]
pub mod wasm_guest;
pub mod webhook;
