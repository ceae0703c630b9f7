//! Asks STS for the name of the session of a key, so that the next session gets the same name.

use ack_ram_core::arn::Resource;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::sign::sign_token_v2;
use ack_ram_core::sts::SessionName;

use crate::error::{ClientError, Refusal};
use crate::flow::assume_role::{self, not_signed};
use crate::flow::identity_call::{IdentityCall, IdentityError, SigningKey};
use crate::flow::sts_error::{Attempt, is_timeout};
use crate::flow::{Effect, Moment, Obtained, Outcome, State, Transition, unexpected_outcome};
use crate::plan::AssumeRolePlan;

pub(super) struct ForwardedName {
    role: AssumeRolePlan,
    source: Obtained,
    /// The call in flight; `None` during the pause before the second try.
    call: Option<IdentityCall>,
    attempt: Attempt,
}

impl std::fmt::Debug for ForwardedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ForwardedName({:?})", self.role)
    }
}

pub(super) fn start(role: AssumeRolePlan, source: Obtained, moment: &Moment) -> Transition {
    ask(role, source, Attempt::First, moment)
}

fn ask(role: AssumeRolePlan, source: Obtained, attempt: Attempt, moment: &Moment) -> Transition {
    // The token is used here only, so its cluster does not matter.
    let Some(cluster) = ClusterId::parse("session-name") else {
        return Transition::Fail(not_signed());
    };
    let user_agent = "ack-ram-authenticator";
    let Some(token) = sign_token_v2(&source.key, &cluster, user_agent, moment.now) else {
        return Transition::Fail(not_signed());
    };
    let policy = TokenPolicy {
        max_token_bytes: usize::MAX,
        ..TokenPolicy::new(cluster)
    };
    let endpoint = role.session.endpoint.clone();
    let (call, request) = match IdentityCall::new(&token, &policy, endpoint, moment) {
        Ok(call) => call,
        Err(error) => return Transition::Fail(error),
    };
    let state = ForwardedName {
        role,
        source,
        call: Some(call),
        attempt,
    };
    let state = State::ForwardedName(Box::new(state));
    Transition::Continue(state, Effect::Send(request))
}

impl ForwardedName {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        let attempt = std::mem::replace(&mut self.attempt, Attempt::First);
        let (attempt, reply, call) = match (attempt, outcome, self.call.take()) {
            (attempt @ (Attempt::First | Attempt::Second(_)), Outcome::Http(reply), Some(call)) => {
                (attempt, reply, call)
            }
            (Attempt::Pause(error), Outcome::Done, None) => {
                return ask(self.role, self.source, Attempt::Second(error), moment);
            }
            (Attempt::Pause(error), Outcome::NoTime, None) => return Transition::Fail(error),
            _ => return unexpected_outcome(),
        };
        let key = SigningKey {
            plan: &self.role.source,
            is_cached: false,
        };
        match call.read(&reply, key, moment) {
            Ok(verified) => {
                let arn = &verified.identity().arn;
                let name = match arn.resource() {
                    Resource::AssumedRole { session, .. } => SessionName::parse(session),
                    Resource::Root | Resource::User(_) | Resource::Role(_) => None,
                };
                match name {
                    Some(name) => assume_role::start(self.role, name, self.source, moment),
                    None => Transition::Fail(ClientError::Refused(Refusal {
                        cause: format!(
                            "`--forward-session-name` needs the key of a session, but the key is that of `{arn}`"
                        ),
                        remedy: "use `--session-name`".to_owned(),
                    })),
                }
            }
            Err(error) => {
                let is_temporary = matches!(error, IdentityError::Temporary(_));
                let (IdentityError::Temporary(error) | IdentityError::Final(error)) = error;
                match attempt.after_failure(is_temporary, is_timeout(&reply), error) {
                    Ok(pause) => {
                        self.attempt = pause;
                        Transition::Continue(State::ForwardedName(self), Effect::Wait(moment.pause))
                    }
                    Err(error) => Transition::Fail(error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
