//! A cache of STS's answers about tokens.
//!
//! The cache holds the identities that signed tokens, but not their permissions: each cache hit applies the current
//! rules. STS client, policy and cache are built and replaced together when settings change, so the cache is never
//! flushed.
//!
//! The API server caches each answer for two more minutes (`--authentication-token-webhook-cache-ttl`).

use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::access_key::CredentialId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::protocol::STS_WINDOW_SECONDS;
use ack_ram_core::sts::StsRefusal;
use ack_ram_core::time::UnixTime;
use ack_ram_core::token::CLOCK_MARGIN_SECONDS;
use prometheus::IntCounter;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};
use tokio::time::Instant;

use crate::config::CacheSettings;
use crate::metrics::{CacheMetrics, StsMetrics};
use crate::sts::{Caller, CredentialStanding};

/// Caches identities and refusals separately, so that bad tokens, which anyone can make, evict no good ones. Identities
/// without a mapping are separate, too: anyone can have an account and sign many tokens.
pub(crate) struct IdentityCache {
    /// Identities that were granted a login.
    granted: ExpiringCache<(Arc<VerifiedIdentity>, CredentialId)>,
    /// Other identities. They have at most half of the room of all identities.
    unproven: ExpiringCache<(Arc<VerifiedIdentity>, CredentialId)>,
    refusals: ExpiringCache<Arc<StsRefusal>>,
}

/// The cached answer of STS about a token.
#[derive(Clone, Debug)]
pub(crate) enum CachedOutcome {
    /// The identity and the credential that signed the token.
    Identity(Arc<VerifiedIdentity>, CredentialId),
    /// STS refused the token. The refusal is final.
    Refused(Arc<StsRefusal>),
}

impl IdentityCache {
    pub(crate) fn new(
        identities: CacheSettings,
        refusals: CacheSettings,
        metrics: &StsMetrics,
    ) -> Self {
        let part = |size| CacheSettings { size, ..identities };
        let unproven = identities.size.div_ceil(2);
        // Every identity starts as an unproven one.
        let granted = identities.size - identities.size / 2;
        Self {
            granted: ExpiringCache::new(part(granted), metrics.cache("identity")),
            unproven: ExpiringCache::new(part(unproven), metrics.cache("unproven_identity")),
            refusals: ExpiringCache::new(refusals, metrics.cache("refusal")),
        }
    }

    /// Returns the cached answer about `token` at the time `now`, or `None`.
    pub(crate) fn look_up(&self, token: Fingerprint, now: UnixTime) -> Option<CachedOutcome> {
        let granted = self.granted.look_up(token, now);
        let identity = granted.or_else(|| self.unproven.look_up(token, now));
        let identity = identity.filter(|(identity, _)| !is_dated_in_future(identity, now));
        let identity =
            identity.map(|(identity, credential)| CachedOutcome::Identity(identity, credential));
        identity.or_else(|| {
            let refusal = self.refusals.look_up(token, now);
            refusal.map(CachedOutcome::Refused)
        })
    }

    /// Caches the identity and the credential of a token for the configured time, but not beyond the expiry of the
    /// token. A token that `is_single_use` is cached until it expires, since STS would not accept it again.
    pub(crate) fn insert_identity(
        &self,
        identity: &Arc<VerifiedIdentity>,
        caller: Caller,
        is_single_use: bool,
        now: UnixTime,
    ) {
        let Ok(left) = u64::try_from(identity.expires().seconds_since(now)) else {
            return;
        };
        let left = Duration::from_secs(left);
        let life = if is_single_use {
            left
        } else {
            left.min(self.unproven.life)
        };
        let identities = match caller.standing {
            CredentialStanding::Granted => &self.granted,
            CredentialStanding::Unproven => &self.unproven,
        };
        let entry = (Arc::clone(identity), caller.credential);
        identities.insert_for(identity.fingerprint(), entry, life, now);
    }

    /// Moves `token` from the unproven identities to the granted ones.
    pub(crate) fn promote(&self, token: Fingerprint) {
        if let Some(entry) = self.unproven.remove(token) {
            self.granted.insert(token, entry);
        }
    }

