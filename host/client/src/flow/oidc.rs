//! Assumes a role with an OIDC token.

use ack_ram_core::secret::Secret;
use ack_ram_core::sts::{SessionRequest, read_session_reply};

use crate::error::{ClientError, Refusal, SetupError, ValueFault};
use crate::files::{FileContent, FileError};
use crate::flow::assume_role::{http_request, not_signed, parameters};
use crate::flow::sts_error::{self, Attempt, CallOrigins, Credential};
use crate::flow::{Effect, Moment, Outcome, State, Transition, unexpected_outcome};
use crate::http::Call;
use crate::plan::OidcPlan;

/// The length of an OIDC token (STS API reference, AssumeRoleWithOIDC).
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 4..=20_000;

#[derive(Debug)]
pub(super) struct Oidc {
    plan: OidcPlan,
    /// The token, once it has been read.
    token: Option<Secret>,
    attempt: Attempt,
}

pub(super) fn start(plan: OidcPlan, token: Option<Secret>, moment: &Moment) -> Transition {
    let path = plan.token_file.value.clone();
    let state = Box::new(Oidc {
        plan,
        token,
        attempt: Attempt::First,
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
            None => format!("has {} characters, not 4 to 20,000", token.len()),
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
        let attempt = std::mem::replace(&mut self.attempt, Attempt::First);
        let (attempt, reply) = match (attempt, outcome) {
            (Attempt::First, Outcome::File(content)) if self.token.is_none() => {
                return match self.read_token(content) {
                    Ok(token) => {
                        self.token = Some(token);
                        self.send(moment)
                    }
                    Err(error) => Transition::Fail(error),
                };
            }
            (attempt @ (Attempt::First | Attempt::Second(_)), Outcome::Http(reply))
                if self.token.is_some() =>
            {
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
                let name = self.plan.name.value;
                return sts_error::obtain(session, name, Call::AssumeRoleWithOidc, &reply, moment);
            }
            Err(error) => error,
        };
        match attempt.after_error(&error, &reply, &self.origins(), moment) {
            Ok(pause) => {
                self.attempt = pause;
                Transition::Continue(State::Oidc(self), Effect::Wait(moment.pause))
            }
            Err(error) => Transition::Fail(error),
        }
    }

    fn read_token(&self, content: Result<FileContent, FileError>) -> Result<Secret, ClientError> {
        let content = content.map_err(|error| SetupError::File {
            path: self.plan.token_file.value.clone(),
            selected_by: self.plan.token_file.origin.clone(),
            error,
        })?;
        self.plan.token(&content)
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
            endpoint: &session.endpoint,
            credential: Credential {
                is_cached: false,
                text: format!(
                    "the OIDC token in `{}`",
                    self.plan.token_file.value.display()
                ),
                secret: None,
                sign_in: None,
            },
            role: &session.role.origin,
            name: Some(&self.plan.name.origin),
            seconds: session.seconds.as_ref().map(|seconds| &seconds.origin),
            policy: session.policy.as_ref().map(|policy| &policy.origin),
        }
    }
}

#[cfg(test)]
mod tests;
