//! Keys that cost a call and expire, kept in files, one for each plan.
//!
//! A process that finds no usable entry takes the lock of the entry, so that one process makes the call and the others
//! wait for its result. The lock ends with its holder. Everything that goes wrong with the cache has one consequence: a
//! call that would not have been necessary.

mod entry;
mod folder;
mod hash;
mod key;
mod location;
mod lock;
mod refusal;

use ack_ram_core::time::UnixTime;

use crate::flow::Obtained;
pub use entry::{Entry, EntryState};
pub use folder::{CacheFolder, CachedFile, FolderError};
pub use key::CacheKey;
pub use lock::{LockAttempt, LockGuard};
pub use refusal::RememberedRefusal;

/// After a renewal has failed, the next one starts this number of seconds later.
const RENEWAL_PAUSE_SECONDS: i64 = 30;

/// Entries and refusals of a plan.
pub struct PlanCache<'a> {
    folder: &'a CacheFolder,
    key: CacheKey,
}

/// What the cache has for a plan.
#[derive(Debug)]
pub enum Lookup {
    /// A key that can be used.
    Fresh(Obtained),
    /// A key that can be used, but ends soon: one process renews it.
    Due(Obtained),
    /// The plan was refused a moment ago.
    Refused(RememberedRefusal),
    /// Nothing that can be used.
    Missing,
}

impl<'a> PlanCache<'a> {
    /// Selects the entry of a plan.
    #[must_use]
    pub fn new(folder: &'a CacheFolder, key: CacheKey) -> Self {
        Self { folder, key }
    }

    /// Returns what the cache has at `now`.
    #[must_use]
    pub fn look_up(&self, now: UnixTime) -> Lookup {
        let entry = self.folder.read(&self.key.entry_name());
        if let Some(entry) = entry.and_then(|text| Entry::parse(&text, &self.key)) {
            match entry.state(now) {
                EntryState::Fresh => return Lookup::Fresh(entry.into_obtained()),
                EntryState::Due => return Lookup::Due(entry.into_obtained()),
                EntryState::Unusable => {}
            }
        }
        match self.refusal(now) {
            Some(refusal) => Lookup::Refused(refusal),
            None => Lookup::Missing,
        }
    }

    /// Returns the refusal of the plan in the last seconds before `now`.
    #[must_use]
    pub fn refusal(&self, now: UnixTime) -> Option<RememberedRefusal> {
        let text = self.folder.read(&self.key.refusal_name())?;
        let refusal = RememberedRefusal::parse(&text, now);
        if refusal.is_none() {
            // If the clock is set back, the refusal would seem to be recent again later.
            self.folder.remove(&self.key.refusal_name());
        }
        refusal
    }

    /// Takes the lock of the entry, if no other process has it.
    #[must_use]
    pub fn try_lock(&self) -> LockAttempt {
        self.folder.try_lock(&self.key.lock_name())
    }

    /// Waits for the lock of the entry, at most until `deadline`.
    #[must_use]
    pub fn lock(&self, deadline: std::time::Instant) -> LockAttempt {
        self.folder.lock(&self.key.lock_name(), deadline)
    }

    /// Returns whether a renewal has failed in the last half minute before `now`. The lock is held.
    #[must_use]
    pub fn has_failed_renewal(&self, lock: &mut LockGuard, now: UnixTime) -> bool {
        let failed = lock.failed_renewal();
        failed.is_some_and(|time| (0..RENEWAL_PAUSE_SECONDS).contains(&now.seconds_since(time)))
    }

    /// Stores whether the renewal at `now` has failed. The lock is held.
    pub fn note_renewal(&self, lock: &mut LockGuard, is_success: bool, now: UnixTime) {
        // Without the note, the next command tries to renew the key.
        let _ = lock.store_failed_renewal((!is_success).then_some(now));
    }

    /// Stores a key that expires, for at most `max_age` seconds. Returns `false` if the key has no end, and so is not
    /// stored.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn store(
        &self,
        key: &Obtained,
        summary: &str,
        max_age: Option<i64>,
        now: UnixTime,
    ) -> std::io::Result<bool> {
        let Some(entry) = Entry::new(key, summary, max_age, now) else {
            return Ok(false);
        };
        let name = self.key.entry_name();
        self.folder.write(&name, &entry.to_text(&self.key)?)?;
        self.folder.remove(&self.key.refusal_name());
        self.folder.remove_old(&name);
        Ok(true)
    }

    /// Remembers a refusal.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn store_refusal(&self, refusal: &RememberedRefusal) -> std::io::Result<()> {
        self.folder
            .write(&self.key.refusal_name(), &refusal.to_text()?)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
