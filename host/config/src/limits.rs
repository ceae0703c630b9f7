//! Limits of the server on concurrency, and on how long it waits for its clients.

use std::time::Duration;

use crate::bounds::{DurationLimit, SectionReader};
use crate::diagnostic::Part;
use crate::layers::Layers;

/// The API server gives up on a webhook after 30 seconds.
const REQUEST_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(30));
/// A client that has been idle for this long can reconnect at no cost.
const IDLE_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(60 * 60));
/// By default, Kubernetes and systemd kill a process that takes this long to stop.
const STOP_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(10 * 60));

/// Limits of the server on concurrency, and on how long it waits for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Maximum number of connections to the webhook, if there are enough file descriptors.
    pub max_connections: usize,
    /// Maximum number of connections to the health port.
    pub max_health_connections: usize,
    /// Maximum number of concurrent requests in one HTTP/2 connection.
    pub max_streams: u32,
    /// Maximum number of request bodies that are received at the same time.
    pub max_bodies: usize,
    /// Time to receive the headers of a request; also the time that an HTTP/1.1 connection waits for the next request.
    pub header_timeout: Duration,
    /// Time to receive the body of a request.
    pub body_timeout: Duration,
    /// Time that a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// Time for in-flight requests to finish when the server stops.
    pub stop_timeout: Duration,
    /// The memory-related limits that the configuration sets. The server lowers the others if memory is scarce.
    pub explicit: ExplicitLimits,
}

/// The memory-related limits that the configuration sets explicitly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplicitLimits {
    /// Whether `server.limits.maxConnections` is set.
    pub connections: bool,
    /// Whether `server.limits.maxBodies` is set.
    pub bodies: bool,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            // API servers never open this many connections.
            max_connections: 4_096,
            // A kubelet sends one probe at a time.
            max_health_connections: 64,
            // The default of Go's HTTP/2 server.
            max_streams: 250,
            max_bodies: 1_024,
            header_timeout: Duration::from_secs(30),
            // The API server sends the body with the headers.
            body_timeout: Duration::from_secs(10),
            // API servers use their connections more often than this, and reconnect immediately.
            idle_timeout: Duration::from_secs(120),
            // Less than the 30 seconds that Kubernetes gives a pod.
            stop_timeout: Duration::from_secs(20),
            explicit: ExplicitLimits::default(),
        }
    }
}

/// Reads `server.limits` and records each error.
pub(super) fn read_server_limits(layers: &mut Layers<'_>) -> Part<ServerLimits> {
    let mut section = SectionReader::new(&mut layers.limits, &mut layers.diagnostics);
    let standard = ServerLimits::default();
    let max_connections = section.number("maxConnections", 1, 65_536);
    let max_health_connections = section.number("maxHealthConnections", 1, 4_096);
    let max_streams = section.number("maxStreams", 1, 10_000);
    let max_bodies = section.number("maxBodies", 1, 65_536);
    let header_timeout = section.duration("headerTimeout", REQUEST_TIMEOUT);
    let body_timeout = section.duration("bodyTimeout", REQUEST_TIMEOUT);
    let idle_timeout = section.duration("idleTimeout", IDLE_TIMEOUT);
    let stop_timeout = section.duration("stopTimeout", STOP_TIMEOUT);
    section.finish(ServerLimits {
        max_connections: max_connections.unwrap_or(standard.max_connections),
        max_health_connections: max_health_connections.unwrap_or(standard.max_health_connections),
        max_streams: max_streams
            .and_then(|streams| u32::try_from(streams).ok())
            .unwrap_or(standard.max_streams),
        max_bodies: max_bodies.unwrap_or(standard.max_bodies),
        header_timeout: header_timeout.unwrap_or(standard.header_timeout),
        body_timeout: body_timeout.unwrap_or(standard.body_timeout),
        idle_timeout: idle_timeout.unwrap_or(standard.idle_timeout),
        stop_timeout: stop_timeout.unwrap_or(standard.stop_timeout),
        explicit: ExplicitLimits {
            connections: max_connections.is_some(),
            bodies: max_bodies.is_some(),
        },
    })
}
