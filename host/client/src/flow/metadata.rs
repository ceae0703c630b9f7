//! Asks the metadata service of an ECS instance for the key of the instance's role (ECS user guide, instance metadata).

use ack_ram_core::protocol::percent;
use ack_ram_core::secret::Secret;

use crate::error::{ClientError, Refusal, Unavailable, ValueFault};
use crate::flow::issued_key::{self, Parts, UPPER};
use crate::flow::{Effect, Moment, State, Transition};
use crate::http::{Call, CallLimits, HttpReply, HttpRequest, Method};
use crate::plan::{MetadataPlan, MetadataTokens};

const TOKEN_PATH: &str = "/latest/api/token";
const KEY_PATH: &str = "/latest/meta-data/ram/security-credentials/";
/// The lifetime of a metadata token in seconds. The token is used at once.
const TOKEN_SECONDS: &str = "3600";

#[derive(Debug)]
pub(super) struct Metadata {
    plan: MetadataPlan,
    call: Call,
    token: Option<Secret>,
    /// The name of the role, once it is known.
    role: Option<String>,
    /// Whether the current request has been sent twice.
    is_retry: bool,
}

pub(super) fn start(plan: MetadataPlan) -> Transition {
    let role = plan.role.as_ref().map(|role| role.value.clone());
    let metadata = Box::new(Metadata {
        call: Call::MetadataToken,
        token: None,
        role,
        is_retry: false,
        plan,
    });
    match metadata.plan.tokens {
        MetadataTokens::Disabled => metadata.ask_for_role_or_key(),
        MetadataTokens::Preferred | MetadataTokens::Required => metadata.send(),
    }
}

impl Metadata {
    pub(super) fn resume(mut self: Box<Self>, reply: HttpReply, moment: &Moment) -> Transition {
        let response = match reply {
            HttpReply::Response(response) if response.status < 500 => response,
            _ if !self.is_retry => {
                self.is_retry = true;
                return self.send();
            }
            other => return Transition::Fail(self.unavailable(&other)),
        };
        self.is_retry = false;
        match (self.call, response.status) {
            (Call::MetadataToken, 200) => match text(&response.body) {
                Some(token) => {
                    self.token = Some(Secret::new(token));
                    self.ask_for_role_or_key()
                }
                None => self.malformed("the metadata token is not a text"),
            },
            (Call::MetadataToken, 403 | 404) if self.plan.tokens == MetadataTokens::Preferred => {
                self.ask_for_role_or_key()
            }
            (Call::MetadataRole, 200) => {
                match text(&response.body).filter(|text| is_role_name(text)) {
                    Some(role) => {
                        self.role = Some(role.to_owned());
                        self.ask_for_role_or_key()
                    }
                    None => self.malformed(
                        "the name of the role is not one word of letters, digits and `.-_`",
                    ),
                }
            }
            (Call::MetadataKey, 200) => self.read_key(&response.body, moment),
            (Call::MetadataRole | Call::MetadataKey, 404) => self.no_role(),
            (_, status) => self.refused(status),
        }
    }

    fn ask_for_role_or_key(mut self: Box<Self>) -> Transition {
        self.call = if self.role.is_some() {
            Call::MetadataKey
        } else {
            Call::MetadataRole
        };
        self.send()
    }

    fn send(self: Box<Self>) -> Transition {
        let mut path = String::new();
        let (method, headers) = if self.call == Call::MetadataToken {
            path.push_str(TOKEN_PATH);
            let lifetime = (
                "x-aliyun-ecs-metadata-token-ttl-seconds",
                Secret::new(TOKEN_SECONDS),
            );
            (Method::Put, vec![lifetime])
        } else {
            path.push_str(KEY_PATH);
            percent::encode_into(&mut path, self.role.as_deref().unwrap_or_default());
            let token = self.token.clone();
            let token = token.map(|token| ("x-aliyun-ecs-metadata-token", token));
            (Method::Get, token.into_iter().collect())
        };
        let request = HttpRequest {
            call: self.call,
            method,
            base: self.plan.endpoint.clone(),
            path_and_query: Secret::new(path),
            headers,
            body: Secret::new(""),
            limits: CallLimits::METADATA,
        };
        Transition::Continue(State::Metadata(self), Effect::Send(request))
    }

    fn read_key(&self, body: &[u8], moment: &Moment) -> Transition {
        let service = self.service();
        let key = issued_key::parse(body, &service).and_then(|reply| {
            issued_key::check_code(&reply, &service)?;
            issued_key::read(&reply, &UPPER, Parts::All, &service, moment)
        });
        match key {
            Ok(key) => Transition::Obtained(key),
            Err(error) => Transition::Fail(error),
        }
    }

    fn service(&self) -> String {
        format!("the metadata service {}", self.plan.endpoint)
    }

    fn unavailable(&self, reply: &HttpReply) -> ClientError {
        let reason = match reply {
            HttpReply::Response(response) => format!("returned HTTP status {}", response.status),
            HttpReply::TooLarge => "returned a reply that is too large".to_owned(),
            HttpReply::Failed(failure) => format!("did not answer: {}", failure.text),
        };
        let remedy = format!(
            "run the command on an ECS instance with a RAM role, or do not select the metadata service: {}",
            self.plan.origin
        );
        ClientError::Unavailable(Unavailable {
            cause: format!("{} {reason}", self.service()),
            remedy: match reply {
                HttpReply::Failed(failure) => failure.advice_or(&remedy),
                HttpReply::Response(_) | HttpReply::TooLarge => remedy,
            },
        })
    }

    fn no_role(&self) -> Transition {
        let cause = match &self.plan.role {
            Some(role) => format!(
                "this ECS instance does not have the role of {}",
                role.origin
            ),
            None => "this ECS instance has no RAM role".to_owned(),
        };
        Transition::Fail(ClientError::Refused(Refusal {
            cause,
            remedy: "attach a RAM role to the instance, or correct its name".to_owned(),
        }))
    }

    fn refused(&self, status: u16) -> Transition {
        let needs_token = self.call == Call::MetadataToken
            && self.plan.tokens == MetadataTokens::Required
            && matches!(status, 403 | 404);
        Transition::Fail(ClientError::Refused(Refusal {
            cause: format!(
                "{} refused {}: HTTP status {status}",
                self.service(),
                self.call.name()
            ),
            remedy: if needs_token {
                "enable metadata tokens (IMDSv2) for the instance, or unset `ALIBABA_CLOUD_IMDSV1_DISABLED`"
            } else {
                "check the settings of the metadata service of this instance"
            }
            .to_owned(),
        }))
    }

    fn malformed(&self, reason: &str) -> Transition {
        Transition::Fail(issued_key::malformed(&self.service(), reason))
    }
}

/// Returns the one word of a plain text reply.
fn text(body: &[u8]) -> Option<&str> {
    const MAX_BYTES: usize = 4096;
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_word = !text.is_empty() && text.len() <= MAX_BYTES && ValueFault::find(text).is_none();
    is_word.then_some(text)
}

/// Returns whether a text can be the name of a role (RAM API reference, CreateRole).
fn is_role_name(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    text.len() <= 64 && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests;
