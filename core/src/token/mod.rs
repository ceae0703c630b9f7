//! Tokens: from text to the parts of a request that the client signed.

mod error;
pub mod v2;

pub use error::{Shown, TokenError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::policy::Policy;
use crate::time::UnixTime;
use crate::token::v2::SignedCall;

/// What starts every token of ours, of any version.
pub const FAMILY_PREFIX: &str = "k8s-ack-";

/// How far `x-acs-date` may be from STS's clock, in seconds, either way (STS API reference,
/// `InvalidTimeStamp.Expired`).
pub const STS_WINDOW_SECONDS: i64 = 15 * 60;

/// How wrong this machine's own clock may be, in seconds, before honest tokens are refused here. STS has the last
/// word on dates.
pub const CLOCK_MARGIN_SECONDS: i64 = 5 * 60;

/// Reads a token that starts with [`FAMILY_PREFIX`].
///
/// # Errors
/// Everything here is the caller's fault.
pub(crate) fn parse(token: &str, policy: &Policy, now: UnixTime) -> Result<SignedCall, TokenError> {
    if token.len() > policy.max_token_bytes {
        return Err(TokenError::TooLarge {
            bytes: token.len(),
            limit: policy.max_token_bytes,
        });
    }
    let payload = token
        .strip_prefix(v2::PREFIX)
        .ok_or(TokenError::UnknownVersion)?;
    let json = STANDARD.decode(payload).map_err(|_| TokenError::Base64)?;
    let call = v2::parse(&json, &policy.cluster_id)?;
    check_date(call.date, now)?;
    Ok(call)
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
