//! What STS said of tokens, for as long as it may be repeated.
//!
//! It holds who made a token, and never what they may do: rules are applied to each hit anew. It is made with the
//! client and the policy that it belongs to, and goes with them when settings change: there is nothing to flush.
//!
//! The API server itself remembers each answer for two minutes (`--authentication-token-webhook-cache-ttl`); that comes
//! on top.

use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::access_key::CredentialId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::VerifiedIdentity;
use ack_ram_core::sts::StsRefusal;
use ack_ram_core::time::UnixTime;
use ack_ram_core::token::{CLOCK_MARGIN_SECONDS, STS_WINDOW_SECONDS};
use prometheus::IntCounter;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};
use tokio::time::Instant;

use crate::config::CacheSettings;
use crate::metrics::{CacheMetrics, StsMetrics};
use crate::sts::{Caller, Standing};

/// Identities and refusals, apart from each other: bad tokens, which anyone can make, push no good one out. Nor do the
/// tokens of those whom nobody maps: anyone can have an account, and sign as many as they like.
pub(crate) struct IdentityCache {
    /// Identities that the rules granted a login.
    granted: Expiring<(Arc<VerifiedIdentity>, CredentialId)>,
    /// Other identities, no more than half of all.
    unproven: Expiring<(Arc<VerifiedIdentity>, CredentialId)>,
    refusals: Expiring<Arc<StsRefusal>>,
}

/// What is remembered of a token.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// Who made it, and the credential that signed it.
    Identity(Arc<VerifiedIdentity>, CredentialId),
    /// STS refused it, and always will.
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
        // Every identity is unproven at first.
        let granted = identities.size - identities.size / 2;
        Self {
            granted: Expiring::new(part(granted), metrics.cache("identity")),
            unproven: Expiring::new(part(unproven), metrics.cache("unproven_identity")),
            refusals: Expiring::new(refusals, metrics.cache("refusal")),
        }
    }

    /// What is known of a token at the time `now`.
    pub(crate) fn look_up(&self, token: Fingerprint, now: UnixTime) -> Option<Known> {
        let granted = self.granted.look_up(token, now);
        let identity = granted.or_else(|| self.unproven.look_up(token, now));
        let identity = identity.filter(|(who, _)| !is_of_the_future(who, now));
        let identity = identity.map(|(who, credential)| Known::Identity(who, credential));
        identity.or_else(|| {
            let refusal = self.refusals.look_up(token, now);
            refusal.map(Known::Refused)
        })
    }

    /// Remembers who made a token, with which credential, never past the token's own end. One that is `good_once` is remembered until then,
    /// for STS would not say it again.
    pub(crate) fn keep_identity(
        &self,
        who: &Arc<VerifiedIdentity>,
        caller: Caller,
        good_once: bool,
        now: UnixTime,
    ) {
        let Ok(left) = u64::try_from(who.expires().seconds_since(now)) else {
            return;
        };
        let left = Duration::from_secs(left);
        let life = if good_once {
            left
        } else {
            left.min(self.unproven.life)
        };
        let identities = match caller.standing {
            Standing::Granted => &self.granted,
            Standing::Unproven => &self.unproven,
        };
        let known = (Arc::clone(who), caller.credential);
        identities.keep(who.fingerprint(), known, life, now);
    }

    /// Keeps what is known of a token that was granted a login apart from the tokens of those who were granted none.
    pub(crate) fn note_granted(&self, token: Fingerprint) {
        if let Some(entry) = self.unproven.take(token) {
            self.granted.put(token, entry);
        }
    }

    /// Remembers that STS refused a token, which ends at `expires`, if it always will.
    pub(crate) fn keep_refusal(
        &self,
        token: Fingerprint,
        refusal: &Arc<StsRefusal>,
        expires: UnixTime,
        now: UnixTime,
    ) {
        if is_final(refusal, expires, now) {
            let life = self.refusals.life;
            self.refusals.keep(token, Arc::clone(refusal), life, now);
        }
    }
}

/// Whether `core` would refuse the token for its date now that the clock has been set back.
fn is_of_the_future(who: &VerifiedIdentity, now: UnixTime) -> bool {
    let ahead = who.expires().seconds_since(now) - STS_WINDOW_SECONDS;
    ahead > STS_WINDOW_SECONDS + CLOCK_MARGIN_SECONDS
}

/// Whether the token cannot become good any more. A key that is unknown or inactive may be made, enabled or just
/// spread, and the time of a token that is dated in the future may come; what is wrong in the others stays in them.
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

/// A bounded cache whose entries end.
struct Expiring<V: Clone> {
    /// `None` when it is to hold nothing.
    entries: Option<Cache<Fingerprint, Entry<V>, UnitWeighter, DefaultHashBuilder, Evictions>>,
    life: Duration,
    metrics: CacheMetrics,
}

/// A value and its end, by both clocks: the system's may be set back, and the other stands still while a machine sleeps.
#[derive(Clone)]
struct Entry<V> {
    value: V,
    until: UnixTime,
    until_instant: Instant,
}

impl<V: Clone> Expiring<V> {
    fn new(settings: CacheSettings, metrics: CacheMetrics) -> Self {
        let entries = (settings.size > 0).then(|| {
            let evictions = Evictions(metrics.evictions.clone());
            let weight = u64::try_from(settings.size).unwrap_or(u64::MAX);
            let hasher = DefaultHashBuilder::default();
            Cache::with(settings.size, weight, UnitWeighter, hasher, evictions)
        });
        metrics.entries.set(0);
        Self {
            entries,
            life: settings.life,
            metrics,
        }
    }

    fn look_up(&self, token: Fingerprint, now: UnixTime) -> Option<V> {
        let entries = self.entries.as_ref()?;
        let entry = entries.get(&token)?;
        if entry.is_over(now) {
            entries.remove_if(&token, |entry| entry.is_over(now));
            self.show_size(entries.len());
            return None;
        }
        Some(entry.value)
    }

    fn keep(&self, token: Fingerprint, value: V, life: Duration, now: UnixTime) {
        let Some(entries) = self.entries.as_ref().filter(|_| !life.is_zero()) else {
            return;
        };
        let seconds = life.as_secs() + u64::from(life.subsec_nanos() > 0);
        let entry = Entry {
            value,
            until: now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)),
            until_instant: Instant::now() + life,
        };
        entries.insert(token, entry);
        self.show_size(entries.len());
    }

    fn take(&self, token: Fingerprint) -> Option<Entry<V>> {
        let entries = self.entries.as_ref()?;
        let (_, entry) = entries.remove(&token)?;
        self.show_size(entries.len());
        Some(entry)
    }

    fn put(&self, token: Fingerprint, entry: Entry<V>) {
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

impl<V> Entry<V> {
    fn is_over(&self, now: UnixTime) -> bool {
        now >= self.until || Instant::now() >= self.until_instant
    }
}

/// Counts what had to make room.
#[derive(Clone)]
struct Evictions(IntCounter);

impl<V> Lifecycle<Fingerprint, V> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Fingerprint, _: V) {
        self.0.inc();
    }
}

#[cfg(test)]
mod tests;
