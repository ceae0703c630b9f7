//! Keys that cost a call and expire, kept in files, one for each plan.
//!
//! A process that finds no usable entry takes the lock of the entry, so that one process makes the call and the others
//! wait for its result. The lock ends with its holder. Everything that goes wrong with the cache has one consequence: a
//! call that would not have been necessary.

mod entry;
mod folder;
mod key;
mod refusal;

use ack_ram_core::time::UnixTime;

use crate::flow::Obtained;
pub use entry::{Entry, EntryState};
pub use folder::{CacheFolder, CachedFile, FolderError, LockAttempt, LockGuard};
pub use key::CacheKey;
pub use refusal::RememberedRefusal;

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
        RememberedRefusal::parse(&text, now)
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

    /// Stores a key that expires. A key without an end is not stored.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn store(&self, key: &Obtained, summary: &str, now: UnixTime) -> std::io::Result<()> {
        let Some(entry) = Entry::new(key, summary, now) else {
            return Ok(());
        };
        self.folder
            .write(&self.key.entry_name(), &entry.to_text(&self.key)?)?;
        self.folder.remove(&self.key.refusal_name());
        self.folder.remove_old(now);
        Ok(())
    }

    /// Remembers a refusal.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn store_refusal(&self, refusal: &RememberedRefusal) -> std::io::Result<()> {
        self.folder
            .write(&self.key.refusal_name(), &refusal.to_text()?)
    }

    /// Forgets the key.
    pub fn forget(&self) {
        self.folder.remove(&self.key.entry_name());
    }
}
