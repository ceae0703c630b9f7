//! Parses STS's replies (STS API reference, GetCallerIdentity: response elements and error codes).

use crate::access_key::AccessKeyId;
use crate::arn::{Arn, Resource};
use crate::identity::Identity;
use crate::protocol::grammar::is_identifier;
use crate::protocol::json::{self, JsonObject, JsonValue};
use crate::sts::error::{MalformedReply, StsError, StsRefusal, StsUnavailable};

/// The result of sending an [`crate::sts::StsRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StsReply<'a> {
    /// A complete HTTP response.
    Response {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: &'a [u8],
    },
    /// The connection failed, or was interrupted before the body was complete.
    Unreachable,
    /// The call timed out.
    TimedOut,
    /// The body of the HTTP response exceeded the size limit.
    TooLarge,
}

/// Parses the reply to a request that `access_key_id` signed. Returns the identity of the signer.
pub(crate) fn read_reply(
    reply: StsReply<'_>,
    access_key_id: AccessKeyId,
) -> Result<Identity, StsError> {
    let reply =
        json::parse_object(read_body(reply)?).map_err(|_| malformed(MalformedReply::NotJson))?;
    parse_identity(&reply, access_key_id).map_err(malformed)
}

/// Returns the body of a successful reply, or the error in any other reply.
pub(super) fn read_body(reply: StsReply<'_>) -> Result<&[u8], StsError> {
    let (status, body) = match reply {
        StsReply::Response { status, body } => (status, body),
        StsReply::Unreachable => return Err(StsError::Unavailable(StsUnavailable::Unreachable)),
        StsReply::TimedOut => return Err(StsError::Unavailable(StsUnavailable::TimedOut)),
        StsReply::TooLarge => return Err(malformed(MalformedReply::NotJson)),
    };
    match status {
        200 => Ok(body),
        400..=499 => Err(parse_error(status, body)),
        500..=599 => Err(StsError::Unavailable(StsUnavailable::Failing { status })),
        _ => Err(malformed(MalformedReply::Status)),
    }
}

fn parse_identity(
    reply: &JsonObject<'_>,
    access_key_id: AccessKeyId,
) -> Result<Identity, MalformedReply> {
    let field = |name| optional_text(reply, name)?.ok_or(MalformedReply::MissingField(name));
    let kind = field("IdentityType")?;
    let account = field("AccountId")?;
    let principal = field("PrincipalId")?;
    let arn = Arn::parse(field("Arn")?).map_err(|_| MalformedReply::Arn)?;
    if arn.account().as_str() != account {
        return Err(MalformedReply::Account);
    }
    let (user_id, own_id) = match (kind, arn.resource()) {
        ("Account", Resource::Root) => (principal, Some(account)),
        ("RAMUser", Resource::User(_)) => (principal, optional_text(reply, "UserId")?),
        ("AssumedRoleUser", Resource::AssumedRole { session, .. }) => {
            let (role_id, in_principal) = principal
                .split_once(':')
                .ok_or(MalformedReply::PrincipalId)?;
            if in_principal != &**session {
                return Err(MalformedReply::PrincipalId);
            }
            (role_id, optional_text(reply, "RoleId")?)
        }
        ("Account" | "RAMUser" | "AssumedRoleUser", _) => return Err(MalformedReply::ArnKind),
        _ => return Err(MalformedReply::IdentityType),
    };
    let is_id = is_identifier(user_id);
    if !is_id || own_id.is_some_and(|own| own != user_id) {
        return Err(MalformedReply::PrincipalId);
    }
    Ok(Identity {
        arn,
        user_id: user_id.into(),
        access_key_id,
    })
}

/// Returns the text of the member `name`; `None` if it is missing or `null`.
pub(super) fn optional_text<'a>(
    reply: &'a JsonObject<'_>,
    name: &'static str,
) -> Result<Option<&'a str>, MalformedReply> {
    match reply.member(name) {
        None | Some(JsonValue::Null) => Ok(None),
        Some(JsonValue::String(text)) => Ok(Some(text)),
        Some(_) => Err(MalformedReply::NotText(name)),
    }
}

fn parse_error(status: u16, body: &[u8]) -> StsError {
    let Ok(error) = json::parse_object(body) else {
        return malformed(MalformedReply::NotJson);
    };
    let Some(code) = error
        .string_member("Code")
        .filter(|code| is_identifier(code))
    else {
        return malformed(MalformedReply::NoCode);
    };
    let request_id = error
        .string_member("RequestId")
        .filter(|id| is_identifier(id));
    let request_id = request_id.unwrap_or_default().into();
    if is_throttling(code) {
        StsError::Unavailable(StsUnavailable::Throttled {
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

fn malformed(detail: MalformedReply) -> StsError {
    StsError::Unavailable(StsUnavailable::Malformed { detail })
}
