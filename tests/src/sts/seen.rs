//! What the emulator remembers of requests.

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Version};

use super::arrived::Arrived;
use super::fault::Fault;

/// The headers of a call of `GetCallerIdentity` that sends what is signed and no more, in the order of their names.
pub const GET_CALLER_IDENTITY_HEADERS: [&str; 9] = [
    "accept",
    "authorization",
    "content-length",
    "host",
    "user-agent",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-version",
];

/// The emulator may run for long under load: older requests than these many are forgotten.
const KEPT: usize = 10_000;

/// A request that reached the emulator.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// `POST`, or `GET` for token v1.
    pub method: Method,
    /// Path and query, as sent.
    pub target: String,
    /// The HTTP version.
    pub version: Version,
    /// The headers; `Authorization` and security token are among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// `x-acs-action`, or the parameter `Action`.
    pub action: Option<String>,
    /// The error code that STS has for it; `None` is success.
    ///
    /// A fault changes what the client gets, not this.
    pub error: Option<String>,
    /// The fault that answered in place of STS.
    pub fault: Option<Fault>,
}

impl SeenRequest {
    /// The names of all headers, in their order.
    #[must_use]
    pub fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    calls: VecDeque<SeenRequest>,
    probes: VecDeque<SeenRequest>,
}

impl Seen {
    pub(super) fn record(&mut self, arrived: Arrived, error: Option<String>, fault: Option<Fault>) {
        let seen = if arrived.is_probe() {
            &mut self.probes
        } else {
            &mut self.calls
        };
        if seen.len() == KEPT {
            seen.pop_front();
        }
        seen.push_back(SeenRequest {
            target: arrived.target(),
            action: arrived.action().map(str::to_owned),
            method: arrived.parts.method,
            version: arrived.parts.version,
            headers: arrived.parts.headers,
            body: arrived.body,
            error,
            fault,
        });
    }

    pub(super) fn calls(&self) -> Vec<SeenRequest> {
        self.calls.iter().cloned().collect()
    }

    pub(super) fn probes(&self) -> Vec<SeenRequest> {
        self.probes.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.probes.clear();
    }
}
