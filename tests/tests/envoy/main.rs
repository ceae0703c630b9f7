//! The filter in a real Envoy: its release modules, the STS emulator behind TLS, and a service that records its
//! requests.

mod answers;
mod example;
mod fixture;
mod memory;
mod replies;
mod requests;
mod sts;
mod traps;
mod updates;
mod vectors;
mod workers;
