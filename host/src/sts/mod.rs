//! The one place that speaks to STS.
//!
//! A call waits for its place in a fair [queue], then goes to the first endpoint whose circuit [breaker] lets it through. When
//! that one fails, the endpoints that the configuration names after it are asked, as long as time is left and STS takes
//! the request a second time.

mod breaker;
mod connect_error;
mod connector;
mod endpoint;
mod queue;
mod standing;
mod trust;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_config::proxy::ProxySettings;
use ack_ram_core::sts::{StsReply, StsRequest};
use bytes::Bytes;
use fastrand::Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::{Sts, StsEndpoint};
use crate::env;
use crate::metrics::StsMetrics;
use connector::Connector;
use endpoint::Endpoint;
use queue::{FairQueue, Full, Place};
pub(crate) use queue::{Sharer, SharingRoom};
pub use standing::{Caller, Standing, Standings};
pub use trust::{Trust, TrustError};

/// The target of what is logged about calls to STS.
pub(crate) const TARGET: &str = module_path!();

/// A client for STS that keeps its connections alive.
pub struct StsClient {
    /// The ones to ask, in this order.
    endpoints: Vec<Endpoint>,
    queue: Arc<FairQueue>,
    timeout: Duration,
}

/// For whom STS is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// The API server, or a person at a command line.
    ApiServer,
    /// A proxy in front of services. It may pass on what anybody on the internet sends, and a flood there must not keep
    /// people out of the cluster: together, proxies get no more than half of what there is.
    Proxy,
}

/// Who waits for a call.
#[derive(Debug)]
pub struct Askers {
    first: AskedBy,
    api_server_joined: Notify,
}

impl Askers {
    /// The call is made for `first`.
    #[must_use]
    pub fn new(first: AskedBy) -> Self {
        Self {
            first,
            api_server_joined: Notify::new(),
        }
    }

    /// Another waits for the call. It is the API server's from then on if one of them is.
    pub fn join(&self, asked_by: AskedBy) {
        if asked_by == AskedBy::ApiServer {
            self.api_server_joined.notify_one();
        }
    }
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

/// There was no place for the call, and no room or no time to wait for one. STS has not been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

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

/// For the log. What STS wrote may repeat what was signed, and is left out.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { status, body } => write!(f, "status {status}, {} bytes", body.len()),
            Self::Unreachable(text) => f.write_str(text),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::TooLarge { status } => write!(f, "status {status}, and no end"),
        }
    }
}

/// Returns what is probably meant otherwise in the variables of the environment about connections to STS. What makes
/// them unusable is an error of [`StsClient::new`].
#[must_use]
pub fn environment_warnings(settings: &Sts) -> Vec<String> {
    let proxies = ProxySettings::read(&env::variable);
    let mut warnings = proxies.warnings().to_vec();
    let mut endpoints = std::iter::once(&settings.endpoint).chain(&settings.fallback_endpoints);
    if let Some(error) = proxies.error()
        && endpoints.all(|endpoint| connector::proxy_to(endpoint, &proxies).is_ok())
    {
        warnings.push(format!("{error} (no connection to STS needs it)"));
    }
    if settings.ca_file.is_none() {
        warnings.extend(trust::warnings());
    }
    warnings
}

impl StsClient {
    /// A client as `settings` say, which `metrics` tell of. Nothing is sent yet.
    ///
    /// # Errors
    /// When there are no certificates to trust, or the proxy cannot be used.
    pub fn new(settings: &Sts, metrics: &StsMetrics) -> Result<Self, TrustError> {
        Self::trusting(&Trust::load(settings.ca_file.as_ref())?, settings, metrics)
    }

    /// The same, which takes what `trust` proves for STS, whatever `server.sts.caFile` holds now. What `metrics` showed of
    /// the breakers of another client is shown no longer.
    ///
    /// # Errors
    /// When the proxy cannot be used.
    pub fn trusting(
        trust: &Trust,
        settings: &Sts,
        metrics: &StsMetrics,
    ) -> Result<Self, TrustError> {
        let all = std::iter::once(&settings.endpoint).chain(&settings.fallback_endpoints);
        let proxies = ProxySettings::read(&env::variable);
        let connectors: Vec<(&StsEndpoint, Connector)> = all
            .map(|endpoint| {
                let connector = Connector::new(endpoint, settings, trust, &proxies)?;
                Ok((endpoint, connector))
            })
            .collect::<Result<_, TrustError>>()?;
        metrics.forget_breakers();
        let endpoints = connectors.into_iter().map(|(endpoint, connector)| {
            let calls = metrics.endpoint(endpoint.authority());
            Endpoint::new(endpoint, settings, connector, calls)
        });
        let (max_calls, max_waiting) = (settings.limits.max_calls, settings.limits.max_waiting);
        Ok(Self {
            endpoints: endpoints.collect(),
            queue: FairQueue::new(max_calls, max_waiting, metrics.queue().clone(), Rng::new()),
            timeout: settings.limits.timeout,
        })
    }

