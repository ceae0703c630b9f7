//! The client: finds an access key, and signs tokens with it.
//!
//! 1. [`resolve`] decides how the key is obtained: settings, environment and files give a [`plan::Plan`].
//! 2. A [`flow`] runs the plan. It does no I/O: it says what to send, run, read or write, and a [`driver`] does that.
//!
//! The crate depends on no server and no Kubernetes client.

#![forbid(unsafe_code)]

pub mod cache;
pub mod doctor;
pub mod driver;
pub mod environment;
pub mod error;
mod file_lock;
pub mod files;
pub mod finding;
pub mod flow;
pub mod http;
mod identify;
mod ini;
pub mod kubeconfig;
mod obtain;
pub mod origin;
pub mod plan;
mod platform;
pub mod resolve;
mod session_file;
pub mod settings;
pub mod token;

pub use identify::CallerIdentity;
pub use obtain::Client;
