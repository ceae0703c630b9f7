//! Gets a key of a CloudSSO session.

use ack_ram_core::secret::Secret;
use serde::Serialize;

use crate::error::{ClientError, SessionKind, SignIn, Unavailable, ended_at};
use crate::flow::issued_key::{self, Parts, UPPER};
use crate::flow::{
    Effect, MemberValue, Moment, Obtained, Outcome, SessionUpdate, State, Transition,
    unexpected_outcome,
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
    if let Some(key) = live_session(plan.session.as_ref(), moment) {
        return Transition::Obtained(key);
    }
    match &plan.access_token {
        Some(token) if token.expires > moment.now => {}
        Some(token) => return Transition::Fail(sign_in(&plan, ended_at(token.expires))),
        None => return Transition::Fail(sign_in(&plan, "has no access token".to_owned())),
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

/// Returns the stored key of a session that has not ended.
pub(super) fn live_session(
    session: Option<&crate::plan::Expiring<ack_ram_core::sign::AccessKey>>,
    moment: &Moment,
) -> Option<Obtained> {
    let session = session.filter(|session| crate::plan::is_live(session.expires, moment.now))?;
    Some(Obtained {
        key: session.value.clone(),
        expires: Some(session.expires),
        session_name: None,
    })
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

fn sign_in(plan: &CloudSsoPlan, reason: String) -> ClientError {
    ClientError::SignIn(SignIn {
        profile: plan.profile.clone(),
        kind: SessionKind::CloudSso,
        reason,
    })
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
        let unavailable = |reason: String| {
            ClientError::Unavailable(Unavailable {
                cause: format!("{service} {reason}"),
                remedy: "try again; check the network, and the proxy in `HTTPS_PROXY`".to_owned(),
            })
        };
        let response = match reply {
            HttpReply::Response(response) => response,
            HttpReply::TooLarge => {
                return Err(issued_key::malformed(&service, "it is too large"));
            }
            HttpReply::Failed(failure) => {
                return Err(unavailable(format!("did not answer: {}", failure.text)));
            }
        };
        match response.status {
            200 => {
                let reply = issued_key::parse(&response.body, &service)?;
                let key = reply.object_member("CloudCredential").ok_or_else(|| {
                    issued_key::malformed(&service, "`CloudCredential` is missing")
                })?;
                issued_key::read(key, &UPPER, Parts::All, &service, moment)
            }
            400..=499 => {
                let reply = issued_key::parse(&response.body, &service).ok();
                let code = reply
                    .as_ref()
                    .and_then(|reply| reply.string_member("ErrorCode"));
                let code = shown_code(code, response.status);
                Err(sign_in(&self.plan, format!("was refused with {code}")))
            }
            status => Err(unavailable(format!("returned HTTP status {status}"))),
        }
    }
}

/// Returns an error code for a message, or else the HTTP status.
pub(super) fn shown_code(code: Option<&str>, status: u16) -> String {
    const MAX_LENGTH: usize = 80;
    let is_code = |code: &&str| {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        (1..=MAX_LENGTH).contains(&code.len()) && code.bytes().all(is_word)
    };
    match code.filter(is_code) {
        Some(code) => format!("`{code}`"),
        None => format!("HTTP status {status}"),
    }
}

/// Returns the members that store the key of a session. The stored end is earlier by `earlier` seconds.
pub(super) fn key_members(key: &Obtained, earlier: i64) -> Vec<(&'static str, MemberValue)> {
    let mut members = vec![
        (
            "access_key_id",
            MemberValue::Text(Secret::new(key.key.id.as_str())),
        ),
        (
            "access_key_secret",
            MemberValue::Text(key.key.secret.clone()),
        ),
    ];
    let token = key.key.security_token.clone();
    members.extend(token.map(|token| ("sts_token", MemberValue::Text(token))));
    members.extend(key.expires.map(|expires| {
        let end = expires.plus_seconds(-earlier).seconds();
        ("sts_expiration", MemberValue::Number(end))
    }));
    members
}
