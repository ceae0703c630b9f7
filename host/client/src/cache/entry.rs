//! An entry of the cache: a key with its end, and when it was obtained.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::json::{self, JsonValue};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::sts::SessionName;
use ack_ram_core::time::UnixTime;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cache::CacheKey;
use crate::cache::hash::PartHash;
use crate::flow::Obtained;
use crate::plan::is_live;

/// A key is renewed when this many seconds are left, or a quarter of its lifetime if that is less.
const RENEWAL_SECONDS: i64 = 600;
/// The clock may be set back by this number of seconds. An entry from a later time is ignored.
const MAX_CLOCK_STEP_SECONDS: i64 = 60;

/// An entry.
#[derive(Debug)]
pub struct Entry {
    key: AccessKey,
    session_name: Option<SessionName>,
    /// When the key was obtained.
    pub obtained: UnixTime,
    /// When the key expires.
    pub expires: UnixTime,
    /// When the entry ends: with its key, or earlier if the source has to be asked again.
    pub ends: UnixTime,
    /// The steps of the plan, in one sentence.
    pub summary: String,
}

/// What an entry is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// The key can be used.
    Fresh,
    /// The key can be used, and should be renewed.
    Due,
    /// The entry has ended, its key ends within a minute, or it comes from the future.
    Unusable,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryJson<'a> {
    name: String,
    summary: &'a str,
    access_key_id: &'a str,
    access_key_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_name: Option<&'a str>,
    obtained: UnixTime,
    expires: UnixTime,
    ends: UnixTime,
    /// A hash of all other members.
    checksum: String,
}

impl Entry {
    /// Makes an entry of a key; `None` if the key has no end. The entry ends after `max_age` seconds, if that is earlier
    /// than the end of the key.
    pub(super) fn new(
        key: &Obtained,
        summary: &str,
        max_age: Option<i64>,
        now: UnixTime,
    ) -> Option<Self> {
        let expires = key.expires?;
        Some(Self {
            key: key.key.clone(),
            session_name: key.session_name.clone(),
            obtained: now,
            expires,
            ends: max_age.map_or(expires, |age| expires.min(now.plus_seconds(age))),
            summary: summary.to_owned(),
        })
    }

    /// Parses the text of an entry file. Returns `None` if the text is damaged, or belongs to another entry.
    #[must_use]
    pub fn parse(text: &str, name: &CacheKey) -> Option<Self> {
        let object = json::parse_object(text.as_bytes()).ok()?;
        if object.string_member("name")? != name.to_string() {
            return None;
        }
        let time = |member| UnixTime::parse(object.string_member(member)?);
        let optional = |member| match object.member(member) {
            None => Some(None),
            Some(JsonValue::String(text)) => Some(Some(text)),
            Some(_) => None,
        };
        let session_name = optional("sessionName")?;
        let entry = Self {
            key: AccessKey {
                id: AccessKeyId::parse(object.string_member("accessKeyId")?)?,
                secret: Secret::new(object.string_member("accessKeySecret")?),
                security_token: optional("securityToken")?.map(|token| Secret::new(&**token)),
            },
            session_name: match session_name {
                Some(name) => Some(SessionName::parse(name)?),
                None => None,
            },
            obtained: time("obtained")?,
            expires: time("expires")?,
            ends: time("ends")?,
            summary: object.string_member("summary")?.to_owned(),
        };
        // One wrong bit in the secret would make STS refuse each token.
        (object.string_member("checksum")? == entry.checksum(name)).then_some(entry)
    }

    fn checksum(&self, name: &CacheKey) -> String {
        let mut hash = PartHash::new("ack-ram-authenticator cache entry");
        hash.text(&name.to_string());
        hash.text(&self.summary);
        hash.key(&self.key);
        hash.optional(self.session_name.as_ref().map(SessionName::as_str));
        hash.text(&self.obtained.to_string());
        hash.text(&self.expires.to_string());
        hash.text(&self.ends.to_string());
        hash.finish()
    }

    pub(super) fn to_text(&self, name: &CacheKey) -> std::io::Result<Zeroizing<String>> {
        let json = EntryJson {
            name: name.to_string(),
            summary: &self.summary,
            access_key_id: self.key.id.as_str(),
            access_key_secret: self.key.secret.expose(),
            security_token: self.key.security_token.as_ref().map(Secret::expose),
            session_name: self.session_name.as_ref().map(SessionName::as_str),
            obtained: self.obtained,
            expires: self.expires,
            ends: self.ends,
            checksum: self.checksum(name),
        };
        Ok(Zeroizing::new(serde_json::to_string(&json)?))
    }

    /// Returns what the entry is good for at `now`.
    #[must_use]
    pub fn state(&self, now: UnixTime) -> EntryState {
        let is_from_future = self.obtained.seconds_since(now) > MAX_CLOCK_STEP_SECONDS;
        let lifetime = self.expires.seconds_since(self.obtained);
        let left = self.expires.seconds_since(now);
        let renewal = (lifetime / 4).min(RENEWAL_SECONDS);
        if is_from_future || !is_live(self.expires, now) || self.ends <= now {
            EntryState::Unusable
        } else if left <= renewal {
            EntryState::Due
        } else {
            EntryState::Fresh
        }
    }

    pub(super) fn into_obtained(self) -> Obtained {
        Obtained {
            key: self.key,
            expires: Some(self.expires),
            session_name: self.session_name,
        }
    }
}

#[cfg(test)]
mod tests;
