//! Gets a key of an OAuth session.
//!
//! A refresh token is good for one use. The new one is written before it is used, so that a crash costs no session.
//!
//! The clock of this machine decides whether the stored access token lives. If the clock is wrong, the service refuses the
//! access token, and new tokens are requested once.

use ack_ram_core::protocol::json::{JsonObject, JsonValue};
use ack_ram_core::protocol::percent;
use ack_ram_core::secret::Secret;

use crate::error::{ClientError, SessionKind, SignIn, ValueFault, ended_at};
use crate::flow::issued_key::{self, LOWER, Parts};
use crate::flow::session::{SessionCall, key_members, live_key};
use crate::flow::{
    Effect, MemberValue, Moment, Obtained, Outcome, SessionUpdate, State, Transition,
    unexpected_outcome,
};
use crate::http::{Call, CallLimits, HttpReply, HttpRequest, HttpResponse, Method};
use crate::plan::{Expiring, HttpUrl, OAuthPlan, is_live};

#[derive(Debug)]
pub(super) struct OAuth {
    plan: OAuthPlan,
    step: OAuthStep,
    /// Whether new tokens have been requested.
    is_refreshed: bool,
}

#[derive(Debug)]
enum OAuthStep {
    /// New tokens are requested.
    Refresh,
    /// New tokens are being written. The flow then fails if the reply had no usable access token.
    SaveTokens(Option<ClientError>),
    /// The key is requested.
    Exchange,
    /// The key is being written.
    SaveKey(Obtained),
}

pub(super) fn start(plan: OAuthPlan, moment: &Moment) -> Transition {
    if let Some(key) = live_key(plan.session.as_ref(), moment) {
        return Transition::Obtained(key);
    }
    let has_access_token = plan
        .access_token
        .as_ref()
        .is_some_and(|token| is_live(token.expires, moment.now));
    let step = match (has_access_token, &plan.refresh_token) {
        (true, _) => OAuthStep::Exchange,
        (false, Some(_)) => OAuthStep::Refresh,
        (false, None) => {
            let reason = match &plan.access_token {
                Some(token) => ended_at(token.expires),
                None => "has no tokens".to_owned(),
            };
            return Transition::Fail(ClientError::SignIn(sign_in(&plan, reason)));
        }
    };
    let state = OAuth {
        plan,
        step,
        is_refreshed: false,
    };
    Box::new(state).send()
}

fn sign_in(plan: &OAuthPlan, reason: String) -> SignIn {
    SignIn {
        profile: plan.profile.clone(),
        kind: SessionKind::OAuth(plan.site),
        reason,
    }
}

impl OAuth {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        match (self.step, outcome) {
            (OAuthStep::Refresh, Outcome::Http(reply)) => {
                match self.plan.read_tokens(reply, moment) {
                    Ok((update, failure)) => {
                        self.step = OAuthStep::SaveTokens(failure);
                        Transition::Continue(State::OAuth(self), Effect::Save(update))
                    }
                    Err(error) => Transition::Fail(error),
                }
            }
            (OAuthStep::SaveTokens(Some(failure)), Outcome::Done) => Transition::Fail(failure),
            (OAuthStep::SaveTokens(None), Outcome::Done) => {
                self.step = OAuthStep::Exchange;
                self.send()
            }
            (OAuthStep::Exchange, Outcome::Http(HttpReply::Response(response)))
                if response.status == 401
                    && !self.is_refreshed
                    && self.plan.refresh_token.is_some() =>
            {
                self.step = OAuthStep::Refresh;
                self.send()
            }
            (OAuthStep::Exchange, Outcome::Http(reply)) => {
                match self.plan.read_key(reply, moment) {
                    Ok(key) => {
                        let Some(token) = &self.plan.access_token else {
                            return unexpected_outcome();
                        };
                        let update = SessionUpdate {
                            profile: self.plan.profile.clone(),
                            expected: ("oauth_access_token", token.value.clone()),
                            members: key_members(&key, 0),
                        };
                        self.step = OAuthStep::SaveKey(key);
                        Transition::Continue(State::OAuth(self), Effect::Save(update))
                    }
                    Err(error) => Transition::Fail(error),
                }
            }
            (OAuthStep::SaveKey(key), Outcome::Done) => Transition::Obtained(key),
            _ => unexpected_outcome(),
        }
    }

    fn send(mut self: Box<Self>) -> Transition {
        let request = match self.step {
            OAuthStep::Refresh => {
                self.is_refreshed = true;
                self.plan.refresh_request()
            }
            OAuthStep::Exchange => self.plan.exchange_request(),
            OAuthStep::SaveTokens(_) | OAuthStep::SaveKey(_) => None,
        };
        match request {
            Some(request) => Transition::Continue(State::OAuth(self), Effect::Send(request)),
            None => unexpected_outcome(),
        }
    }
}