    /// Asks STS. It takes no longer than `server.sts.timeout` until the answer is complete, waiting included.
    ///
    /// Where many wait, those with other credentials than `caller` have their turns in between, and proxies leave room to
    /// others.
    ///
    /// # Errors
    /// When STS was not asked, since it is asked too much as it is.
    pub async fn call(
        &self,
        askers: &Askers,
        caller: Caller,
        request: &StsRequest,
    ) -> Result<Answer, Overloaded> {
        let start = Instant::now();
        match self.enter(askers, caller, start + self.patience()).await {
            Ok(_place) => Ok(self.ask(caller, request, start + self.timeout).await),
            Err(Full) => Err(Overloaded),
        }
    }

    async fn enter(
        &self,
        askers: &Askers,
        caller: Caller,
        deadline: Instant,
    ) -> Result<Place, Full> {
        let as_first = self.queue.enter(askers.first, caller, deadline);
        match askers.first {
            AskedBy::ApiServer => as_first.await,
            AskedBy::Proxy => tokio::select! {
                place = as_first => place,
                // It gives up its turn among those of proxies.
                () = askers.api_server_joined.notified() => {
                    self.queue.enter(AskedBy::ApiServer, caller, deadline).await
                }
            },
        }
    }

    /// Returns how long a call waits for its place. The rest is for STS: a call whose turn comes later would be made in
    /// vain, and take the place of one that has time left.
    fn patience(&self) -> Duration {
        self.timeout * 3 / 5
    }

    async fn ask(&self, caller: Caller, request: &StsRequest, deadline: Instant) -> Answer {
        let mut answer = None;
        let mut unreachable = Vec::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let time = self.share(index, request, deadline);
            if time.is_zero() {
                answer.get_or_insert(Answer::TimedOut);
                break;
            }
            if let Err(pause) = endpoint.admit() {
                tracing::debug!(endpoint = endpoint.name(), "left alone");
                unreachable.push(self.says(endpoint, &left_alone(pause)));
                continue;
            }
            if index > 0 {
                endpoint.calls.fallbacks.inc();
            }
            let outcome = endpoint.ask(request, time).await;
            let is_late = outcome.ran_out && time < self.fair_share();
            // A call that waited long for its place had little time for STS. That is not STS's fault.
            if !is_late {
                endpoint.note(outcome.verdict, caller);
            }
            if let Answer::Unreachable(text) = &outcome.answer {
                unreachable.push(self.says(endpoint, text));
            }
            let may_go_on = !outcome.was_sent || request.may_be_resent();
            let is_done = !outcome.verdict.is_failure() || !may_go_on;
            answer = Some(outcome.answer);
            if is_done {
                break;
            }
        }
        match answer {
            Some(answer @ (Answer::Response { .. } | Answer::TooLarge { .. })) => answer,
            Some(Answer::TimedOut) => Answer::TimedOut,
            Some(Answer::Unreachable(_)) | None => Answer::Unreachable(unreachable.join("; ")),
        }
    }

    /// How long the endpoint at `index` has: what is left is for all that may still be asked.
    fn share(&self, index: usize, request: &StsRequest, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = if request.may_be_resent() {
            self.endpoints.len() - index
        } else {
            1
        };
        left / u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Half of what an endpoint has when a call does not wait for its place.
    fn fair_share(&self) -> Duration {
        self.timeout / u32::try_from(2 * self.endpoints.len()).unwrap_or(u32::MAX)
    }

    /// What is to be known of `endpoint`, which is named where there are several.
    fn says(&self, endpoint: &Endpoint, text: &str) -> String {
        match self.endpoints.len() {
            1 => text.to_owned(),
            _ => format!("{}: {text}", endpoint.name()),
        }
    }
}

fn left_alone(pause: Duration) -> String {
    match pause {
        Duration::ZERO => {
            "it failed again and again; a probe finds out whether it is back".to_owned()
        }
        pause => format!(
            "it failed again and again; the next probe is in {} ms",
            pause.as_millis()
        ),
    }
}
