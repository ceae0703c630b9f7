//! Gets a key of an OAuth session.
//!
//! A refresh token is good for one use. The new one is written before it is used, so that a crash costs no session.

use ack_ram_core::protocol::json::JsonValue;
use ack_ram_core::protocol::percent;
use ack_ram_core::secret::Secret;

use crate::error::{ClientError, SessionKind, SignIn, Unavailable, ValueFault, ended_at};
use crate::flow::cloud_sso::{key_members, live_session, shown_code};
use crate::flow::issued_key::{self, LOWER, Parts};
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
}

#[derive(Debug)]
enum OAuthStep {
    /// New tokens are requested.
    Refresh,
    /// New tokens are being written.
    SaveTokens,
    /// The key is requested.
    Exchange,
    /// The key is being written.
    SaveKey(Obtained),
}

pub(super) fn start(plan: OAuthPlan, moment: &Moment) -> Transition {
    if let Some(key) = live_session(plan.session.as_ref(), moment) {
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
            return Transition::Fail(sign_in(&plan, reason));
        }
    };
    Box::new(OAuth { plan, step }).send()
}

fn sign_in(plan: &OAuthPlan, reason: String) -> ClientError {
    ClientError::SignIn(SignIn {
        profile: plan.profile.clone(),
        kind: SessionKind::OAuth(plan.site),
        reason,
    })
}

impl OAuth {
    pub(super) fn resume(mut self: Box<Self>, outcome: Outcome, moment: &Moment) -> Transition {
        match (self.step, outcome) {
            (OAuthStep::Refresh, Outcome::Http(reply)) => {
                self.step = OAuthStep::SaveTokens;
                match self.plan.read_tokens(reply, moment) {
                    Ok(update) => Transition::Continue(State::OAuth(self), Effect::Save(update)),
                    Err(error) => Transition::Fail(error),
                }
            }
            (OAuthStep::SaveTokens, Outcome::Done) => {
                self.step = OAuthStep::Exchange;
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

    fn send(self: Box<Self>) -> Transition {
        let request = match self.step {
            OAuthStep::Refresh => self.plan.refresh_request(),
            OAuthStep::Exchange => self.plan.exchange_request(),
            OAuthStep::SaveTokens | OAuthStep::SaveKey(_) => None,
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
    fn read_tokens(
        &mut self,
        reply: HttpReply,
        moment: &Moment,
    ) -> Result<SessionUpdate, ClientError> {
        let response = self.successful(reply, Call::OAuthRefresh)?;
        let service = self.service();
        let reply = issued_key::parse(&response.body, &service)?;
        let token = |name: &'static str| match reply.string_member(name) {
            Some(text) if !text.is_empty() && ValueFault::find(text).is_none() => {
                Ok(Secret::new(text))
            }
            _ => Err(issued_key::malformed(
                &service,
                &format!("`{name}` is missing"),
            )),
        };
        let access_token = token("access_token")?;
        let refresh_token = token("refresh_token")?;
        let seconds = match reply.member("expires_in") {
            Some(JsonValue::Number(Some(seconds))) => i64::try_from(*seconds).unwrap_or(i64::MAX),
            _ => return Err(issued_key::malformed(&service, "`expires_in` is missing")),
        };
        let expires = moment.now.plus_seconds(seconds);
        let used = self.refresh_token.take();
        let used = used.ok_or_else(|| sign_in(self, "has no refresh token".to_owned()))?;
        let update = SessionUpdate {
            profile: self.profile.clone(),
            expected: ("oauth_refresh_token", used),
            members: vec![
                (
                    "oauth_refresh_token",
                    MemberValue::Text(refresh_token.clone()),
                ),
                (
                    "oauth_access_token",
                    MemberValue::Text(access_token.clone()),
                ),
                (
                    "oauth_access_token_expire",
                    MemberValue::Number(expires.seconds()),
                ),
            ],
        };
        self.refresh_token = Some(refresh_token);
        self.access_token = Some(Expiring {
            value: access_token,
            expires,
        });
        Ok(update)
    }

    fn read_key(&self, reply: HttpReply, moment: &Moment) -> Result<Obtained, ClientError> {
        let response = self.successful(reply, Call::OAuthExchange)?;
        let service = self.service();
        let reply = issued_key::parse(&response.body, &service)?;
        issued_key::read(&reply, &LOWER, Parts::All, &service, moment)
    }

    /// Returns a response with the status 200, or else the error.
    fn successful(&self, reply: HttpReply, call: Call) -> Result<HttpResponse, ClientError> {
        let service = self.service();
        let unavailable = |reason: String| {
            ClientError::Unavailable(Unavailable {
                cause: format!("{service} {reason} during {}", call.name()),
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
            200 => Ok(response),
            429 => Err(unavailable("throttles requests".to_owned())),
            400..=499 => {
                let reply = issued_key::parse(&response.body, &service).ok();
                let code = reply
                    .as_ref()
                    .and_then(|reply| reply.string_member("error"));
                let code = shown_code(code, response.status);
                Err(sign_in(self, format!("was refused with {code}")))
            }
            status => Err(unavailable(format!("returned HTTP status {status}"))),
        }
    }

    fn service(&self) -> String {
        format!("the OAuth service {}", self.site.base_url())
    }
}
