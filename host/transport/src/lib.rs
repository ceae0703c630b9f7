//! Connections to STS, for every program that calls it: TLS and the certificates to trust, the proxy of the environment,
//! a deadline, and a text that says why there is no connection.
//!
//! [`StsTrust`] and [`ProxySettings`](proxy::ProxySettings) are read first. A [`Connector`] for one endpoint takes both,
//! and serves as the connector of an HTTP client. Queue, circuit breaker, retries and metrics are the caller's.

#![forbid(unsafe_code)]

#[cfg(feature = "tls")]
mod connect_error;
#[cfg(feature = "tls")]
mod connector;
pub mod proxy;
#[cfg(feature = "tls")]
mod trust;

#[cfg(feature = "tls")]
pub use connect_error::{describe_connect_error, is_timeout, text_with_causes};
#[cfg(feature = "tls")]
pub use connector::{Connector, proxy_to};
#[cfg(feature = "tls")]
pub use trust::{StsTrust, StsTrustError, trust_warnings};
