//! Runs a plan, without I/O: a flow says what to do next, and is resumed with the result and the time.

mod assume_role;
mod cloud_sso;
mod forwarded_name;
pub(crate) mod identity_call;
mod issued_key;
mod metadata;
mod oauth;
mod oidc;
mod process;
mod redact;
#[cfg(test)]
mod script;
mod session;
mod sts_error;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::sts::{RequestStamp, SessionName};
use ack_ram_core::time::UnixTime;

use crate::error::{ClientError, Unavailable};
use crate::files::{FileContent, FileError};
use crate::http::{HttpReply, HttpRequest};
use crate::origin::Profile;
use crate::plan::{AssumeRolePlan, Plan, RoleSessionName};
pub(crate) use issued_key::parse_time;
pub use process::ProcessOutput;

/// A plan that runs. `Debug` shows no secret.
///
/// A flow is a pure function of the plan, the results, and the times: the replies of services can be made up.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use ack_ram_client::flow::{Effect, Flow, Moment, Outcome, Step};
/// use ack_ram_client::http::{HttpReply, HttpResponse};
/// use ack_ram_client::origin::Origin;
/// use ack_ram_client::plan::{HttpUrl, Plan, UrlPlan};
/// use ack_ram_core::time::UnixTime;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let plan = Plan::Url(UrlPlan {
///     url: HttpUrl::parse("http://127.0.0.1:8080/key")?,
///     origin: Origin::Variable("ALIBABA_CLOUD_CREDENTIALS_URI"),
/// });
/// let moment = Moment {
///     now: UnixTime::from_seconds(1_767_323_045),
///     nonce: "0123456789abcdef".to_owned(),
///     pause: Duration::from_secs(1),
/// };
/// let Step::Continue(flow, Effect::Send(request)) = Flow::start(plan, None, &moment) else {
///     return Err("the flow sends no request".into());
/// };
/// assert_eq!(request.base.to_string(), "http://127.0.0.1:8080");
/// let body = br#"{"AccessKeyId":"LTAI5tFakeAccessKeyId001","AccessKeySecret":"FakeSecret"}"#;
/// let reply = HttpReply::Response(HttpResponse {
///     status: 200,
///     date: None,
///     body: body.to_vec().into(),
/// });
/// let Step::Done(Ok(obtained)) = flow.resume(Outcome::Http(reply), &moment) else {
///     return Err("the flow has no key".into());
/// };
/// assert_eq!(obtained.key.id.as_str(), "LTAI5tFakeAccessKeyId001");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Flow {
    state: State,
    /// The roles that are still to be assumed; the next is the last.
    roles: Vec<AssumeRolePlan>,
}

/// What to do next.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// Do this, and resume the flow with the result.
    Continue(Flow, Effect),
    /// The flow has ended.
    Done(Result<Obtained, ClientError>),
}

/// Something that the driver does for a flow. `Debug` shows no secret.
#[derive(Debug)]
pub enum Effect {
    /// Send a request. The result is [`Outcome::Http`].
    Send(HttpRequest),
    /// Run a program with its arguments. The result is [`Outcome::Process`].
    Run(Vec<Secret>),
    /// Read a file. The result is [`Outcome::File`].
    Read(PathBuf),
    /// Write members into a profile of the Alibaba Cloud CLI. The result is [`Outcome::Done`], even if the members
    /// could not be written: the session can be used now.
    Save(SessionUpdate),
    /// Wait. The result is [`Outcome::Done`], or [`Outcome::NoTime`] without a wait.
    Wait(Duration),
}

/// The result of an [`Effect`].
#[derive(Debug)]
pub enum Outcome {
    /// The result of [`Effect::Send`].
    Http(HttpReply),
    /// The result of [`Effect::Run`].
    Process(ProcessOutput),
    /// The result of [`Effect::Read`].
    File(Result<FileContent, FileError>),
    /// The result of [`Effect::Save`] and [`Effect::Wait`].
    Done,
    /// The result of [`Effect::Wait`] if the command would end during the wait.
    NoTime,
}

/// Members of a profile to write.
#[derive(Debug)]
pub struct SessionUpdate {
    /// The profile.
    pub profile: Arc<Profile>,
    /// A member, and the token in it that was used. If the profile has another token now, somebody has signed in again,
    /// and nothing is written.
    pub expected: (&'static str, Secret),
    /// The names and values of the members.
    pub members: Vec<(&'static str, MemberValue)>,
}

/// The value of a member.
#[derive(Debug, PartialEq, Eq)]
pub enum MemberValue {
    /// A text.
    Text(Secret),
    /// A number.
    Number(i64),
}

/// The time and the random values of a step.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The current time.
    pub now: UnixTime,
    /// A text that is different in each step.
    pub nonce: String,
    /// A random pause before a retry: half a second to one and a half seconds.
    pub pause: Duration,
}

impl Moment {
    fn stamp(&self) -> RequestStamp<'_> {
        RequestStamp {
            now: self.now,
            nonce: &self.nonce,
        }
    }
}

