//! Asks STS for the name of the session of a key, so that the next session gets the same name.

use ack_ram_core::arn::Resource;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::login::{self, AwaitingSts, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::sign_token_v2;
use ack_ram_core::sts::SessionName;

use crate::error::{ClientError, Refusal};
use crate::flow::assume_role::{self, not_signed};
use crate::flow::sts_error::{self, CallOrigins, Credential};
use crate::flow::{Effect, Moment, Obtained, Outcome, State, Transition, unexpected_outcome};
use crate::http::{Call, CallLimits, HttpRequest, Method};
use crate::plan::{AssumeRolePlan, HttpUrl};

pub(super) struct ForwardedName {
    role: AssumeRolePlan,
    source: Obtained,
    /// The call in flight; `None` during the pause before the second try.
    awaiting: Option<AwaitingSts>,
    is_retry: bool,
}

impl std::fmt::Debug for ForwardedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ForwardedName({:?})", self.role)
    }
}

pub(super) fn start(role: AssumeRolePlan, source: Obtained, moment: &Moment) -> Transition {
    ask(role, source, false, moment)
}

fn ask(role: AssumeRolePlan, source: Obtained, is_retry: bool, moment: &Moment) -> Transition {
    let Some((awaiting, request)) = call(&role, &source, moment) else {
        return Transition::Fail(not_signed());
    };
    let state = ForwardedName {
        role,
        source,
        awaiting: Some(awaiting),
        is_retry,
    };
    let state = State::ForwardedName(Box::new(state));
    Transition::Continue(state, Effect::Send(request))
}

/// Signs a token that is used here only. Its cluster does not matter.
fn call(
    role: &AssumeRolePlan,
    source: &Obtained,
    moment: &Moment,
) -> Option<(AwaitingSts, HttpRequest)> {
    let cluster = ClusterId::parse("session-name")?;
    let token = sign_token_v2(&source.key, &cluster, "ack-ram-authenticator", moment.now)?;
    let policy = TokenPolicy {
        max_token_bytes: usize::MAX,
        ..TokenPolicy::new(cluster)
    };
    let Step::CallSts(awaiting) = login::begin(token.expose(), &policy, moment.now) else {
        return None;
    };
    let endpoint = &role.session.endpoint.value;
    let sts = awaiting.request();
    let request = HttpRequest {
        call: Call::GetCallerIdentity,
        method: Method::Post,
        base: HttpUrl::parse(&endpoint.to_string()).ok()?,
        path_and_query: sts.path_and_query().clone(),
        headers: sts
            .headers()
            .map(|(name, value)| (name, Secret::clone(value)))
            .collect(),
        body: Secret::new(""),
        limits: CallLimits::INTERNET,
    };
    Some((awaiting, request))
}

impl ForwardedName {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        let (reply, awaiting) = match (outcome, self.awaiting.take()) {
            (Outcome::Http(reply), Some(awaiting)) => (reply, awaiting),
            (Outcome::Done, None) => return ask(self.role, self.source, true, moment),
            _ => return unexpected_outcome(),
        };
        match awaiting.resume(sts_error::sts_reply(&reply), moment.now) {
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
            Err(error) if sts_error::is_temporary(&error) && !self.is_retry => {
                Transition::Continue(State::ForwardedName(self), Effect::Wait(moment.pause))
            }
            Err(error) => {
                let credential = Credential::of_plan(&self.role.source);
                let origins = CallOrigins {
                    call: Call::GetCallerIdentity,
                    subject: credential.text.clone(),
                    endpoint: self.role.session.endpoint.value.to_string(),
                    credential,
                    role: &self.role.session.role.origin,
                    name: None,
                    seconds: None,
                    policy: None,
                };
                Transition::Fail(sts_error::explain(&error, &reply, &origins, moment))
            }
        }
    }
}

#[cfg(test)]
mod tests;
