//! The examples in `deploy/envoy`, as they are but for ports, addresses and the authority that they trust.

mod generated;
mod login;
mod questions;
mod started;
mod tokens;
mod trust;