impl OAuthPlan {
    fn refresh_request(&self) -> Option<HttpRequest> {
        let form = percent::canonical_query(&[
            ("client_id", self.site.client_id()),
            ("grant_type", "refresh_token"),
            ("refresh_token", self.refresh_token.as_ref()?.expose()),
        ]);
        self.request(
            Call::OAuthRefresh,
            "/v1/token",
            vec![(
                "content-type",
                Secret::new("application/x-www-form-urlencoded"),
            )],
            Secret::new(form),
        )
    }

    fn exchange_request(&self) -> Option<HttpRequest> {
        let token = self.access_token.as_ref()?.value.expose();
        self.request(
            Call::OAuthExchange,
            "/v1/exchange",
            vec![
                ("authorization", Secret::new(format!("Bearer {token}"))),
                ("content-type", Secret::new("application/json")),
            ],
            Secret::new(""),
        )
    }

    fn request(
        &self,
        call: Call,
        path: &str,
        mut headers: Vec<(&'static str, Secret)>,
        body: Secret,
    ) -> Option<HttpRequest> {
        headers.push(("accept", Secret::new("application/json")));
        Some(HttpRequest {
            call,
            method: Method::Post,
            base: HttpUrl::parse(self.site.base_url()).ok()?,
            path_and_query: Secret::new(path),
            headers,
            body,
            limits: CallLimits::INTERNET,
        })
    }

    /// Takes over new tokens, and returns the members to write.
    ///
    /// The old refresh token is used up, so a new one is written even if the rest of the reply is unusable. The second
    /// value is the error in the rest of the reply.
    fn read_tokens(
        &mut self,
        reply: HttpReply,
        moment: &Moment,
    ) -> Result<(SessionUpdate, Option<ClientError>), ClientError> {
        let service = self.service();
        let response = self.successful(reply, Call::OAuthRefresh, &service)?;
        let reply = issued_key::parse(&response.body, &service)?;
        let refresh_token = read_token(&reply, "refresh_token", &service)?;
        let used = self.refresh_token.replace(refresh_token.clone());
        let used = used
            .ok_or_else(|| ClientError::SignIn(sign_in(self, "has no refresh token".to_owned())))?;
        let mut members = vec![("oauth_refresh_token", MemberValue::Text(refresh_token))];
        let failure = match read_access_token(&reply, &service, moment) {
            Ok(token) => {
                members.extend([
                    ("oauth_access_token", MemberValue::Text(token.value.clone())),
                    (
                        "oauth_access_token_expire",
                        MemberValue::Number(token.expires.seconds()),
                    ),
                ]);
                self.access_token = Some(token);
                None
            }
            Err(error) => Some(error),
        };
        let update = SessionUpdate {
            profile: self.profile.clone(),
            expected: ("oauth_refresh_token", used),
            members,
        };
        Ok((update, failure))
    }

    fn read_key(&self, reply: HttpReply, moment: &Moment) -> Result<Obtained, ClientError> {
        let service = self.service();
        let response = self.successful(reply, Call::OAuthExchange, &service)?;
        let reply = issued_key::parse(&response.body, &service)?;
        issued_key::read(&reply, &LOWER, Parts::All, &service, moment)
    }

    fn successful(
        &self,
        reply: HttpReply,
        call: Call,
        service: &str,
    ) -> Result<HttpResponse, ClientError> {
        let call = SessionCall {
            call,
            service,
            code: "error",
        };
        call.successful(reply, |reason| sign_in(self, reason))
    }

    fn service(&self) -> String {
        format!("the OAuth service {}", self.site.base_url())
    }
}

fn read_access_token(
    reply: &JsonObject<'_>,
    service: &str,
    moment: &Moment,
) -> Result<Expiring<Secret>, ClientError> {
    let value = read_token(reply, "access_token", service)?;
    let seconds = match reply.member("expires_in") {
        Some(JsonValue::Number(Some(seconds))) => i64::try_from(*seconds).unwrap_or(i64::MAX),
        _ => {
            return Err(issued_key::malformed(
                service,
                "`expires_in` is not a number of seconds",
            ));
        }
    };
    Ok(Expiring {
        value,
        expires: moment.now.plus_seconds(seconds),
    })
}

fn read_token(
    reply: &JsonObject<'_>,
    name: &'static str,
    service: &str,
) -> Result<Secret, ClientError> {
    match reply.string_member(name) {
        Some(text) if !text.is_empty() => match ValueFault::find(text) {
            None => Ok(Secret::new(text)),
            Some(fault) => Err(issued_key::malformed(service, &format!("`{name}` {fault}"))),
        },
        _ => Err(issued_key::malformed(
            service,
            &format!("`{name}` is missing"),
        )),
    }
}

#[cfg(test)]
mod tests;
