//! Logins inside Envoy: any service behind it takes the tokens of the cluster.
//!
//! What happens to a request is decided here without knowing Envoy: a [`Worker`] is told of requests, of answers of STS
//! and of streams that are gone, and says what to do. Only the module `host`, which is there for WebAssembly alone, speaks
//! to Envoy, and does as it is told.
//!
//! ```text
//! request --Worker::arrived--> Arrival { remove, then: Enter | Bypass | Refuse | Wait }
//!                                                     Wait: Worker::next_call -> [Envoy calls STS] -> Worker::answered -> Woken
//! ```

mod bypass;
mod cache;
pub mod config;
mod flights;
pub mod request;
pub mod worker;

#[cfg(target_arch = "wasm32")]
mod host;

pub use config::Settings;
pub use worker::Worker;
