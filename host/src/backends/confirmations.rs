//! Tracks when the source of each backend last confirmed its rules, and which backends are stale.
//!
//! A source confirms a backend after its rules are in effect. A decision checks which backends are stale before it
//! loads the rules. The rules are therefore never older than the confirmation that the decision relies on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ack_ram_core::rules::Backend;

use crate::clock::Uptime;

/// The confirmations of all backends, shared by the sources and the decisions without a lock.
#[derive(Debug)]
pub struct Confirmations {
    uptime: Uptime,
    /// `server.maxStaleness` in milliseconds; 0 for no limit.
    max_age: AtomicU64,
    crd: LastConfirmation,
    config_map: LastConfirmation,
    mounted_file: LastConfirmation,
    dynamic_file: LastConfirmation,
}

/// The uptime of the last confirmation in milliseconds, plus 1; 0 for never.
#[derive(Debug, Default)]
struct LastConfirmation(AtomicU64);

impl Confirmations {
    /// Creates confirmations in which no backend is confirmed, and which have no limit. `uptime` is the clock.
    #[must_use]
    pub(super) fn new(uptime: Uptime) -> Self {
        Self {
            uptime,
            max_age: AtomicU64::new(0),
            crd: LastConfirmation::default(),
            config_map: LastConfirmation::default(),
            mounted_file: LastConfirmation::default(),
            dynamic_file: LastConfirmation::default(),
        }
    }

    /// Sets how long mappings from the API server are used without a confirmation; `None` for no limit.
    pub fn set_max_age(&self, max_age: Option<Duration>) {
        let max_age = max_age.map_or(0, |max_age| milliseconds(max_age).max(1));
        self.max_age.store(max_age, Ordering::Release);
    }

    /// Confirms `backend`: the complete source has been read, and its rules are in effect.
    pub fn confirm(&self, backend: Backend) {
        self.confirm_at(backend, self.now());
    }

    /// Confirms `backend` by a part of its source: an event, or the start of a watch. Returns `false`, and confirms
    /// nothing, if the backend is stale: events may have been missed, so a stale backend needs [`Self::confirm`].
    pub fn confirm_in_part(&self, backend: Backend) -> bool {
        // Read the clock only once, because the machine may be suspended between two reads.
        let now = self.now();
        if self.is_stale_at(backend, now) {
            return false;
        }
        self.confirm_at(backend, now);
        true
    }

    fn confirm_at(&self, backend: Backend, now: u64) {
        // A clock that does not work returns the maximum. A confirmation at that time would never expire.
        if let Some(now) = now.checked_add(1) {
            self.last(backend).0.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Returns the time since the last confirmation of `backend`; `None` if it was never confirmed.
    #[must_use]
    pub fn age(&self, backend: Backend) -> Option<Duration> {
        self.age_at(backend, self.now()).map(Duration::from_millis)
    }

    /// Returns whether the last confirmation of `backend` is older than the limit. Files are never stale. A backend
    /// that was never confirmed is not synced, and is not stale.
    #[must_use]
    pub fn is_stale(&self, backend: Backend) -> bool {
        self.is_stale_at(backend, self.now())
    }

    fn is_stale_at(&self, backend: Backend, now: u64) -> bool {
        let max_age = self.max_age.load(Ordering::Acquire);
        let age = self.age_at(backend, now);
        Self::has_limit(backend) && max_age > 0 && age.is_some_and(|age| age > max_age)
    }

    /// Returns the age in milliseconds.
    fn age_at(&self, backend: Backend, now: u64) -> Option<u64> {
        let at = self
            .last(backend)
            .0
            .load(Ordering::Acquire)
            .checked_sub(1)?;
        Some(now.saturating_sub(at))
    }

    /// Returns whether `backend` can become stale, which is the case if its source is the API server.
    #[must_use]
    pub fn has_limit(backend: Backend) -> bool {
        match backend {
            Backend::Crd | Backend::ConfigMap => true,
            Backend::MountedFile | Backend::DynamicFile => false,
        }
    }

    fn last(&self, backend: Backend) -> &LastConfirmation {
        match backend {
            Backend::Crd => &self.crd,
            Backend::ConfigMap => &self.config_map,
            Backend::MountedFile => &self.mounted_file,
            Backend::DynamicFile => &self.dynamic_file,
        }
    }

    fn now(&self) -> u64 {
        milliseconds((self.uptime)())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    fn uptime() -> Duration {
        Duration::from_millis(NOW.get())
    }

    #[test]
    fn backend_is_stale_after_limit_until_complete_confirmation() {
        use Backend::{ConfigMap, Crd, DynamicFile, MountedFile};
        NOW.set(0);
        let confirmations = Confirmations::new(uptime);
        confirmations.set_max_age(Some(Duration::from_secs(180)));
        for backend in [Crd, ConfigMap] {
            NOW.set(0);
            assert_eq!(confirmations.age(backend), None);
            NOW.set(1_000_000);
            assert!(!confirmations.is_stale(backend), "never confirmed");
            assert!(confirmations.confirm_in_part(backend));
            NOW.set(1_180_000);
            assert!(!confirmations.is_stale(backend));
            assert_eq!(confirmations.age(backend), Some(Duration::from_secs(180)));
            assert!(confirmations.confirm_in_part(backend));
            NOW.set(1_360_001);
            assert!(confirmations.is_stale(backend));
            assert!(!confirmations.confirm_in_part(backend));
            assert!(confirmations.is_stale(backend));
            confirmations.confirm(backend);
            assert!(!confirmations.is_stale(backend));
            assert_eq!(confirmations.age(backend), Some(Duration::ZERO));
        }
        for backend in [MountedFile, DynamicFile] {
            confirmations.confirm(backend);
        }
        NOW.set(u64::MAX - 1);
        for (backend, is_stale) in [
            (Crd, true),
            (ConfigMap, true),
            (MountedFile, false),
            (DynamicFile, false),
        ] {
            assert_eq!(confirmations.is_stale(backend), is_stale, "{backend}");
        }
        confirmations.set_max_age(None);
        assert!(!confirmations.is_stale(Crd));
        NOW.set(u64::MAX);
        confirmations.confirm(Crd);
        assert_eq!(confirmations.last(Crd).0.load(Ordering::Relaxed), 1_360_002);
        // A new limit also applies to earlier confirmations.
        confirmations.set_max_age(Some(Duration::from_secs(180)));
        assert!(confirmations.is_stale(Crd));
    }
}
