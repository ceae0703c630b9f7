//! Who made a token, for as long as that may be repeated.
//!
//! Each worker has its own, and each configuration: what other modules could write is no place for a verified identity.
//! It never holds what somebody may do: rules are applied to each hit anew.

use std::rc::Rc;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::time::UnixTime;
use quick_cache::unsync::Cache;

use crate::config::CacheSettings;

pub(crate) struct IdentityCache {
    /// `None` when nothing is to be remembered.
    entries: Option<Cache<Fingerprint, Entry>>,
    life_seconds: i64,
}

#[derive(Clone)]
struct Entry {
    who: Rc<VerifiedIdentity>,
    until: UnixTime,
}

impl IdentityCache {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        Self {
            entries: (settings.size > 0).then(|| Cache::new(settings.size)),
            life_seconds: i64::from(settings.life_seconds),
        }
    }

    /// Who made the token, if that is known at the time `now`.
    pub(crate) fn look_up(
        &mut self,
        token: Fingerprint,
        now: UnixTime,
    ) -> Option<Rc<VerifiedIdentity>> {
        let entries = self.entries.as_mut()?;
        let entry = entries.get(&token)?;
        if now < entry.until {
            return Some(Rc::clone(&entry.who));
        }
        entries.remove(&token);
        None
    }

    /// Remembers who made a token, never past the token's own end.
    pub(crate) fn keep(&mut self, who: Rc<VerifiedIdentity>, now: UnixTime) {
        let until = who.expires().min(now.plus_seconds(self.life_seconds));
        if let Some(entries) = &mut self.entries
            && now < until
        {
            entries.insert(who.fingerprint(), Entry { who, until });
        }
    }

    /// How many identities are known.
    pub(crate) fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, Cache::len)
    }
}
