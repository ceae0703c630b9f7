//! What CloudSSO and OAuth sessions have in common: stored keys, errors of their services, and the members to write.

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;

use crate::error::{ClientError, SignIn, Unavailable};
use crate::flow::{MemberValue, Moment, Obtained, issued_key};
use crate::http::{Call, HttpReply, HttpResponse};
use crate::plan::{Expiring, is_live};

/// Returns the stored key of a session that has not ended.
pub(super) fn live_key(session: Option<&Expiring<AccessKey>>, moment: &Moment) -> Option<Obtained> {
    let session = session.filter(|session| is_live(session.expires, moment.now))?;
    Some(Obtained {
        key: session.value.clone(),
        expires: Some(session.expires),
        session_name: None,
    })
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

/// What to do if a service does not work.
const REMEDY: &str = "try again; check the network, and the proxy in `HTTPS_PROXY`";

/// A call to the service of a session.
pub(super) struct SessionCall<'a> {
    pub(super) call: Call,
    /// The service, as the subject of a sentence.
    pub(super) service: &'a str,
    /// The member of a refusal that holds its code.
    pub(super) code: &'static str,
}

impl SessionCall<'_> {
    /// Returns a response with the status 200, or else the error. `sign_in` makes the error of a session that the
    /// service refuses, from the reason.
    ///
    /// A status 4xx without a code, other than 400 and 401, comes from something between this machine and the service.
    pub(super) fn successful(
        &self,
        reply: HttpReply,
        sign_in: impl FnOnce(String) -> SignIn,
    ) -> Result<HttpResponse, ClientError> {
        let response = match reply {
            HttpReply::Response(response) => response,
            HttpReply::TooLarge => {
                return Err(issued_key::malformed(self.service, "it is too large"));
            }
            HttpReply::Failed(failure) => {
                return Err(ClientError::Unavailable(Unavailable {
                    cause: self.cause(&format!("did not answer: {}", failure.text)),
                    remedy: failure.advice_or(REMEDY),
                }));
            }
        };
        if response.status == 200 {
            return Ok(response);
        }
        let http_status = format!("HTTP status {}", response.status);
        let code = issued_key::parse(&response.body, self.service).ok();
        let code = code
            .as_ref()
            .and_then(|reply| reply.string_member(self.code));
        let code = code.filter(|code| is_code(code));
        match (response.status, code) {
            (429, _) => Err(self.unavailable("throttles requests")),
            (400..=499, Some(code)) if code.starts_with("Throttling") => {
                Err(self.unavailable("throttles requests"))
            }
            (400..=499, Some(code)) => Err(ClientError::SignIn(sign_in(format!(
                "was refused with `{code}`"
            )))),
            (400 | 401, None) => Err(ClientError::SignIn(sign_in(format!(
                "was refused with {http_status}"
            )))),
            _ => Err(self.unavailable(&format!("returned {http_status}"))),
        }
    }

    fn unavailable(&self, reason: &str) -> ClientError {
        ClientError::Unavailable(Unavailable {
            cause: self.cause(reason),
            remedy: REMEDY.to_owned(),
        })
    }

    fn cause(&self, reason: &str) -> String {
        format!("{} {reason} during {}", self.service, self.call.name())
    }
}

/// Returns whether a text can be shown as an error code.
pub(super) fn is_code(text: &str) -> bool {
    const MAX_LENGTH: usize = 80;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_word)
}
