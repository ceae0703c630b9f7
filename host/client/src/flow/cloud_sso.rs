//! Gets a key of a CloudSSO session.

use ack_ram_core::secret::Secret;
use serde::Serialize;

use crate::error::{ClientError, SessionKind, SignIn, ended_at};
use crate::flow::issued_key::{self, Parts, UPPER};
use crate::flow::session::{SessionCall, key_members, live_key};
use crate::flow::{
    Effect, Moment, Obtained, Outcome, SessionUpdate, State, Transition, unexpected_outcome,
};
use crate::http::{Call, CallLimits, HttpReply, HttpRequest, Method};
use crate::plan::CloudSsoPlan;

/// The CLI stores an end that is earlier by this number of seconds.
const STORED_EARLIER_SECONDS: i64 = 5;

#[derive(Debug)]
pub(super) struct CloudSso {
    plan: CloudSsoPlan,
    /// The key, once it has been issued.
    obtained: Option<Obtained>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyRequest<'a> {
    account_id: &'a str,
    access_configuration_id: &'a str,
}

pub(super) fn start(plan: CloudSsoPlan, moment: &Moment) -> Transition {
    if let Some(key) = live_key(plan.session.as_ref(), moment) {
        return Transition::Obtained(key);
    }
    match &plan.access_token {
        Some(token) if token.expires > moment.now => {}
        Some(token) => return fail(sign_in(&plan, ended_at(token.expires))),
        None => return fail(sign_in(&plan, "has no access token".to_owned())),
    }
    match request(&plan) {
        Some(request) => {
            let state = Box::new(CloudSso {
                plan,
                obtained: None,
            });
            Transition::Continue(State::CloudSso(state), Effect::Send(request))
        }
        None => Transition::Fail(crate::flow::assume_role::not_signed()),
    }
}

fn request(plan: &CloudSsoPlan) -> Option<HttpRequest> {
    let token = plan.access_token.as_ref()?;
    let body = KeyRequest {
        account_id: &plan.account_id,
        access_configuration_id: &plan.access_config,
    };
    Some(HttpRequest {
        call: Call::CloudSsoKey,
        method: Method::Post,
        base: plan.sign_in_url.clone(),
        path_and_query: Secret::new("/cloud-credentials"),
        headers: vec![
            ("accept", Secret::new("application/json")),
            (
                "authorization",
                Secret::new(format!("Bearer {}", token.value.expose())),
            ),
            ("content-type", Secret::new("application/json")),
        ],
        body: Secret::new(serde_json::to_string(&body).ok()?),
        limits: CallLimits::INTERNET,
    })
}

fn sign_in(plan: &CloudSsoPlan, reason: String) -> SignIn {
    SignIn {
        profile: plan.profile.clone(),
        kind: SessionKind::CloudSso,
        reason,
    }
}

fn fail(sign_in: SignIn) -> Transition {
    Transition::Fail(ClientError::SignIn(sign_in))
}

impl CloudSso {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        let reply = match (outcome, self.obtained.take()) {
            (Outcome::Http(reply), None) => reply,
            (Outcome::Done, Some(key)) => return Transition::Obtained(key),
            _ => return unexpected_outcome(),
        };
        match self.read(reply, moment) {
            Ok(key) => {
                let Some(token) = &self.plan.access_token else {
                    return unexpected_outcome();
                };
                let expected = ("access_token", token.value.clone());
                let members = key_members(&key, STORED_EARLIER_SECONDS);
                let update = SessionUpdate {
                    profile: self.plan.profile.clone(),
                    expected,
                    members,
                };
                self.obtained = Some(key);
                Transition::Continue(State::CloudSso(self), Effect::Save(update))
            }
            Err(error) => Transition::Fail(error),
        }
    }

    fn read(&self, reply: HttpReply, moment: &Moment) -> Result<Obtained, ClientError> {
        let service = format!("the CloudSSO service {}", self.plan.sign_in_url);
        let call = SessionCall {
            call: Call::CloudSsoKey,
            service: &service,
            code: "ErrorCode",
        };
        let response = call.successful(reply, |reason| sign_in(&self.plan, reason))?;
        let reply = issued_key::parse(&response.body, &service)?;
        let key = reply
            .object_member("CloudCredential")
            .ok_or_else(|| issued_key::malformed(&service, "`CloudCredential` is missing"))?;
        issued_key::read(key, &UPPER, Parts::All, &service, moment)
    }
}

#[cfg(test)]
mod tests;
