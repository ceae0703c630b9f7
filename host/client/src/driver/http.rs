//! Sends one request over a new connection.

use std::time::Duration;

use ack_ram_core::time::UnixTime;
use ack_ram_transport::proxy::ProxySettings;
use ack_ram_transport::{
    Audience, Connector, StsTrust, connect_advice, is_timeout, text_with_causes,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method as HttpMethod, Request, Response, Uri};
use hyper_rustls::MaybeHttpsStream;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tower_service::Service as _;
use zeroize::Zeroizing;

use crate::finding::{Findings, Topic};
use crate::http::{
    Call, CallFailure, CallLimits, HttpReply, HttpRequest, HttpResponse, MAX_REPLY_BYTES, Method,
};

/// The user agent of all calls.
const USER_AGENT: &str = concat!("ack-ram-authenticator/", env!("CARGO_PKG_VERSION"));
/// The clock of this machine may differ from that of a service by this number of seconds without a finding.
pub(crate) const MAX_CLOCK_DIFFERENCE: u64 = 60;

/// Time limits of a call, within the time of the command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    connect: Duration,
    answer: Option<Duration>,
    total: Duration,
}

impl Limits {
    pub(super) fn new(limits: CallLimits, remaining: Duration) -> Self {
        Self {
            connect: limits.connect.min(remaining),
            answer: limits.answer,
            total: remaining,
        }
    }
}

/// How a service was reached.
#[derive(Debug, Default)]
pub(super) struct CallRoute {
    /// The address of the proxy; `None` for a direct connection.
    pub(super) proxy: Option<String>,
    /// The certificate of the service, in DER; `None` without TLS, and if there was no connection.
    pub(super) certificate: Option<Vec<u8>>,
}

/// Sends a request. Also returns how the service was reached. The advice of a failure is for `audience`.
pub(super) async fn call(
    request: HttpRequest,
    limits: Limits,
    trust: &StsTrust,
    proxies: &ProxySettings,
    audience: Audience,
) -> (HttpReply, CallRoute) {
    let mut route = CallRoute::default();
    let reply = match tokio::time::timeout(
        limits.total,
        exchange(request, limits, trust, proxies, audience, &mut route),
    )
    .await
    {
        Ok(Ok(reply)) => reply,
        Ok(Err(failure)) => HttpReply::Failed(failure),
        Err(_) => HttpReply::Failed(timed_out()),
    };
    (reply, route)
}

async fn exchange(
    request: HttpRequest,
    limits: Limits,
    trust: &StsTrust,
    proxies: &ProxySettings,
    audience: Audience,
    route: &mut CallRoute,
) -> Result<HttpReply, CallFailure> {
    let endpoint: Uri = format!("{}/", request.base).parse().map_err(invalid)?;
    let mut connector =
        Connector::new(&endpoint, limits.connect, trust, proxies).map_err(invalid)?;
    let forwarding = connector.forwarding_proxy().cloned();
    route.proxy = connector.proxy().map(ToString::to_string);
    let stream = connector
        .call(endpoint)
        .await
        .map_err(|error| CallFailure {
            text: text_with_causes(error.as_ref()),
            advice: connect_advice(error.as_ref(), audience),
            is_timeout: is_timeout(error.as_ref()),
        })?;
    route.certificate = certificate_of(&stream);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let request = build(request, forwarding.as_ref())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response).await
    };
    let reply = match limits.answer {
        Some(time) => tokio::time::timeout(time, answer)
            .await
            .unwrap_or_else(|_| Err(timed_out())),
        None => answer.await,
    };
    connection.abort();
    reply
}

fn certificate_of<T>(stream: &MaybeHttpsStream<T>) -> Option<Vec<u8>>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let MaybeHttpsStream::Https(stream) = stream else {
        return None;
    };
    let (_, session) = stream.inner().get_ref();
    let certificate = session.peer_certificates()?.first()?;
    Some(certificate.to_vec())
}

