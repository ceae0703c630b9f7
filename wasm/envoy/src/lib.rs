//! Logins inside Envoy: any service behind it takes the tokens of the cluster.
//!
//! A [`Worker`] decides without knowing Envoy: it receives requests, STS's replies and closed streams, and returns actions.
//! Only the module `host`, which exists for WebAssembly alone, calls Envoy and performs these actions.
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
