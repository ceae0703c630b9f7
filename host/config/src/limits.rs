//! How much the server does at once, and how long it waits for those who are connected.

use std::time::Duration;

use crate::bounds::{DurationLimit, SectionReader};
use crate::diagnostic::Part;
use crate::layers::Layers;

/// The API server gives up on a webhook after 30 seconds.
const REQUEST_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(30));
/// Whoever connects anew after that loses nothing.
const IDLE_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(60 * 60));
/// Kubernetes and systemd kill what takes longer, unless they are told otherwise.
const STOP_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(10 * 60));

/// How much the server does at once, and how long it waits for those who are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The most connections to the webhook, when there are file descriptors enough.
    pub max_connections: usize,
    /// The most connections to the health port.
    pub max_health_connections: usize,
    /// The most requests at once in one connection of HTTP/2.
    pub max_streams: u32,
    /// The most bodies of requests that are on their way at once.
    pub max_bodies: usize,
    /// How long the headers of a request may take, and in HTTP/1.1 how long a connection waits for the next request.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How long what is under way may take when the server is asked to stop.
    pub stop_timeout: Duration,
    /// Which of the limits on memory somebody has set. The others are lowered where there is little memory.
    pub explicit: ExplicitLimits,
}

/// Which of the limits on memory the configuration sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplicitLimits {
    /// `server.limits.maxConnections`.
    pub connections: bool,
    /// `server.limits.maxBodies`.
    pub bodies: bool,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            // More are no API servers.
            max_connections: 4_096,
            // A kubelet asks one thing at a time.
            max_health_connections: 64,
            // As in Go's server of HTTP/2.
            max_streams: 250,
            max_bodies: 1_024,
            header_timeout: Duration::from_secs(30),
            // The API server sends the body with the headers.
            body_timeout: Duration::from_secs(10),
            // API servers keep theirs busier, and make another at once.
            idle_timeout: Duration::from_secs(120),
            // Below the 30 s that Kubernetes gives a pod.
            stop_timeout: Duration::from_secs(20),
            explicit: ExplicitLimits::default(),
        }
    }
}

/// Reads `server.limits`, and records each error.
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
