//! The one place that speaks to STS.

mod connector;

use std::fmt;
use std::time::Duration;

use ack_ram_core::sts::{StsReply, StsRequest};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::Sts;
use crate::metrics::StsCalls;
use connector::Connector;
pub use connector::TrustError;

/// An answer of STS is below a kilobyte. Of a longer one no more than this is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Less than the minute after which servers commonly close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A client for one STS endpoint that keeps its connections alive.
#[derive(Clone)]
pub struct StsClient {
    client: Client<Connector, Empty<Bytes>>,
    base: Uri,
    deadline: Duration,
    user_agent: HeaderValue,
    counted_by: Option<StsCalls>,
}

/// What came of a call.
#[derive(Debug)]
pub enum Answer {
    /// An HTTP response, its body complete.
    Response {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Bytes,
    },
    /// No connection, or it broke off; the text says how, for the log.
    Unreachable(String),
    /// The deadline passed.
    TimedOut,
    /// The body was longer than any answer.
    TooLarge {
        /// The HTTP status.
        status: u16,
    },
}

impl Answer {
    /// What `core` is told.
    #[must_use]
    pub fn as_reply(&self) -> StsReply<'_> {
        match self {
            Self::Response { status, body } => StsReply::Response {
                status: *status,
                body,
            },
            Self::Unreachable(_) => StsReply::Unreachable,
            Self::TimedOut => StsReply::TimedOut,
            Self::TooLarge { .. } => StsReply::TooLarge,
        }
    }
}

impl StsClient {
    /// A client as `settings` say. Nothing is sent yet.
    ///
    /// # Errors
    /// When there are no certificates to trust, or the proxy cannot be used.
    pub fn new(settings: &Sts) -> Result<Self, TrustError> {
        let connector = Connector::new(settings)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.max_idle_connections)
            .build(connector);
        Ok(Self {
            client,
            base: settings.endpoint.uri().clone(),
            deadline: settings.timeout,
            user_agent: HeaderValue::from_static(concat!(
                "ack-ram-authenticator/v2/",
                env!("CARGO_PKG_VERSION")
            )),
            counted_by: None,
        })
    }

    /// The same client; its calls are counted by `calls`.
    #[must_use]
    pub fn counted_by(self, calls: StsCalls) -> Self {
        Self {
            counted_by: Some(calls),
            ..self
        }
    }

    /// Sends `request` and waits for the whole answer, no longer than the deadline. Redirects are not followed.
    ///
    /// A connection that breaks off gives one more try: STS may have closed a kept one just then, and a token v2 may
    /// be sent any number of times.
    pub async fn call(&self, request: &StsRequest) -> Answer {
        let tries = async {
            match self.send(request).await {
                Err(Failure::BrokenOff(_)) if request.may_be_resent() => self.send(request).await,
                other => other,
            }
        };
        let counted = self.counted_by.as_ref().map(StsCalls::begin);
        let answer = match tokio::time::timeout(self.deadline, tries).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => Answer::Unreachable(failure.to_string()),
            Err(_) => Answer::TimedOut,
        };
        if let Some(call) = counted {
            call.end(&answer);
        }
        answer
    }

    async fn send(&self, request: &StsRequest) -> Result<Answer, Failure> {
        let request = self.http_request(request).map_err(Failure::Request)?;
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                Failure::NotConnected(text_with_causes(&error))
            } else {
                Failure::BrokenOff(text_with_causes(&error))
            }
        })?;
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), MAX_BODY_BYTES)
            .collect()
            .await
        {
            Ok(body) => Ok(Answer::Response {
                status,
                body: body.to_bytes(),
            }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Ok(Answer::TooLarge { status })
            }
            Err(error) => Err(Failure::BrokenOff(text_with_causes(error.as_ref()))),
        }
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

/// Why no answer was had.
enum Failure {
    /// The request cannot be written as HTTP.
    Request(hyper::http::Error),
    /// No connection was made.
    NotConnected(String),
    /// A connection broke off before the answer was complete.
    BrokenOff(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::NotConnected(text) => write!(f, "no connection: {text}"),
            Self::BrokenOff(text) => write!(f, "the connection broke off: {text}"),
        }
    }
}

/// hyper's own text seldom says what happened; the error under it does.
fn text_with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}
