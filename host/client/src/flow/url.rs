//! Gets a key from a URL.

use ack_ram_core::secret::Secret;

use crate::error::{ClientError, Refusal, Unavailable};
use crate::flow::issued_key::{self, Parts, UPPER};
use crate::flow::{Effect, Moment, State, Transition};
use crate::http::{Call, CallLimits, HttpReply, HttpRequest, Method};
use crate::plan::UrlPlan;

#[derive(Debug)]
pub(super) struct UrlCall(UrlPlan);

pub(super) fn start(plan: UrlPlan) -> Transition {
    let mut headers = vec![("accept", Secret::new("application/json"))];
    let authorization = plan.url.basic_authorization();
    headers.extend(authorization.map(|value| ("authorization", value)));
    let request = HttpRequest {
        call: Call::Url,
        method: Method::Get,
        base: plan.url.clone(),
        path_and_query: plan.url.path_and_query(),
        headers,
        body: Secret::new(""),
        limits: CallLimits::INTERNET,
    };
    let state = State::Url(Box::new(UrlCall(plan)));
    Transition::Continue(state, Effect::Send(request))
}

impl UrlCall {
    pub(super) fn resume(self, reply: HttpReply, moment: &Moment) -> Transition {
        let service = format!("{}, the host in {},", self.0.url, self.0.origin);
        let response = match reply {
            HttpReply::Response(response) => response,
            HttpReply::TooLarge => {
                return Transition::Fail(issued_key::malformed(&service, "it is too large"));
            }
            HttpReply::Failed(failure) => {
                return Transition::Fail(ClientError::Unavailable(Unavailable {
                    cause: format!("{service} did not answer: {}", failure.text),
                    remedy: failure.advice_or("check that the service runs, and correct the URL"),
                }));
            }
        };
        if let Some(error) = status_error(response.status, &service) {
            return Transition::Fail(error);
        }
        let key = issued_key::parse(&response.body, &service).and_then(|reply| {
            issued_key::check_code(&reply, &service)?;
            issued_key::read(&reply, &UPPER, Parts::IdAndSecret, &service, moment)
        });
        match key {
            Ok(key) => Transition::Obtained(key),
            Err(error) => Transition::Fail(error),
        }
    }
}

/// Returns the error of a status other than 200.
fn status_error(status: u16, service: &str) -> Option<ClientError> {
    let cause = match status {
        200 => return None,
        300..=399 => {
            format!("{service} returned HTTP status {status}; redirects are not followed")
        }
        _ => format!("{service} returned HTTP status {status}"),
    };
    let remedy = "correct the URL, or ask the owner of the service".to_owned();
    Some(match status {
        408 | 429 | 500.. => ClientError::Unavailable(Unavailable { cause, remedy }),
        _ => ClientError::Refused(Refusal { cause, remedy }),
    })
}

#[cfg(test)]
mod tests;
