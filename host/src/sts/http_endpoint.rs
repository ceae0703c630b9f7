//! The HTTP client of one endpoint: connections, requests and probes.

use std::time::Duration;

use ack_ram_core::sts::StsRequest;
use ack_ram_transport::{
    Audience, Connector, describe_connect_error, is_timeout, text_with_causes,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;

use crate::config::{Sts, StsEndpoint};
use crate::sts::StsResponse;

/// Maximum idle time of a kept connection. Servers commonly close idle connections after a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The state that calls and probes of an endpoint share.
pub(super) struct HttpEndpoint {
    client: Client<Connector, Empty<Bytes>>,
    base: Uri,
    max_answer_bytes: usize,
    user_agent: HeaderValue,
}

/// The connections that a call used, one for each attempt.
#[derive(Default)]
pub(super) struct CapturedConnections(Mutex<Vec<CaptureConnection>>);

impl CapturedConnections {
    fn capture(&self, request: &mut Request<Empty<Bytes>>) {
        let connection = capture_connection(request);
        self.0.lock().push(connection);
    }

    /// Returns whether a connection was established on which the request may have been sent.
    pub(super) fn was_established(&self) -> bool {
        let connections = self.0.lock();
        let mut connections = connections.iter();
        connections.any(|connection| connection.connection_metadata().is_some())
    }
}

impl HttpEndpoint {
    pub(super) fn new(endpoint: &StsEndpoint, settings: &Sts, connector: Connector) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.max_idle_connections)
            .build(connector);
        Self {
            client,
            base: endpoint.uri().clone(),
            max_answer_bytes: settings.limits.max_answer_bytes,
            user_agent: HeaderValue::from_static(concat!(
                "ack-ram-authenticator/v2/",
                env!("CARGO_PKG_VERSION")
            )),
        }
    }

    /// Sends `request` once, and reads the complete response. Redirects are not followed.
    pub(super) async fn send(
        &self,
        request: &StsRequest,
        connections: &CapturedConnections,
    ) -> Result<StsResponse, SendError> {
        let mut request = self.http_request(request).map_err(SendError::Request)?;
        connections.capture(&mut request);
        let response = self.client.request(request).await.map_err(|error| {
            if !error.is_connect() {
                SendError::BrokenOff(text_with_causes(&error))
            } else if is_timeout(&error) {
                SendError::ConnectTimedOut(describe_connect_error(&error, Audience::Server))
            } else {
                SendError::ConnectFailed(describe_connect_error(&error, Audience::Server))
            }
        })?;
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), self.max_answer_bytes)
            .collect()
            .await
        {
            Ok(body) => Ok(StsResponse::Response {
                status,
                body: body.to_bytes(),
            }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Ok(StsResponse::TooLarge { status })
            }
            Err(error) => Err(SendError::BrokenOff(text_with_causes(error.as_ref()))),
        }
    }

    /// Probes the endpoint with an unsigned request that holds no part of any token. STS refuses it. The endpoint is
    /// alive if it answers within `time`, unless with a server error.
    pub(super) async fn is_alive(&self, time: Duration) -> bool {
        let send = || async {
            let request = Request::get(self.base.clone())
                .header(header::USER_AGENT, &self.user_agent)
                .body(Empty::new())
                .ok()?;
            Some(self.client.request(request).await)
        };
        let probe = async {
            let response = match send().await? {
                Ok(response) => response,
                // STS may have just closed a kept connection.
                Err(error) if !error.is_connect() => send().await?.ok()?,
                Err(_) => return None,
            };
            let is_alive = !response.status().is_server_error();
            // A connection can be reused after its response was read.
            let body = Limited::new(response.into_body(), self.max_answer_bytes);
            drop(body.collect().await);
            Some(is_alive)
        };
        let is_alive = tokio::time::timeout(time, probe).await;
        is_alive.ok().flatten().unwrap_or(false)
    }

    fn http_request(
        &self,
        request: &StsRequest,
    ) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(request.path_and_query().expose().parse()?);
        let mut http = Request::builder()
            .method(Method::from_bytes(request.method().as_bytes())?)
            .uri(Uri::from_parts(parts)?)
            .header(header::USER_AGENT, &self.user_agent)
            .header(header::CONTENT_LENGTH, 0);
        for (name, value) in request.headers() {
            let mut value = HeaderValue::from_str(value.expose())?;
            value.set_sensitive(true);
            http = http.header(HeaderName::from_static(name), value);
        }
        http.body(Empty::new())
    }
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The request is not valid HTTP.
    #[error(transparent)]
    Request(hyper::http::Error),
    /// No connection was established.
    #[error("no connection: {0}")]
    ConnectFailed(String),
    /// No connection was established in time.
    #[error("no connection: {0}")]
    ConnectTimedOut(String),
    /// The connection was lost before the response was complete.
    #[error("connection lost: {0}")]
    BrokenOff(String),
}

impl SendError {
    /// Returns whether one retry at the same endpoint is useful and safe.
    pub(super) fn is_retryable(&self, request: &StsRequest) -> bool {
        match self {
            Self::Request(_) | Self::ConnectTimedOut(_) => false,
            Self::ConnectFailed(_) => true,
            Self::BrokenOff(_) => request.may_be_resent(),
        }
    }
}
