//! The client: finds an access key, and signs tokens with it.
//!
//! 1. [`resolve`] decides how the key is obtained: settings, environment and files give a [`plan::Plan`].
//! 2. A [`flow`] runs the plan. It does no I/O: it says what to send, run, read or write, and a [`driver`] does that.
//!
//! The crate depends on no server and no Kubernetes client. Without its default feature `driver`, it makes no calls: it
//! decides on plans, and runs them on made-up replies.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "driver"),
    allow(
        dead_code,
        unused_imports,
        reason = "the driver is the only user of some items, which need no condition of their own"
    )
)]

pub mod cache;
#[cfg(feature = "driver")]
pub mod doctor;
#[cfg(feature = "driver")]
pub mod driver;
pub mod environment;
pub mod error;
mod file_lock;
#[cfg(feature = "driver")]
mod file_replacement;
pub mod files;
pub mod finding;
pub mod flow;
pub mod http;
#[cfg(feature = "driver")]
mod identify;
mod ini;
#[cfg(feature = "driver")]
pub mod kubeconfig;
#[cfg(feature = "driver")]
mod obtain;
pub mod origin;
pub mod plan;
mod platform;
pub mod resolve;
#[cfg(feature = "driver")]
mod session_file;
pub mod settings;
pub mod token;

#[cfg(feature = "driver")]
pub use identify::CallerIdentity;
#[cfg(feature = "driver")]
pub use obtain::Client;