/// A key to sign with.
#[derive(Clone, Debug)]
pub struct Obtained {
    /// The key.
    pub key: AccessKey,
    /// When the key expires; `None` if it is permanent, or if that is unknown.
    pub expires: Option<UnixTime>,
    /// The name of the session of the key, if it is known.
    pub session_name: Option<SessionName>,
}

/// The state of the current step.
#[derive(Debug)]
enum State {
    Metadata(Box<metadata::Metadata>),
    Url(Box<url::UrlCall>),
    Process(Box<process::Process>),
    CloudSso(Box<cloud_sso::CloudSso>),
    OAuth(Box<oauth::OAuth>),
    Oidc(Box<oidc::Oidc>),
    ForwardedName(Box<forwarded_name::ForwardedName>),
    AssumeRole(Box<assume_role::AssumeRole>),
}

/// The result of a step of the current state.
enum Transition {
    /// The state needs an effect.
    Continue(State, Effect),
    /// The key is known.
    Obtained(Obtained),
    /// Another plan leads to the key.
    Plan(Box<Plan>),
    /// There is no key.
    Fail(ClientError),
}

impl Flow {
    /// Starts a plan. `oidc_token` is the content of the token file, if it has been read.
    pub fn start(plan: Plan, oidc_token: Option<Secret>, moment: &Moment) -> Step {
        let mut roles = Vec::new();
        let transition = begin(plan, &mut roles, oidc_token, moment);
        advance(transition, roles, moment)
    }

    /// Continues after an effect.
    pub fn resume(self, outcome: Outcome, moment: &Moment) -> Step {
        let transition = match (self.state, outcome) {
            (State::Metadata(state), Outcome::Http(reply)) => state.resume(reply, moment),
            (State::Url(state), Outcome::Http(reply)) => state.resume(reply, moment),
            (State::Process(state), Outcome::Process(output)) => state.resume(output, moment),
            (State::CloudSso(state), outcome) => state.resume(outcome, moment),
            (State::OAuth(state), outcome) => state.resume(outcome, moment),
            (State::Oidc(state), outcome) => state.resume(outcome, moment),
            (State::ForwardedName(state), outcome) => state.resume(outcome, moment),
            (State::AssumeRole(state), outcome) => state.resume(outcome, moment),
            _ => unexpected_outcome(),
        };
        advance(transition, self.roles, moment)
    }
}

/// Starts the source of `plan`, and adds the roles that follow it to `roles`.
fn begin(
    mut plan: Plan,
    roles: &mut Vec<AssumeRolePlan>,
    oidc_token: Option<Secret>,
    moment: &Moment,
) -> Transition {
    loop {
        plan = match plan {
            Plan::AssumeRole(role) => {
                let source = role.source.clone();
                roles.push(*role);
                source
            }
            Plan::Key(plan) => return key(plan, moment),
            Plan::Metadata(plan) => return metadata::start(plan),
            Plan::Url(plan) => return url::start(plan),
            Plan::Process(plan) => return process::start(plan),
            Plan::CloudSso(plan) => return cloud_sso::start(plan, moment),
            Plan::OAuth(plan) => return oauth::start(plan, moment),
            Plan::Oidc(plan) => return oidc::start(plan, oidc_token, moment),
        };
    }
}

/// Follows transitions until an effect is needed, or until the flow ends.
fn advance(mut transition: Transition, mut roles: Vec<AssumeRolePlan>, moment: &Moment) -> Step {
    loop {
        transition = match transition {
            Transition::Continue(state, effect) => {
                return Step::Continue(Flow { state, roles }, effect);
            }
            Transition::Fail(error) => return Step::Done(Err(error)),
            Transition::Plan(plan) => begin(*plan, &mut roles, None, moment),
            Transition::Obtained(key) => match roles.pop() {
                None => return Step::Done(Ok(key)),
                Some(role) => match (&role.name, &key.session_name) {
                    (RoleSessionName::Given(name), _) => {
                        let name = name.value.clone();
                        assume_role::start(role, name, key, moment)
                    }
                    (RoleSessionName::Forwarded, Some(name)) => {
                        let name = name.clone();
                        assume_role::start(role, name, key, moment)
                    }
                    (RoleSessionName::Forwarded, None) => forwarded_name::start(role, key, moment),
                },
            },
        };
    }
}

fn key(plan: crate::plan::KeyPlan, moment: &Moment) -> Transition {
    match plan.expires {
        Some(expires) if expires <= moment.now => Transition::Fail(issued_key::ended(
            &format!("the access key from {}", plan.id_origin),
            expires,
        )),
        expires => Transition::Obtained(Obtained {
            key: plan.key,
            expires,
            session_name: None,
        }),
    }
}

fn unexpected_outcome() -> Transition {
    Transition::Fail(ClientError::Unavailable(Unavailable {
        cause: "the client received a result that it did not ask for".to_owned(),
        remedy: "report this as a bug".to_owned(),
    }))
}

#[cfg(test)]
mod tests;
