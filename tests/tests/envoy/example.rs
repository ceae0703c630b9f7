//! The examples in `deploy/envoy`. Only their ports, addresses, and trusted authority are changed.

mod ext_authz;
mod generated;
mod login;
mod started;
mod tokens;
mod trust;
