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

    /// Returns what was refused.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{SetupError, Unavailable};
    use std::path::PathBuf;

    fn refused() -> ClientError {
        ClientError::Refused(Refusal {
            cause: "STS refused".to_owned(),
            remedy: "ask".to_owned(),
        })
    }

    #[test]
    fn refusal_is_remembered_for_less_than_five_seconds() {
        let at = UnixTime::from_seconds(1_780_000_000);
        let text = RememberedRefusal::of(&refused(), at).unwrap();
        let text = text.to_text().unwrap();
        for (after, expected) in [
            (0, true),
            (4, true),
            (5, false),
            (3600, false),
            (-1, false),
            (-86_400, false),
            (i64::MAX, false),
        ] {
            let found = RememberedRefusal::parse(&text, at.plus_seconds(after));
            assert_eq!(found.is_some(), expected, "{after}");
            if let Some(found) = found {
                assert_eq!(found.into_error(), refused());
            }
        }
        for damaged in [
            "",
            "{}",
            "[]",
            text.trim_start_matches('{'),
            &text.replace("cause", "x"),
        ] {
            assert!(RememberedRefusal::parse(damaged, at).is_none(), "{damaged}");
        }
    }

    #[test]
    fn error_that_may_pass_is_not_remembered() {
        let now = UnixTime::from_seconds(0);
        let unavailable = ClientError::Unavailable(Unavailable {
            cause: String::new(),
            remedy: String::new(),
        });
        let setup = ClientError::from(SetupError::NoHome(PathBuf::from("~")));
        for error in [unavailable, setup] {
            assert_eq!(RememberedRefusal::of(&error, now), None);
        }
    }
}
