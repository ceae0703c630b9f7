//! Assumes a role with an OIDC token.

use ack_ram_core::secret::Secret;
use ack_ram_core::sts::{SessionRequest, read_session_reply};

use crate::error::{ClientError, Refusal, SetupError, ValueFault};
use crate::files::FileContent;
use crate::flow::assume_role::{http_request, not_signed, parameters};
use crate::flow::sts_error::{self, CallOrigins};
use crate::flow::{Effect, Moment, Obtained, Outcome, State, Transition, unexpected_outcome};
use crate::http::Call;
use crate::plan::OidcPlan;

/// The length of an OIDC token (STS API reference, AssumeRoleWithOIDC).
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 4..=20_000;

#[derive(Debug)]
pub(super) struct Oidc {
    plan: OidcPlan,
    token: Option<Secret>,
    is_retry: bool,
}

pub(super) fn start(plan: OidcPlan, token: Option<Secret>, moment: &Moment) -> Transition {
    let path = plan.token_file.value.clone();
    let state = Box::new(Oidc {
        plan,
        token,
        is_retry: false,
    });
    match state.token {
        Some(_) => state.send(moment),
        None => Transition::Continue(State::Oidc(state), Effect::Read(path)),
    }
}

impl OidcPlan {
    /// Returns the token in the content of the file, without white space around it.
    ///
    /// # Errors
    /// Returns an error if the content is not a token.
    pub fn token(&self, content: &FileContent) -> Result<Secret, ClientError> {
        let token = content.text.trim();
        let fault = ValueFault::find(token).map(|fault| fault.to_string());
        let fault = match fault {
            None if TOKEN_LENGTH.contains(&token.len()) => return Ok(Secret::new(token)),
            None if token.is_empty() => "is empty".to_owned(),
            None => format!("has {} characters", token.len()),
            Some(fault) => fault,
        };
        Err(ClientError::Refused(Refusal {
            cause: format!(
                "the OIDC token in `{}` {fault}",
                self.token_file.value.display()
            ),
            remedy: format!(
                "correct the file, or the path in {}",
                self.token_file.origin
            ),
        }))
    }
}

impl Oidc {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        let reply = match outcome {
            Outcome::Http(reply) => reply,
            // The pause before the second try is over.
            Outcome::Done => return self.send(moment),
            Outcome::File(Ok(content)) => match self.plan.token(&content) {
                Ok(token) => {
                    self.token = Some(token);
                    return self.send(moment);
                }
                Err(error) => return Transition::Fail(error),
            },
            Outcome::File(Err(error)) => {
                let error = SetupError::File {
                    path: self.plan.token_file.value,
                    selected_by: self.plan.token_file.origin,
                    error,
                };
                return Transition::Fail(error.into());
            }
            Outcome::Process(_) => return unexpected_outcome(),
        };
        match read_session_reply(sts_error::sts_reply(&reply)) {
            Ok(session) => Transition::Obtained(Obtained {
                key: session.key,
                expires: Some(session.expires),
                session_name: Some(self.plan.name.value),
            }),
            Err(error) if sts_error::is_temporary(&error) && !self.is_retry => {
                self.is_retry = true;
                Transition::Continue(State::Oidc(self), Effect::Wait(moment.pause))
            }
            Err(error) => {
                let error = sts_error::explain(&error, &reply, &self.origins(), moment);
                Transition::Fail(error)
            }
        }
    }

    fn send(self: Box<Self>, moment: &Moment) -> Transition {
        let Some(token) = &self.token else {
            return unexpected_outcome();
        };
        let session = &self.plan.session;
        let request = SessionRequest::assume_role_with_oidc(
            &parameters(session, &self.plan.name.value),
            &self.plan.provider.value,
            token,
            moment.stamp(),
        );
        match http_request(Call::AssumeRoleWithOidc, session, &request) {
            Some(request) => Transition::Continue(State::Oidc(self), Effect::Send(request)),
            None => Transition::Fail(not_signed()),
        }
    }

    fn origins(&self) -> CallOrigins<'_> {
        let session = &self.plan.session;
        CallOrigins {
            call: Call::AssumeRoleWithOidc,
            subject: format!("{} from {}", session.role.value, session.role.origin),
            endpoint: session.endpoint.value.to_string(),
            credential: format!(
                "the OIDC token in `{}`",
                self.plan.token_file.value.display()
            ),
            role: &session.role.origin,
            name: Some(&self.plan.name.origin),
            seconds: session.seconds.as_ref().map(|seconds| &seconds.origin),
            policy: session.policy.as_ref().map(|policy| &policy.origin),
        }
    }
}
