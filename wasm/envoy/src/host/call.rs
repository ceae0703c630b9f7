//! Calls to STS through Envoy's HTTP client, which provides TLS, connections and deadlines.

use ack_ram_core::sts::StsReply;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, MapType, Status};

use crate::config::MAX_REPLY_BYTES;
use crate::worker::{StsCall, classify_reply};

/// Sends `call`. Returns Envoy's ID of the call, which the reply refers to.
pub(super) fn send(call: &StsCall) -> Result<u32, Status> {
    let headers = call.headers.iter().map(|(name, value)| (*name, &**value));
    let (cluster, timeout) = (&call.cluster, call.timeout);
    hostcalls::dispatch_http_call(cluster, headers.collect(), None, Vec::new(), timeout)
}

/// The reply to a call.
pub(super) enum HttpReply {
    Response { status: u16, body: Bytes },
    TooLarge,
    Unreachable,
}

impl HttpReply {
    /// Receives the reply of Envoy's current callback.
    pub(super) fn receive(headers: usize, body: usize) -> Self {
        if headers == 0 {
            return Self::Unreachable;
        }
        if body > MAX_REPLY_BYTES {
            return Self::TooLarge;
        }
        let status = hostcalls::get_map_value(MapType::HttpCallResponseHeaders, ":status");
        let status = status.ok().flatten().and_then(|status| status.parse().ok());
        let body = match body {
            0 => Some(Bytes::new()),
            size => hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size)
                .ok()
                .flatten()
                .filter(|bytes| bytes.len() == size),
        };
        match (status, body) {
            (Some(status), Some(body)) => Self::Response { status, body },
            _ => Self::Unreachable,
        }
    }

    /// Converts the reply to the type that `core` expects.
    pub(super) fn as_sts_reply(&self) -> StsReply<'_> {
        match self {
            Self::Response { status, body } => classify_reply(*status, body),
            Self::TooLarge => StsReply::TooLarge,
            Self::Unreachable => StsReply::Unreachable,
        }
    }
}
