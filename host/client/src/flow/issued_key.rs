//! Keys that services return as JSON.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::json::{self, JsonObject, JsonValue};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{ClientError, Refusal, Unavailable, ValueFault};
use crate::flow::session::is_code;
use crate::flow::{Moment, Obtained};

/// The names of the parts of a key in a reply.
pub(super) struct Names {
    id: &'static str,
    secret: &'static str,
    security_token: &'static str,
    expiration: &'static str,
}

/// The names in replies of the metadata service, of URLs and of CloudSSO.
pub(super) const UPPER: Names = Names {
    id: "AccessKeyId",
    secret: "AccessKeySecret",
    security_token: "SecurityToken",
    expiration: "Expiration",
};

/// The names in replies of OAuth.
pub(super) const LOWER: Names = Names {
    id: "accessKeyId",
    secret: "accessKeySecret",
    security_token: "securityToken",
    expiration: "expiration",
};

/// Which parts of a key may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// ID, secret, security token and expiration are required.
    All,
    /// The security token and the expiration may be missing.
    IdAndSecret,
}

/// Parses the body of a reply: one JSON object. `service` is the subject of errors.
pub(super) fn parse<'a>(body: &'a [u8], service: &str) -> Result<JsonObject<'a>, ClientError> {
    json::parse_object(body).map_err(|error| malformed(service, &error.to_string()))
}

/// Checks that `Code` is `Success`, if there is one. `service` is the subject of errors.
pub(super) fn check_code(reply: &JsonObject<'_>, service: &str) -> Result<(), ClientError> {
    match reply.member("Code") {
        None => Ok(()),
        Some(JsonValue::String(code)) if code == "Success" => Ok(()),
        Some(JsonValue::String(code)) if is_code(code) => Err(ClientError::Refused(Refusal {
            cause: format!("{service} returned no key: `Code` is `{code}`"),
            remedy: "ask the owner of the service, or look up the code in its documentation"
                .to_owned(),
        })),
        Some(_) => Err(malformed(service, "`Code` is not `Success`")),
    }
}

/// Reads a key. `service` is the subject of errors.
pub(super) fn read(
    reply: &JsonObject<'_>,
    names: &Names,
    parts: Parts,
    service: &str,
    moment: &Moment,
) -> Result<Obtained, ClientError> {
    let text = |name: &'static str| match reply.member(name) {
        Some(JsonValue::String(text)) if !text.is_empty() => match ValueFault::find(text) {
            None => Ok(Some(&**text)),
            Some(fault) => Err(malformed(service, &format!("`{name}` {fault}"))),
        },
        None | Some(JsonValue::Null | JsonValue::String(_)) => Ok(None),
        Some(_) => Err(malformed(service, &format!("`{name}` is not a text"))),
    };
    let missing = |name: &str| malformed(service, &format!("`{name}` is missing"));
    let id = text(names.id)?.ok_or_else(|| missing(names.id))?;
    let secret = text(names.secret)?.ok_or_else(|| missing(names.secret))?;
    let security_token = text(names.security_token)?;
    let expiration = text(names.expiration)?;
    if parts == Parts::All {
        security_token.ok_or_else(|| missing(names.security_token))?;
        expiration.ok_or_else(|| missing(names.expiration))?;
    }
    let expires = expiration
        .map(|text| {
            parse_time(text)
                .ok_or_else(|| malformed(service, &format!("`{}` is not a time", names.expiration)))
        })
        .transpose()?;
    if let Some(expires) = expires.filter(|expires| *expires <= moment.now) {
        return Err(ended(&format!("the key from {service}"), expires));
    }
    Ok(Obtained {
        key: AccessKey {
            id: AccessKeyId::parse(id)
                .ok_or_else(|| malformed(service, &format!("`{}` is not an ID", names.id)))?,
            secret: Secret::new(secret),
            security_token: security_token.map(Secret::new),
        },
        expires,
        session_name: None,
    })
}

/// Parses a time of RFC 3339; fractions of a second are dropped.
pub(crate) fn parse_time(text: &str) -> Option<UnixTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(UnixTime::from_seconds(time.unix_timestamp()))
}

/// Returns the error for a reply that is no key.
pub(super) fn malformed(service: &str, reason: &str) -> ClientError {
    ClientError::Unavailable(Unavailable {
        cause: format!("{service} returned a malformed reply: {reason}"),
        remedy: "check the address of the service".to_owned(),
    })
}

/// Returns the error for a key that has already ended.
pub(super) fn ended(subject: &str, expires: UnixTime) -> ClientError {
    ClientError::Refused(Refusal {
        cause: format!("{subject} ended at {expires}"),
        remedy: "get a new key, and check the clock of this machine".to_owned(),
    })
}
