//! Parses the replies of `AssumeRole` and `AssumeRoleWithOIDC` (STS API reference: response elements).

use crate::access_key::AccessKeyId;
use crate::protocol::grammar::is_sendable;
use crate::protocol::json::{self, JsonObject};
use crate::secret::Secret;
use crate::sign::AccessKey;
use crate::sts::error::{MalformedReply, StsError, StsUnavailable};
use crate::sts::reply::{StsReply, optional_text, read_body};
use crate::time::UnixTime;

/// A temporary key, and the time at which it expires.
#[derive(Clone, Debug)]
pub struct TemporaryKey {
    /// The key. It has a security token.
    pub key: AccessKey,
    /// When the key expires.
    pub expires: UnixTime,
}

/// Parses the reply to a [`crate::sts::SessionRequest`].
///
/// # Errors
/// Returns an error if STS refused the request, gave no answer, or returned something other than a temporary key.
pub fn read_session_reply(reply: StsReply<'_>) -> Result<TemporaryKey, StsError> {
    let body = read_body(reply)?;
    json::parse_object(body)
        .map_err(|_| MalformedReply::NotJson)
        .and_then(|reply| parse_temporary_key(&reply))
        .map_err(|detail| StsError::Unavailable(StsUnavailable::Malformed { detail }))
}

fn parse_temporary_key(reply: &JsonObject<'_>) -> Result<TemporaryKey, MalformedReply> {
    let credentials = reply
        .object_member("Credentials")
        .ok_or(MalformedReply::MissingField("Credentials"))?;
    let text = |name: &'static str| {
        optional_text(credentials, name)?.ok_or(MalformedReply::MissingField(name))
    };
    let secret = |name: &'static str| {
        let value = text(name)?;
        match is_sendable(value) {
            true => Ok(Secret::new(value)),
            false => Err(MalformedReply::NotText(name)),
        }
    };
    let id = AccessKeyId::parse(text("AccessKeyId")?);
    let expires = UnixTime::parse(text("Expiration")?);
    Ok(TemporaryKey {
        key: AccessKey {
            id: id.ok_or(MalformedReply::NotText("AccessKeyId"))?,
            secret: secret("AccessKeySecret")?,
            security_token: Some(secret("SecurityToken")?),
        },
        expires: expires.ok_or(MalformedReply::NotText("Expiration"))?,
    })
}

#[cfg(test)]
mod tests;
