//! The identity cache: verified identities, by token, until they expire.
//!
//! Each worker and each configuration has its own cache. Verified identities are not kept in Envoy's shared data,
//! because other modules can write there. The cache never holds a decision: the rules are applied again on each cache
//! hit.

use std::rc::Rc;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::time::UnixTime;
use quick_cache::unsync::Cache;

use crate::config::CacheSettings;

pub(crate) struct IdentityCache {
    /// `None` if the cache is disabled.
    entries: Option<Cache<Fingerprint, CachedIdentity>>,
    ttl_seconds: i64,
}

#[derive(Clone)]
struct CachedIdentity {
    identity: Rc<VerifiedIdentity>,
    expires_at: UnixTime,
}

impl IdentityCache {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        Self {
            entries: (settings.size > 0).then(|| Cache::new(settings.size)),
            ttl_seconds: i64::from(settings.ttl_seconds),
        }
    }

    /// Returns the cached identity for the token, if there is one that has not expired at the time `now`.
    pub(crate) fn get(
        &mut self,
        token: Fingerprint,
        now: UnixTime,
    ) -> Option<Rc<VerifiedIdentity>> {
        let entries = self.entries.as_mut()?;
        let entry = entries.get(&token)?;
        if now < entry.expires_at {
            return Some(Rc::clone(&entry.identity));
        }
        entries.remove(&token);
        None
    }

    /// Caches an identity until its time to live ends or its token expires, whichever is first.
    pub(crate) fn insert(&mut self, identity: Rc<VerifiedIdentity>, now: UnixTime) {
        let expires_at = identity.expires().min(now.plus_seconds(self.ttl_seconds));
        if let Some(entries) = &mut self.entries
            && now < expires_at
        {
            entries.insert(
                identity.fingerprint(),
                CachedIdentity {
                    identity,
                    expires_at,
                },
            );
        }
    }

    /// Returns the number of cached identities.
    pub(crate) fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, Cache::len)
    }
}
