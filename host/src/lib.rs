//! ack-ram-authenticator: the webhook server, the exec credential plugin, and the commands for administrators.
#![forbid(unsafe_code)]

mod audit;
pub mod authenticator;
pub mod backends;
mod backoff;
pub mod certs;
pub mod cli;
pub mod clock;
mod control;
pub mod environment;
mod exposure;
mod files;
#[cfg(test)]
mod fixture;
pub mod kubeconfig;
pub mod kubernetes;
mod line_writer;
pub mod logging;
pub mod manual;
pub mod metrics;
mod polling;
pub mod server;
pub mod sts;

pub use ack_ram_config as config;
