//! A source of mappings that is one document: what it says is put in effect, and whoever edits it is told in the log.

use std::fmt;
use std::mem;
use std::sync::Arc;

use ack_ram_core::rules::{Backend, Conflict, RuleSet};
use sha2::{Digest as _, Sha256};

use crate::backends::last_good::{LastGood, Refused, Trouble, Update};
use crate::backends::live::{Edit, LiveRules};
use crate::config::entry::Refusal;
use crate::config::{FileMappings, Warning, WarningKind};
use crate::env::Clock;

/// A source of mappings that is one document.
pub(super) struct Feed {
    backend: Backend,
    live: Arc<LiveRules>,
    clock: Clock,
    observe: Observe,
    last_good: LastGood,
    /// Whether it was ever read: until then, nobody is told what it would say.
    is_read: bool,
    /// What is wrong with the document as a whole.
    broken: Option<String>,
    /// What keeps it from being read.
    trouble: Option<String>,
}

/// What is said of a document that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// All that is odd in it.
    All,
    /// That, when it says anything else than before: it maps others, or an entry is broken now.
    News,
}

/// Is told what came of reading a document: the start of the hash of its content, which is in effect now; or nothing,
/// when it cannot be used.
pub type Observe = Arc<dyn Fn(Backend, Option<&str>) + Send + Sync>;

/// Nobody is told.
#[cfg(test)]
pub(crate) fn nobody() -> Observe {
    Arc::new(|_, _| {})
}

/// How all rules are made other rules, together with a change of one backend's.
pub(super) type Reconfigure<'a> = &'a dyn Fn(&RuleSet) -> RuleSet;

impl Feed {
    pub(super) fn new(
        backend: Backend,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: Observe,
    ) -> Self {
        Self {
            backend,
            live,
            clock,
            observe,
            last_good: LastGood::new(backend),
            is_read: false,
            broken: None,
            trouble: None,
        }
    }

    /// Puts in effect what `document` says; `warnings` are what is odd in it. `digest` names the content in the log. What
    /// of it cannot be used.
    pub(super) fn read(
        &mut self,
        document: FileMappings,
        warnings: &[Warning],
        digest: &Digest,
        tell: Tell,
        reconfigure: Option<Reconfigure<'_>>,
    ) -> Vec<Refused> {
        let mut update = self.last_good.read(document, (self.clock)());
        self.is_read = true;
        self.broken = None;
        self.trouble = None;
        let is_told = tell == Tell::All || update.added + update.removed + update.kept() > 0;
        if is_told {
            self.tell(&update, warnings, digest);
        }
        let refused = mem::take(&mut update.refused);
        self.put(update, reconfigure);
        (self.observe)(self.backend, Some(&digest.to_string()));
        if is_told {
            self.tell_conflicts();
        }
        refused
    }

    /// The same, of the configuration that the server starts with. What is odd in it is told elsewhere.
    pub(super) fn start(&mut self, document: FileMappings) {
        let update = self.last_good.read(document, (self.clock)());
        self.is_read = true;
        self.put(update, None);
    }

    /// The document was looked at and could be read, and what it says is in effect.
    pub(super) fn confirm(&self) {
        self.live.confirmations().confirm(self.backend);
    }

    /// The document is gone, and with it all that it mapped.
    pub(super) fn lose(&mut self) {
        let update = self.last_good.read(FileMappings::default(), (self.clock)());
        self.is_read = true;
        self.broken = None;
        if update.removed > 0 {
            tracing::warn!(backend = %self.backend, gone = update.removed, "it is gone, and so are its mappings");
        }
        self.put(update, None);
    }

    /// The document as a whole cannot be used, for this reason: all that it last was stays, for a day.
    pub(super) fn hold(&mut self, why: &Refusal, digest: &Digest) {
        let update = self.last_good.hold(why, (self.clock)());
        let reason = why.to_string();
        let stays = update
            .refused
            .iter()
            .filter_map(|refused| refused.kept_until)
            .max();
        let mappings = update.len();
        match (stays, self.is_read) {
            (Some(until), _) => tracing::error!(
                backend = %self.backend, sha256 = %digest, mappings,
                "nothing of it can be used: {reason}; what it last said stays until {until}"
            ),
            (None, true) => tracing::error!(
                backend = %self.backend, sha256 = %digest, "nothing of it can be used: {reason}"
            ),
            (None, false) => tracing::error!(
                backend = %self.backend, sha256 = %digest,
                "nothing of it can be used: {reason}; until it is corrected, nobody whom only a later backend maps can log in"
            ),
        }
        self.broken = Some(reason);
        self.trouble = None;
        self.put(update, None);
        (self.observe)(self.backend, None);
    }

    /// What keeps the source from being read; `None` when nothing does any more. The rules stay.
    pub(super) fn set_trouble(&mut self, trouble: Option<String>) {
        if self.trouble == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::warn!(backend = %self.backend, "{trouble}"),
            None => tracing::info!(backend = %self.backend, "it can be read again"),
        }
        self.trouble = trouble;
        let trouble = self.told_trouble();
        self.live.change(self.backend, |edit| trouble.note(edit));
    }

    /// What is wrong with the document as a whole.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Whether it was ever read.
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    fn tell(&self, update: &Update, warnings: &[Warning], digest: &Digest) {
        for warning in warnings {
            // Entries that are left out are told with what becomes of them.
            if warning.kind != WarningKind::InvalidEntry {
                tracing::warn!(backend = %self.backend, "{warning}");
            }
        }
        for refused in &update.refused {
            let entry = &refused.position;
            tracing::warn!(backend = %self.backend, %entry, "refused: {refused}");
        }
        tracing::info!(
            backend = %self.backend,
            sha256 = %digest,
            mappings = update.len(),
            new = update.added,
            gone = update.removed,
            kept = update.kept(),
            refused = update.refused.len(),
            "read"
        );
    }

    fn tell_conflicts(&self) {
        let conflicts = self.live.inspect(|rules, _| {
            if rules.backend() == self.backend {
                rules.conflicts()
            } else {
                Vec::new()
            }
        });
        for Conflict { loser, winner } in conflicts.into_iter().flatten() {
            tracing::warn!(
                "{loser} never answers: {winner} names the same identity and comes first"
            );
        }
    }

    fn put(&self, update: Update, reconfigure: Option<Reconfigure<'_>>) {
        let trouble = self.told_trouble();
        let is_read = self.is_read;
        let change = |edit: &mut Edit<'_>| {
            update.put_into(edit, trouble);
            if is_read {
                edit.mark_read();
            }
        };
        match reconfigure {
            Some(reconfigure) => self.live.reconfigure(reconfigure, self.backend, change),
            None => {
                self.live.change(self.backend, change);
            }
        }
    }

    fn told_trouble(&self) -> Trouble {
        match (&self.trouble, &self.broken) {
            (Some(trouble), _) => Trouble::Source(trouble.clone()),
            (None, Some(broken)) => Trouble::Content(broken.clone()),
            (None, None) => Trouble::None,
        }
    }
}

/// Names the content of a document, in the log and against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// SHA-256 of `parts`, each with its length.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// SHA-256 of one content, as `sha256sum` gives it.
    pub(super) fn of_content(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// Enough of it to compare by eye.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(6)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
