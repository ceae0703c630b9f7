//! The examples in `deploy/envoy`, as they are but for ports, addresses and the authority that they trust.

mod login;
mod started;
mod trust;
