//! Access keys in the environment and in files.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;

use crate::error::{SetupError, ValueFault};
use crate::origin::Setting;
use crate::plan::{Expiring, KeyPlan};
use crate::resolve::values::Values;

/// Makes a plan of the parts of a key.
pub(super) fn plan(
    id: &Setting<&str>,
    secret: &Setting<&str>,
    security_token: Option<&Setting<&str>>,
    expires: Option<UnixTime>,
) -> Result<KeyPlan, SetupError> {
    Ok(KeyPlan {
        key: AccessKey {
            id: parse_id(id)?,
            secret: parse_secret(secret)?,
            security_token: security_token.map(parse_secret).transpose()?,
        },
        expires,
        id_origin: id.origin.clone(),
        secret_origin: secret.origin.clone(),
    })
}

/// Checks a secret: characters that no credential contains would make STS refuse the signature without a reason.
pub(super) fn parse_secret(value: &Setting<&str>) -> Result<Secret, SetupError> {
    match ValueFault::find(value.value) {
        Some(fault) => Err(SetupError::Malformed {
            place: value.origin.clone(),
            fault,
        }),
        None => Ok(Secret::new(value.value)),
    }
}

/// Reads the last key of a session, if all its parts are there.
pub(super) fn session(values: &Values<'_>) -> Result<Option<Expiring<AccessKey>>, SetupError> {
    let (Some(id), Some(secret), Some(token), Some(expires)) = (
        values.text("access_key_id")?,
        values.text("access_key_secret")?,
        values.text("sts_token")?,
        values.number("sts_expiration")?,
    ) else {
        return Ok(None);
    };
    let plan = plan(&id, &secret, Some(&token), None)?;
    Ok(Some(Expiring {
        value: plan.key,
        expires: unix_time(expires.value),
    }))
}

/// Reads a token of a session, if it is there with its end.
pub(super) fn expiring_token(
    values: &Values<'_>,
    token: &'static str,
    end: &'static str,
) -> Result<Option<Expiring<Secret>>, SetupError> {
    let (Some(token), Some(expires)) = (values.text(token)?, values.number(end)?) else {
        return Ok(None);
    };
    Ok(Some(Expiring {
        value: parse_secret(&token)?,
        expires: unix_time(expires.value),
    }))
}

/// Converts Unix seconds. A number beyond the range means a time that is never reached.
pub(super) fn unix_time(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn parse_id(id: &Setting<&str>) -> Result<AccessKeyId, SetupError> {
    let place = || id.origin.clone();
    if let Some(fault) = ValueFault::find(id.value) {
        let place = place();
        return Err(SetupError::Malformed { place, fault });
    }
    AccessKeyId::parse(id.value).ok_or_else(|| SetupError::AccessKeyId { place: place() })
}
