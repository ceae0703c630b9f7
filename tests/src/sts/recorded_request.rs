//! The requests that the emulator records.

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Version};

use super::decoded_request::DecodedRequest;
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
pub struct RecordedRequest {
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

impl RecordedRequest {
    /// The names of all headers, in their order.
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
