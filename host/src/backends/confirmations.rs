//! When each backend was last confirmed by its source, and which backends are stale by that.
//!
//! A source confirms a backend after what it says is in effect. A decision asks which backends are stale before it takes
//! the rules, so that it never applies rules of before a confirmation to the time after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ack_ram_core::rules::Backend;

use crate::clock::Uptime;

/// The confirmations of all backends, shared by the sources and the decisions without a lock.
#[derive(Debug)]
pub struct Confirmations {
    uptime: Uptime,
    /// In milliseconds; 0 for no limit (`server.maxStaleness`).
    max_age: AtomicU64,
    crd: LastConfirmation,
    config_map: LastConfirmation,
    mounted_file: LastConfirmation,
    dynamic_file: LastConfirmation,
}

/// One more than the uptime in milliseconds; 0 for never.
#[derive(Debug, Default)]
struct LastConfirmation(AtomicU64);

impl Confirmations {
    /// No backend is confirmed yet, and none will be stale. `uptime` tells the time.
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

    /// Sets for how long the mappings of the API server answer without a confirmation; `None` for no limit.
    pub fn set_max_age(&self, max_age: Option<Duration>) {
        let max_age = max_age.map_or(0, |max_age| milliseconds(max_age).max(1));
        self.max_age.store(max_age, Ordering::Release);
    }

    /// Confirms `backend`: the source was read as a whole, and what it says is in effect.
    pub fn confirm(&self, backend: Backend) {
        self.confirm_at(backend, self.now());
    }

    /// Confirms `backend` by a part of what its source says: an event, or the beginning of a watch. Returns whether that
    /// confirms it: more may have happened to a stale backend than has been read, so it needs a [`Self::confirm`].
    pub fn confirm_in_part(&self, backend: Backend) -> bool {
        // One moment for both: the machine may be suspended in between.
        let now = self.now();
        if self.is_stale_at(backend, now) {
            return false;
        }
        self.confirm_at(backend, now);
        true
    }

    fn confirm_at(&self, backend: Backend, now: u64) {
        // Without a clock there is no time that a confirmation could have: it would hold for ever.
        if let Some(now) = now.checked_add(1) {
            self.last(backend).0.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Returns the time since `backend` was last confirmed; `None` when it never was.
    #[must_use]
    pub fn age(&self, backend: Backend) -> Option<Duration> {
        self.age_at(backend, self.now()).map(Duration::from_millis)
    }

    /// Returns whether `backend` has not been confirmed for longer than is allowed. Files are never stale, and a backend
    /// that was never confirmed is not stale but unread.
    #[must_use]
    pub fn is_stale(&self, backend: Backend) -> bool {
        self.is_stale_at(backend, self.now())
    }

    fn is_stale_at(&self, backend: Backend, now: u64) -> bool {
        let max_age = self.max_age.load(Ordering::Acquire);
        let age = self.age_at(backend, now);
        Self::has_limit(backend) && max_age > 0 && age.is_some_and(|age| age > max_age)
    }

    /// In milliseconds.
    fn age_at(&self, backend: Backend, now: u64) -> Option<u64> {
        let at = self
            .last(backend)
            .0
            .load(Ordering::Acquire)
            .checked_sub(1)?;
        Some(now.saturating_sub(at))
    }

    /// Returns whether `backend` can be stale: it is read from the API server.
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
    fn backend_is_stale_after_the_limit_and_needs_a_whole_confirmation() {
        use Backend::{ConfigMap, Crd, DynamicFile, MountedFile};
        NOW.set(0);
        let confirmations = Confirmations::new(uptime);
        confirmations.set_max_age(Some(Duration::from_secs(180)));
        for backend in [Crd, ConfigMap] {
            NOW.set(0);
            assert_eq!(confirmations.age(backend), None);
            NOW.set(1_000_000);
            assert!(!confirmations.is_stale(backend), "it is unread");
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
        // A limit that is set while the API server is gone holds at once.
        confirmations.set_max_age(Some(Duration::from_secs(180)));
        assert!(confirmations.is_stale(Crd));
    }
}
