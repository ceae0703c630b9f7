//! ack-ram-authenticator: the webhook server, the exec credential plugin, and the commands for administrators.
//!
//! A build without the feature `server` has only the commands of clients, such as `token`. It contains no server and no
//! Kubernetes client.
#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod environment;
pub mod logging;

// The server, and what only its commands use.
#[cfg(feature = "server")]
mod audit;
#[cfg(feature = "server")]
pub mod authenticator;
#[cfg(feature = "server")]
pub mod backends;
#[cfg(feature = "server")]
mod backoff;
#[cfg(feature = "server")]
pub mod certs;
#[cfg(feature = "server")]
mod control;
#[cfg(feature = "server")]
mod exposure;
#[cfg(feature = "server")]
mod files;
#[cfg(all(feature = "server", test))]
mod fixture;
#[cfg(feature = "server")]
pub mod kubeconfig;
#[cfg(feature = "server")]
pub mod kubernetes;
#[cfg(feature = "server")]
mod line_writer;
#[cfg(feature = "server")]
pub mod manual;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
mod polling;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod sts;

pub use ack_ram_config as config;
