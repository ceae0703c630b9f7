//! A call to STS, in the form that Envoy's HTTP client needs.

use std::time::Duration;

use ack_ram_core::sts::{StsReply, StsRequest};

use crate::config::StsSettings;

/// A call to send to STS. It contains secrets and is dropped as soon as it is sent.
pub struct StsCall {
    /// The name of the Envoy cluster.
    pub cluster: String,
    /// All headers, pseudo-headers first. The request has no body.
    pub headers: Vec<(&'static str, String)>,
    /// The timeout of the call.
    pub timeout: Duration,
}

impl StsCall {
    pub(super) fn new(request: &StsRequest, settings: &StsSettings, timeout: Duration) -> Self {
        let agent = concat!("ack-ram-authenticator/envoy/", env!("CARGO_PKG_VERSION"));
        let mut headers = vec![
            (":method", request.method().to_owned()),
            (":path", request.path_and_query().expose().to_owned()),
            (":scheme", "https".to_owned()),
            (":authority", settings.authority.clone()),
            ("user-agent", agent.to_owned()),
        ];
        let signed = request.headers();
        headers.extend(signed.map(|(name, value)| (name, value.expose().to_owned())));
        Self {
            cluster: settings.cluster.clone(),
            headers,
            timeout,
        }
    }
}

/// Classifies the reply to a call. If STS does not reply, Envoy generates a 503 or 504 response with a plain text body.
/// Replies of STS are JSON (STS API reference, "GetCallerIdentity").
#[must_use]
pub fn classify_reply(status: u16, body: &[u8]) -> StsReply<'_> {
    match (status, body.trim_ascii_start().first()) {
        (_, Some(b'{')) => StsReply::Response { status, body },
        (503, _) => StsReply::Unreachable,
        (504, _) => StsReply::TimedOut,
        _ => StsReply::Response { status, body },
    }
}
