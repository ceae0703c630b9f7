//! A filter for Envoy that authenticates requests with the same tokens as the cluster.
//!
//! A [`Worker`] makes the decisions and does not depend on Envoy: it receives requests, replies of STS and closed
//! streams, and returns actions. Only the module `host`, which is compiled for WebAssembly only, calls Envoy and
//! performs these actions.
//!
//! ```text
//! request --Worker::plan_request--> RequestPlan { remove, action: Admit | Bypass | Refuse | Wait }
//!     Wait: Worker::next_call -> [Envoy calls STS] -> Worker::complete_call -> CompletedCall { resumed }
//! ```

mod bypass;
mod cache;
pub mod config;
mod pending_calls;
pub mod request;
pub mod worker;

#[cfg(target_arch = "wasm32")]
mod host;

pub use config::Settings;
pub use worker::Worker;
