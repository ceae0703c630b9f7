//! The requests that the emulator records.

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Version};

use super::decoded_request::DecodedRequest;
use super::fault::Fault;

/// The headers of a `GetCallerIdentity` call that sends only what is signed, sorted by name.
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

/// The number of recorded requests. Older requests are dropped, because the emulator may run under load for a long
/// time.
const KEPT: usize = 10_000;

/// A request that the emulator received.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method: `POST`, or `GET` for token v1.
    pub method: Method,
    /// The path and the query as they were sent.
    pub target: String,
    /// The HTTP version.
    pub version: Version,
    /// The headers, including `Authorization` and the security token.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The action: `x-acs-action`, or the parameter `Action`.
    pub action: Option<String>,
    /// The error code of STS; `None` for success.
    ///
    /// A fault changes the reply to the client, but not this field.
    pub error: Option<String>,
    /// The fault that replaced the reply of STS.
    pub fault: Option<Fault>,
}

impl RecordedRequest {
    /// Returns the names of all headers, sorted.
    #[must_use]
    pub fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

#[derive(Debug, Default)]
pub(super) struct RequestLog {
    calls: VecDeque<RecordedRequest>,
    probes: VecDeque<RecordedRequest>,
}

impl RequestLog {
    pub(super) fn record(
        &mut self,
        request: DecodedRequest,
        error: Option<String>,
        fault: Option<Fault>,
    ) {
        let requests = if request.is_probe() {
            &mut self.probes
        } else {
            &mut self.calls
        };
        if requests.len() == KEPT {
            requests.pop_front();
        }
        requests.push_back(RecordedRequest {
            target: request.target(),
            action: request.action().map(str::to_owned),
            method: request.parts.method,
            version: request.parts.version,
            headers: request.parts.headers,
            body: request.body,
            error,
            fault,
        });
    }

    pub(super) fn calls(&self) -> Vec<RecordedRequest> {
        self.calls.iter().cloned().collect()
    }

    pub(super) fn probes(&self) -> Vec<RecordedRequest> {
        self.probes.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.probes.clear();
    }
}
