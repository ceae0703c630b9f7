//! A call to STS, by Envoy's own client: its TLS, connections and deadlines.

use ack_ram_core::sts::StsReply;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, MapType, Status};

use crate::config::MAX_ANSWER_BYTES;
use crate::worker::{Call, reply};

/// Sends `call`. Envoy's id of it, under which the answer comes.
pub(super) fn send(call: &Call) -> Result<u32, Status> {
    let headers = call.headers.iter().map(|(name, value)| (*name, &**value));
    let (cluster, timeout) = (&call.cluster, call.timeout);
    hostcalls::dispatch_http_call(cluster, headers.collect(), None, Vec::new(), timeout)
}

/// What came of a call.
pub(super) enum Reply {
    Response { status: u16, body: Bytes },
    TooLarge,
    Unreachable,
}

impl Reply {
    /// The reply that Envoy's calls are about now.
    pub(super) fn read(headers: usize, body: usize) -> Self {
        if headers == 0 {
            return Self::Unreachable;
        }
        if body > MAX_ANSWER_BYTES {
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

    /// What `core` is told.
    pub(super) fn as_sts_reply(&self) -> StsReply<'_> {
        match self {
            Self::Response { status, body } => reply(*status, body),
            Self::TooLarge => StsReply::TooLarge,
            Self::Unreachable => StsReply::Unreachable,
        }
    }
}