fn build(
    request: HttpRequest,
    forwarding: Option<&ack_ram_transport::proxy::Proxy>,
) -> Result<Request<Full<Bytes>>, CallFailure> {
    let target = match forwarding {
        Some(_) => format!("{}{}", request.base, request.path_and_query.expose()),
        None => request.path_and_query.expose().to_owned(),
    };
    let target = Zeroizing::new(target);
    let mut http = Request::builder()
        .method(HttpMethod::from_bytes(request.method.name().as_bytes()).map_err(invalid)?)
        .uri(target.as_str())
        .header(header::USER_AGENT, USER_AGENT);
    if !request.headers.iter().any(|(name, _)| *name == "host") {
        http = http.header(header::HOST, request.base.authority());
    }
    if request.method != Method::Get {
        // hyper leaves the header out of a request without a body, and some servers then answer 411.
        http = http.header(header::CONTENT_LENGTH, request.body.expose().len());
    }
    let proxy_user = forwarding.and_then(|proxy| proxy.user.as_ref());
    let headers = request.headers.iter().map(|(name, value)| (*name, value));
    let authorization = proxy_user.map(|user| ("proxy-authorization", &user.authorization));
    for (name, value) in headers.chain(authorization) {
        let mut value = HeaderValue::from_str(value.expose()).map_err(invalid)?;
        value.set_sensitive(true);
        http = http.header(HeaderName::from_static(name), value);
    }
    let body = Bytes::copy_from_slice(request.body.expose().as_bytes());
    http.body(Full::new(body)).map_err(invalid)
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<HttpReply, CallFailure> {
    let status = response.status().as_u16();
    let date = response.headers().get(header::DATE);
    let date = date.and_then(|value| OffsetDateTime::parse(value.to_str().ok()?, &Rfc2822).ok());
    let date = date.map(|time| UnixTime::from_seconds(time.unix_timestamp()));
    match Limited::new(response.into_body(), MAX_REPLY_BYTES)
        .collect()
        .await
    {
        Ok(body) => Ok(HttpReply::Response(HttpResponse {
            status,
            date,
            body: Zeroizing::new(body.to_bytes().to_vec()),
        })),
        Err(error) if error.is::<LengthLimitError>() => Ok(HttpReply::TooLarge),
        Err(error) => Err(CallFailure::new(text_with_causes(error.as_ref()))),
    }
}

/// Adds a finding about a call, and one about the clock if the clocks differ.
pub(super) fn note(
    call: Call,
    host: &str,
    proxy: Option<&str>,
    time: Duration,
    reply: &HttpReply,
    now: UnixTime,
    findings: &mut Findings,
) {
    let by = proxy.map_or(String::new(), |proxy| format!(" by the proxy {proxy}"));
    let result = match reply {
        HttpReply::Response(response) => format!("HTTP status {}", response.status),
        HttpReply::TooLarge => "a reply that is too large".to_owned(),
        HttpReply::Failed(failure) => match &failure.advice {
            Some(advice) => format!("no answer: {}; {advice}", failure.text),
            None => format!("no answer: {}", failure.text),
        },
    };
    let milliseconds = time.as_millis();
    findings.note(
        Topic::Calls,
        format!(
            "{} at {host}{by}: {result} after {milliseconds} ms",
            call.name()
        ),
    );
    let HttpReply::Response(HttpResponse {
        date: Some(date), ..
    }) = reply
    else {
        return;
    };
    let ahead = now.seconds_since(*date);
    if ahead.unsigned_abs() > MAX_CLOCK_DIFFERENCE {
        let direction = if ahead > 0 { "ahead of" } else { "behind" };
        findings.warn(
            Topic::Clock,
            format!(
                "the clock of this machine is {} s {direction} the clock of {host}",
                ahead.unsigned_abs()
            ),
            "set the clock of this machine",
        );
    }
}

fn timed_out() -> CallFailure {
    CallFailure::timeout("the time limit passed")
}

fn broken(error: hyper::Error) -> CallFailure {
    CallFailure::new(text_with_causes(&error))
}

/// Returns the failure of a request that cannot be sent. The texts of these errors quote no value.
fn invalid(error: impl std::fmt::Display) -> CallFailure {
    CallFailure::new(format!("the request cannot be sent: {error}"))
}

#[cfg(test)]
mod tests;
