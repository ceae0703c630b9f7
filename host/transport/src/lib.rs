//! Connections to STS, for every program that calls it: TLS and the certificates to trust, the proxy of the environment,
//! a deadline, and a text that says why there is no connection.
//!
//! [`StsTrust`] and [`ProxySettings`](proxy::ProxySettings) are read first. A [`Connector`] for one endpoint takes both,
//! and serves as the connector of an HTTP client. Queue, circuit breaker, retries and metrics are the caller's.

#![forbid(unsafe_code)]

mod connect_error;
mod connector;
pub mod proxy;
mod trust;

pub use connect_error::{describe_connect_error, is_timeout, text_with_causes};
pub use connector::{Connector, proxy_to};
pub use trust::{StsTrust, StsTrustError, trust_warnings};
