//! A source of mappings that is one document: what it says is put in effect, and whoever edits it is told in the log.

use std::fmt;
use std::mem;
use std::sync::Arc;

use ack_ram_config::last_good::{LastGood, Refused, Terms, Update};
use ack_ram_core::rules::{Backend, Conflict, Protected, RuleSet};
use sha2::{Digest as _, Sha256};

use crate::backends::live::{BackendNotes, Edit, LiveRules};
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
    /// `server.protect`, of the configuration file.
    protected: Protected,
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
            protected: Protected::default(),
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
        let mut update = self.take(|last_good, terms| last_good.read(document, terms));
        self.is_read = true;
        self.broken = None;
        self.trouble = None;
        let is_told = tell == Tell::All || update.added + update.removed + update.kept() > 0;
        if is_told {
            self.tell(&update, warnings, digest);
        }
        let refused = update.refused.clone();
        self.put(mem::take(&mut update), reconfigure);
        (self.observe)(self.backend, Some(&digest.to_string()));
        if is_told {
            self.tell_conflicts();
        }
        refused
    }

    /// The same, of the configuration that the server starts with. What is odd in it is told elsewhere.
    pub(super) fn start(&mut self, document: FileMappings) {
        let update = self.take(|last_good, terms| last_good.read(document, terms));
        self.is_read = true;
        self.put(update, None);
    }

    /// The document was looked at and could be read, and what it says is in effect.
    pub(super) fn confirm(&self) {
        self.live.confirmations().confirm(self.backend);
    }

    /// The document is gone, and with it all that it mapped.
    pub(super) fn lose(&mut self) {
        let nothing = FileMappings::default();
        let update = self.take(|last_good, terms| last_good.read(nothing, terms));
        self.is_read = true;
        self.broken = None;
        if update.removed > 0 {
            tracing::warn!(backend = %self.backend, gone = update.removed, "it is gone, and so are its mappings");
        }
        self.put(update, None);
    }

    /// The document as a whole cannot be used, for this reason: all that was in effect stays; or, when its lists can be read
    /// all the same, of that what `lists` still give.
    pub(super) fn hold(&mut self, why: &Refusal, lists: Option<FileMappings>, digest: &Digest) {
        let update = self.take(|last_good, terms| match lists {
            Some(lists) => last_good.restrict(lists, why, terms),
            None => last_good.hold(why, terms),
        });
        let reason = why.to_string();
        let until = update.retained().map(|kept| kept.until).max();
        let mappings = update.len();
        match (until, self.is_read) {
            (Some(until), _) => tracing::error!(
                backend = %self.backend, sha256 = %digest, mappings, gone = update.removed,
                "invalid document: {reason}; keeping what was in effect until {until}"
            ),
            (None, true) => tracing::error!(
                backend = %self.backend, sha256 = %digest, gone = update.removed,
                "invalid document: {reason}; it maps nobody"
            ),
            (None, false) => tracing::error!(
                backend = %self.backend, sha256 = %digest,
                "invalid document: {reason}; users mapped only by a later backend cannot log in"
            ),
        }
        self.log_refused(&update);
        self.broken = Some(reason);
        self.trouble = None;
        self.put(update, None);
        (self.observe)(self.backend, None);
    }

    /// Of whom the whole last good form stays in doubt.
    pub(super) fn protect(&mut self, protected: Protected) {
        self.protected = protected;
    }

    fn take(&mut self, change: impl FnOnce(&mut LastGood, &Terms<'_>) -> Update) -> Update {
        let terms = Terms {
            now: (self.clock)(),
            ttl: self.live.last_good_ttl(),
            protected: Some(&self.protected),
        };
        change(&mut self.last_good, &terms)
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
        self.log_refused(update);
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

    fn log_refused(&self, update: &Update) {
        for refused in &update.refused {
            let entry = &refused.position;
            let subject = refused.subject.as_deref();
            tracing::warn!(backend = %self.backend, %entry, subject, "refused: {refused}");
        }
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
            put_into(update, edit);
            trouble.note(edit);
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

/// What is wrong with a document as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// It cannot be read.
    Source(String),
    /// It cannot be used. The reason may quote it.
    Content(String),
}

impl Trouble {
    fn note(self, edit: &mut Edit<'_>) {
        match self {
            Self::None => edit.set_trouble(None),
            Self::Source(reason) => edit.set_trouble(Some(reason)),
            Self::Content(reason) => edit.set_broken(reason),
        }
    }
}

/// Puts `update` in effect, all at once.
pub(super) fn put_into(update: Update, edit: &mut Edit<'_>) {
    let mut rules = edit.rules().clone();
    rules.reset();
    for rule in update.rules {
        rules.apply(rule);
    }
    for (_, account) in &update.accounts {
        rules.apply_account(account.clone());
    }
    let refused = update.refused.iter();
    let notes = BackendNotes {
        in_effect: update.in_effect,
        accounts: update.accounts.into_iter().collect(),
        refused: refused
            .map(|refused| (refused.position.clone(), refused.reason()))
            .collect(),
        ..BackendNotes::default()
    };
    edit.replace(rules, notes);
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
