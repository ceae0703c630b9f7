//! Parses tokens into the request that the client signed.

mod error;
mod v1;
mod v2;

pub use error::TokenError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::access_key::AccessKeyId;
use crate::policy::TokenPolicy;
use crate::protocol::{self, STS_WINDOW_SECONDS};
use crate::secret::Secret;
use crate::sts::StsRequest;
use crate::time::UnixTime;

/// The error of this machine's clock, in seconds, up to which this server accepts every token that is valid by STS's
/// clock. STS makes the final check of the date.
pub const CLOCK_MARGIN_SECONDS: i64 = 5 * 60;

/// A token that passed all checks except the check of the signature, which STS makes.
pub(crate) struct CheckedToken {
    pub(crate) request: StsRequest,
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) security_token: Option<Secret>,
    pub(crate) date: UnixTime,
}

/// Parses a token that starts with [`protocol::FAMILY_PREFIX`].
///
/// # Errors
/// Returns the reason why the token is refused. The cause is always on the caller's side.
pub(crate) fn parse(
    token: &str,
    policy: &TokenPolicy,
    now: UnixTime,
) -> Result<CheckedToken, TokenError> {
    if token.len() > policy.max_token_bytes {
        return Err(TokenError::TooLarge {
            bytes: token.len(),
            limit: policy.max_token_bytes,
        });
    }
    let checked = if let Some(payload) = token.strip_prefix(protocol::v2::PREFIX) {
        let call = v2::parse(&decode_base64(payload)?, policy)?;
        CheckedToken {
            request: StsRequest::from_signed_call(&call, &policy.cluster_id),
            access_key_id: call.access_key_id,
            security_token: call.security_token,
            date: call.date,
        }
    } else if let Some(payload) = token.strip_prefix(protocol::v1::PREFIX) {
        if !policy.accept_v1 {
            return Err(TokenError::V1NotAccepted);
        }
        let call = v1::parse(&decode_base64(payload)?, &policy.cluster_id)?;
        CheckedToken {
            request: StsRequest::from_presigned_call(&call, &policy.cluster_id),
            access_key_id: call.access_key_id,
            security_token: call.security_token,
            date: call.date,
        }
    } else {
        return Err(TokenError::UnknownVersion);
    };
    check_date(checked.date, now)?;
    Ok(checked)
}

fn decode_base64(payload: &str) -> Result<Vec<u8>, TokenError> {
    STANDARD.decode(payload).map_err(|_| TokenError::Base64)
}

fn check_date(date: UnixTime, now: UnixTime) -> Result<(), TokenError> {
    let age = now.seconds_since(date);
    let limit = STS_WINDOW_SECONDS + CLOCK_MARGIN_SECONDS;
    if age > limit {
        Err(TokenError::Expired { date, now })
    } else if age < -limit {
        Err(TokenError::NotYetValid { date, now })
    } else {
        Ok(())
    }
}
