//! Connections to STS, for every program that calls it: TLS and trusted certificates, the proxy from the environment,
//! a deadline, and explanations of connection errors.
//!
//! Load [`StsTrust`] and [`ProxySettings`](proxy::ProxySettings) first. Then create a [`Connector`] for an endpoint
//! from both, and use it as the connector of an HTTP client. The queue, circuit breaker, retries and metrics are left
//! to the caller.

#![forbid(unsafe_code)]

#[cfg(feature = "tls")]
mod connect_error;
#[cfg(feature = "tls")]
mod connector;
pub mod proxy;
#[cfg(feature = "tls")]
mod trust;

#[cfg(feature = "tls")]
pub use connect_error::{
    Audience, connect_advice, describe_connect_error, is_timeout, text_with_causes,
};
#[cfg(feature = "tls")]
pub use connector::{Connector, proxy_to};
#[cfg(feature = "tls")]
pub use trust::{StsTrust, StsTrustError, trust_warnings};