    /// Caches the refusal of a token that expires at `expires`, if the refusal is final.
    pub(crate) fn insert_refusal(
        &self,
        token: Fingerprint,
        refusal: &Arc<StsRefusal>,
        expires: UnixTime,
        now: UnixTime,
    ) {
        if is_final(refusal, expires, now) {
            let life = self.refusals.life;
            self.refusals
                .insert_for(token, Arc::clone(refusal), life, now);
        }
    }
}

/// Returns whether `core` would now refuse the date of the token, which happens after the clock is set back.
fn is_dated_in_future(identity: &VerifiedIdentity, now: UnixTime) -> bool {
    let ahead = identity.expires().seconds_since(now) - STS_WINDOW_SECONDS;
    ahead > STS_WINDOW_SECONDS + CLOCK_MARGIN_SECONDS
}

/// Returns whether the token can never become valid. The refusal of an unknown or inactive key is not final, because
/// the key may still be created, enabled or propagated. Neither is the refusal of a date in the future. Other defects
/// stay.
fn is_final(refusal: &StsRefusal, expires: UnixTime, now: UnixTime) -> bool {
    match &*refusal.code {
        "InvalidTimeStamp.Expired" => expires <= now.plus_seconds(STS_WINDOW_SECONDS),
        "SignatureDoesNotMatch"
        | "SignatureNonceUsed"
        | "InvalidSecurityToken.Expired"
        | "InvalidSecurityToken.Malformed"
        | "InvalidSecurityToken.MismatchWithAccessKey" => true,
        _ => false,
    }
}

/// A bounded cache whose entries expire.
struct ExpiringCache<V: Clone> {
    /// `None` if the size is 0.
    entries: Option<
        Cache<Fingerprint, ExpiringEntry<V>, UnitWeighter, DefaultHashBuilder, EvictionCounter>,
    >,
    life: Duration,
    metrics: CacheMetrics,
}

/// A value and its expiry by two clocks, because the system clock may be set back, and the monotonic clock stops while
/// the machine sleeps.
#[derive(Clone)]
struct ExpiringEntry<V> {
    value: V,
    until: UnixTime,
    until_instant: Instant,
}

impl<V: Clone> ExpiringCache<V> {
    fn new(settings: CacheSettings, metrics: CacheMetrics) -> Self {
        let entries = (settings.size > 0).then(|| {
            let evictions = EvictionCounter(metrics.evictions.clone());
            let weight = u64::try_from(settings.size).unwrap_or(u64::MAX);
            let hasher = DefaultHashBuilder::default();
            Cache::with(settings.size, weight, UnitWeighter, hasher, evictions)
        });
        metrics.entries.set(0);
        Self {
            entries,
            life: settings.ttl,
            metrics,
        }
    }

    fn look_up(&self, token: Fingerprint, now: UnixTime) -> Option<V> {
        let entries = self.entries.as_ref()?;
        let entry = entries.get(&token)?;
        if entry.is_expired(now) {
            entries.remove_if(&token, |entry| entry.is_expired(now));
            self.show_size(entries.len());
            return None;
        }
        Some(entry.value)
    }

    fn insert_for(&self, token: Fingerprint, value: V, life: Duration, now: UnixTime) {
        let Some(entries) = self.entries.as_ref().filter(|_| !life.is_zero()) else {
            return;
        };
        let seconds = life.as_secs() + u64::from(life.subsec_nanos() > 0);
        let entry = ExpiringEntry {
            value,
            until: now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)),
            until_instant: Instant::now() + life,
        };
        entries.insert(token, entry);
        self.show_size(entries.len());
    }

    fn remove(&self, token: Fingerprint) -> Option<ExpiringEntry<V>> {
        let entries = self.entries.as_ref()?;
        let (_, entry) = entries.remove(&token)?;
        self.show_size(entries.len());
        Some(entry)
    }

    fn insert(&self, token: Fingerprint, entry: ExpiringEntry<V>) {
        if let Some(entries) = &self.entries {
            entries.insert(token, entry);
            self.show_size(entries.len());
        }
    }

    fn show_size(&self, size: usize) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.metrics.entries.set(size);
    }
}

impl<V> ExpiringEntry<V> {
    fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.until || Instant::now() >= self.until_instant
    }
}

/// Counts evictions.
#[derive(Clone)]
struct EvictionCounter(IntCounter);

impl<V> Lifecycle<Fingerprint, V> for EvictionCounter {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Fingerprint, _: V) {
        self.0.inc();
    }
}

#[cfg(test)]
mod tests;
