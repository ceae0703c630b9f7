//! A refusal that is remembered for a few seconds, because kubectl runs a plugin that fails about five times.

use ack_ram_core::protocol::json;
use ack_ram_core::time::UnixTime;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::{ClientError, Refusal};

/// How long a refusal is remembered at most, in seconds. The times are whole seconds, so a refusal is forgotten after
/// four to five seconds.
const REMEMBERED_SECONDS: i64 = 5;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RememberedRefusal {
    at: UnixTime,
    cause: String,
    remedy: String,
}

impl RememberedRefusal {
    /// Returns the refusal in `error`; `None` if the same call may succeed.
    #[must_use]
    pub fn of(error: &ClientError, now: UnixTime) -> Option<Self> {
        error.is_definite().then(|| Self {
            at: now,
            cause: error.cause(),
            remedy: error.remedy(),
        })
    }

    /// Parses the text of a file. Returns `None` if the refusal is too old, or from the future.
    pub(super) fn parse(text: &str, now: UnixTime) -> Option<Self> {
        let object = json::parse_object(text.as_bytes()).ok()?;
        let at = UnixTime::parse(object.string_member("at")?)?;
        let is_recent = (0..REMEMBERED_SECONDS).contains(&now.seconds_since(at));
        is_recent.then_some(())?;
        Some(Self {
            at,
            cause: object.string_member("cause")?.to_owned(),
            remedy: object.string_member("remedy")?.to_owned(),
        })
    }

    pub(super) fn to_text(&self) -> std::io::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(serde_json::to_string(self)?))
    }

    /// Returns the refusal as an error.
    #[must_use]
    pub fn into_error(self) -> ClientError {
        ClientError::Refused(Refusal {
            cause: self.cause,
            remedy: self.remedy,
        })
    }
}
