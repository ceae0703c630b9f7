//! Reading STS's replies (STS API reference, GetCallerIdentity: response elements and error codes).

use crate::access_key::AccessKeyId;
use crate::arn::{Arn, Resource};
use crate::identity::Identity;
use crate::json::{self, Object, Value};
use crate::sts::error::{Oddity, StsError, StsRefusal, StsUnable};

/// What came of sending an [`crate::sts::StsRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StsReply<'a> {
    /// An HTTP response, its body complete.
    Response {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: &'a [u8],
    },
    /// No connection, or it broke off before the body was complete.
    Unreachable,
    /// The deadline passed.
    TimedOut,
    /// An HTTP response whose body was too large to be an answer.
    TooLarge,
}

/// Reads who `access_key_id` belongs to.
pub(crate) fn read(reply: StsReply<'_>, access_key_id: AccessKeyId) -> Result<Identity, StsError> {
    let (status, body) = match reply {
        StsReply::Response { status, body } => (status, body),
        StsReply::Unreachable => return Err(StsError::Unable(StsUnable::Unreachable)),
        StsReply::TimedOut => return Err(StsError::Unable(StsUnable::TimedOut)),
        StsReply::TooLarge => return Err(odd(Oddity::NotJson)),
    };
    match status {
        200 => {
            let reply = json::parse_object(body).map_err(|_| odd(Oddity::NotJson))?;
            identity(&reply, access_key_id).map_err(odd)
        }
        400..=499 => Err(refusal(status, body)),
        500..=599 => Err(StsError::Unable(StsUnable::Failing { status })),
        _ => Err(odd(Oddity::Status)),
    }
}

fn identity(reply: &Object<'_>, access_key_id: AccessKeyId) -> Result<Identity, Oddity> {
    let field = |name| text(reply, name)?.ok_or(Oddity::MissingField(name));
    let kind = field("IdentityType")?;
    let account = field("AccountId")?;
    let principal = field("PrincipalId")?;
    let arn = Arn::parse(field("Arn")?).map_err(|_| Oddity::Arn)?;
    if arn.account().as_str() != account {
        return Err(Oddity::Account);
    }
    let (user_id, own_id) = match (kind, arn.resource()) {
        ("Account", Resource::Root) => (principal, Some(account)),
        ("RAMUser", Resource::User(_)) => (principal, text(reply, "UserId")?),
        ("AssumedRoleUser", Resource::AssumedRole { session, .. }) => {
            let (role_id, in_principal) = principal.split_once(':').ok_or(Oddity::PrincipalId)?;
            if in_principal != &**session {
                return Err(Oddity::PrincipalId);
            }
            (role_id, text(reply, "RoleId")?)
        }
        ("Account" | "RAMUser" | "AssumedRoleUser", _) => return Err(Oddity::ArnKind),
        _ => return Err(Oddity::IdentityType),
    };
    let is_id = is_word(user_id);
    if !is_id || own_id.is_some_and(|own| own != user_id) {
        return Err(Oddity::PrincipalId);
    }
    Ok(Identity {
        arn,
        user_id: user_id.into(),
        access_key_id,
    })
}

/// The text at `name`, where there is one.
fn text<'a>(reply: &'a Object<'_>, name: &'static str) -> Result<Option<&'a str>, Oddity> {
    match reply.member(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Oddity::NotText(name)),
    }
}

fn refusal(status: u16, body: &[u8]) -> StsError {
    let Ok(error) = json::parse_object(body) else {
        return odd(Oddity::NotJson);
    };
    let Some(code) = error.string("Code").filter(|code| is_word(code)) else {
        return odd(Oddity::NoCode);
    };
    let request_id = error.string("RequestId").filter(|id| is_word(id));
    let request_id = request_id.unwrap_or_default().into();
    if is_throttling(code) {
        StsError::Unable(StsUnable::Throttled {
            code: code.into(),
            request_id,
        })
    } else {
        StsError::Refused(StsRefusal {
            code: code.into(),
            request_id,
            status,
        })
    }
}

fn is_throttling(code: &str) -> bool {
    code == "Throttling" || code.starts_with("Throttling.")
}

/// Codes and ids are short words: they go into messages, logs and user ids.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn odd(what: Oddity) -> StsError {
    StsError::Unable(StsUnable::Odd { what })
}
