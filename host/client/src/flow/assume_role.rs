//! Assumes a role with the key of the source.

use ack_ram_core::secret::Secret;
use ack_ram_core::sts::{SessionName, SessionParameters, SessionRequest, read_session_reply};

use crate::error::{ClientError, Unavailable};
use crate::flow::sts_error::{self, Attempt, CallOrigins, Credential};
use crate::flow::{Effect, Moment, Obtained, Outcome, State, Transition, unexpected_outcome};
use crate::http::{Call, CallLimits, HttpRequest, Method};
use crate::origin::Setting;
use crate::plan::{AssumeRolePlan, HttpUrl, RoleSessionName, RoleSettings};

#[derive(Debug)]
pub(super) struct AssumeRole {
    plan: AssumeRolePlan,
    name: SessionName,
    source: Obtained,
    attempt: Attempt,
}

pub(super) fn start(
    plan: AssumeRolePlan,
    name: SessionName,
    source: Obtained,
    moment: &Moment,
) -> Transition {
    let state = AssumeRole {
        plan,
        name,
        source,
        attempt: Attempt::First,
    };
    Box::new(state).send(moment)
}

impl AssumeRole {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        let attempt = std::mem::replace(&mut self.attempt, Attempt::First);
        let (attempt, reply) = match (attempt, outcome) {
            (attempt @ (Attempt::First | Attempt::Second(_)), Outcome::Http(reply)) => {
                (attempt, reply)
            }
            (Attempt::Pause(error), Outcome::Done) => {
                self.attempt = Attempt::Second(error);
                return self.send(moment);
            }
            (Attempt::Pause(error), Outcome::NoTime) => return Transition::Fail(error),
            _ => return unexpected_outcome(),
        };
        let error = match read_session_reply(sts_error::sts_reply(&reply)) {
            Ok(session) => {
                return sts_error::obtain(session, self.name, Call::AssumeRole, &reply, moment);
            }
            Err(error) => error,
        };
        match attempt.after_error(&error, &reply, &self.origins(), moment) {
            Ok(pause) => {
                self.attempt = pause;
                Transition::Continue(State::AssumeRole(self), Effect::Wait(moment.pause))
            }
            Err(error) => Transition::Fail(error),
        }
    }

    fn send(self: Box<Self>, moment: &Moment) -> Transition {
        let session = &self.plan.session;
        let request = SessionRequest::assume_role(
            &parameters(session, &self.name),
            self.plan.external_id.as_ref().map(|id| &id.value),
            &self.source.key,
            session.endpoint.value.authority(),
            moment.stamp(),
        );
        let request = request.and_then(|request| http_request(Call::AssumeRole, session, &request));
        match request {
            Some(request) => Transition::Continue(State::AssumeRole(self), Effect::Send(request)),
            None => Transition::Fail(not_signed()),
        }
    }

    fn origins(&self) -> CallOrigins<'_> {
        let session = &self.plan.session;
        CallOrigins {
            call: Call::AssumeRole,
            subject: format!("{} from {}", session.role.value, session.role.origin),
            endpoint: &session.endpoint,
            credential: Credential::of_plan(&self.plan.source),
            role: &session.role.origin,
            name: match &self.plan.name {
                RoleSessionName::Given(name) => Some(&name.origin),
                RoleSessionName::Forwarded => None,
            },
            seconds: session.seconds.as_ref().map(|seconds| &seconds.origin),
            policy: session.policy.as_ref().map(|policy| &policy.origin),
        }
    }
}

/// Returns the parameters of a session.
pub(super) fn parameters(session: &RoleSettings, name: &SessionName) -> SessionParameters {
    fn value<T: Clone>(setting: Option<&Setting<T>>) -> Option<T> {
        setting.map(|setting| setting.value.clone())
    }
    SessionParameters {
        role: session.role.value.clone(),
        name: name.clone(),
        seconds: value(session.seconds.as_ref()),
        policy: value(session.policy.as_ref()),
    }
}

/// Converts a request to STS. Never returns `None`, because an STS endpoint is a URL.
pub(super) fn http_request(
    call: Call,
    session: &RoleSettings,
    request: &SessionRequest,
) -> Option<HttpRequest> {
    let headers = request.headers();
    Some(HttpRequest {
        call,
        method: Method::Post,
        base: HttpUrl::parse(&session.endpoint.value.to_string()).ok()?,
        path_and_query: request.path_and_query().clone(),
        headers: headers
            .map(|(name, value)| (name, Secret::clone(value)))
            .collect(),
        body: request.body().clone(),
        limits: CallLimits::INTERNET,
    })
}

pub(super) fn not_signed() -> ClientError {
    ClientError::Unavailable(Unavailable {
        cause: "the request to STS could not be built".to_owned(),
        remedy: "report this as a bug".to_owned(),
    })
}

#[cfg(test)]
mod tests;
