//! Sources of mappings that consist of one document: apply the document, and log the result for the author of an edit.

use std::mem;
use std::sync::Arc;

use ack_ram_config::last_good::{LastGood, RefusedEntry, RetentionPolicy, Update};
use ack_ram_core::rules::{Backend, Conflict, ProtectedIdentities, RuleSet};

use crate::backends::live::{BackendNotes, LiveRules, Transaction};
use crate::clock::Clock;
use crate::config::{Diagnostic, DiagnosticCode, ParsedMappings};
use crate::polling::Digest;

/// A source of mappings that consists of one document.
pub(super) struct DocumentSource {
    backend: Backend,
    live: Arc<LiveRules>,
    clock: Clock,
    observe: ReloadObserver,
    last_good: LastGood,
    /// The identities in `server.protect` of the configuration file.
    protected: ProtectedIdentities,
    /// Whether the document has been read at least once.
    is_synced: bool,
    /// Why the document as a whole is invalid.
    document_error: Option<String>,
    /// Why the document cannot be read.
    trouble: Option<String>,
}

/// When to log that a document was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogMode {
    /// Always, with all warnings.
    All,
    /// Only if mappings were added or removed, or a last good form is kept.
    Changes,
}

/// Receives the result of each reload: the start of the hash of the new content, or `None` if the document is invalid.
pub type ReloadObserver = Arc<dyn Fn(Backend, Option<&str>) + Send + Sync>;

/// Ignores the results of reloads.
#[cfg(test)]
pub(crate) fn ignore_reloads() -> ReloadObserver {
    Arc::new(|_, _| {})
}

/// Builds new rules from the rules of all backends, to be published together with a change of one backend.
pub(super) type Reconfigure<'a> = &'a dyn Fn(&RuleSet) -> RuleSet;

impl DocumentSource {
    pub(super) fn new(
        backend: Backend,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: ReloadObserver,
    ) -> Self {
        Self {
            backend,
            live,
            clock,
            observe,
            last_good: LastGood::new(backend),
            protected: ProtectedIdentities::default(),
            is_synced: false,
            document_error: None,
            trouble: None,
        }
    }

    /// Applies `document`, and logs its `warnings`; `digest` identifies the content in the log. Returns the refused
    /// entries.
    pub(super) fn apply(
        &mut self,
        document: ParsedMappings,
        warnings: &[Diagnostic],
        digest: &Digest,
        log_mode: LogMode,
        reconfigure: Option<Reconfigure<'_>>,
    ) -> Vec<RefusedEntry> {
        let mut update = self.update_last_good(|last_good, terms| last_good.apply(document, terms));
        self.is_synced = true;
        self.document_error = None;
        self.trouble = None;
        let is_logged =
            log_mode == LogMode::All || update.added + update.removed + update.retained_count() > 0;
        if is_logged {
            self.log_update(&update, warnings, digest);
        }
        let refused = update.refused.clone();
        self.publish(mem::take(&mut update), reconfigure);
        (self.observe)(self.backend, Some(&digest.to_string()));
        if is_logged {
            self.log_conflicts();
        }
        refused
    }

    /// Applies the document that the server starts with. The caller logs its warnings.
    pub(super) fn apply_initial(&mut self, document: ParsedMappings) {
        let update = self.update_last_good(|last_good, terms| last_good.apply(document, terms));
        self.is_synced = true;
        self.publish(update, None);
    }

    /// Confirms that the document has been read and is in effect.
    pub(super) fn confirm(&self) {
        self.live.confirmations().confirm(self.backend);
    }

    /// Removes all mappings, because the document was deleted.
    pub(super) fn clear(&mut self) {
        let nothing = ParsedMappings::default();
        let update = self.update_last_good(|last_good, terms| last_good.apply(nothing, terms));
        self.is_synced = true;
        self.document_error = None;
        if update.removed > 0 {
            tracing::warn!(backend = %self.backend, gone = update.removed, "the document was deleted; its mappings are no longer in effect");
        }
        self.publish(update, None);
    }

    /// Keeps the last good mappings, because the document is invalid: all of them, or, if its lists can be parsed,
    /// those that `lists` still contain.
    pub(super) fn keep_last_good(
        &mut self,
        why: &Diagnostic,
        lists: Option<ParsedMappings>,
        digest: &Digest,
    ) {
        let update = self.update_last_good(|last_good, terms| match lists {
            Some(lists) => last_good.restrict_to(lists, why, terms),
            None => last_good.keep_last_good(why, terms),
        });
        let reason = why.to_string();
        let until = update.retained().map(|kept| kept.until).max();
        let mappings = update.len();
        match (until, self.is_synced) {
            (Some(until), _) => tracing::error!(
                backend = %self.backend, sha256 = %digest, mappings, gone = update.removed,
                "invalid document: {reason}; keeping the last good mappings until {until}"
            ),
            (None, true) => tracing::error!(
                backend = %self.backend, sha256 = %digest, gone = update.removed,
                "invalid document: {reason}; it maps no identity"
            ),
            (None, false) => tracing::error!(
                backend = %self.backend, sha256 = %digest,
                "invalid document: {reason}; users mapped only by a later backend cannot log in"
            ),
        }
        self.log_refused(&update);
        self.document_error = Some(reason);
        self.trouble = None;
        self.publish(update, None);
        (self.observe)(self.backend, None);
    }

    /// Sets the protected identities, whose complete last good form stays in effect.
    pub(super) fn set_protected(&mut self, protected: ProtectedIdentities) {
        self.protected = protected;
    }

    fn update_last_good(
        &mut self,
        change: impl FnOnce(&mut LastGood, &RetentionPolicy<'_>) -> Update,
    ) -> Update {
        let terms = RetentionPolicy {
            now: (self.clock)(),
            ttl: self.live.last_good_ttl(),
            protected: Some(&self.protected),
        };
        change(&mut self.last_good, &terms)
    }

    /// Sets the reason why the source cannot be read, or `None` if it can. Does not change the rules.
    pub(super) fn set_trouble(&mut self, trouble: Option<String>) {
        if self.trouble == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::warn!(backend = %self.backend, "{trouble}"),
            None => tracing::info!(backend = %self.backend, "the source can be read again"),
        }
        self.trouble = trouble;
        let trouble = self.current_trouble();
        self.live.change(self.backend, |edit| trouble.note(edit));
    }

    /// Returns the reason why the document as a whole is invalid; `None` if it is valid.
    pub(super) fn document_error(&self) -> Option<&str> {
        self.document_error.as_deref()
    }

    /// Returns whether the document has been read at least once.
    pub(super) fn is_synced(&self) -> bool {
        self.is_synced
    }

    fn log_update(&self, update: &Update, warnings: &[Diagnostic], digest: &Digest) {
        for warning in warnings {
            // `log_refused` logs invalid entries, with the result for each.
            if warning.code != DiagnosticCode::InvalidEntry {
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
            kept = update.retained_count(),
            refused = update.refused.len(),
            "loaded the document"
        );
    }

    fn log_refused(&self, update: &Update) {
        for refused in &update.refused {
            let entry = &refused.position;
            let subject = refused.subject.as_deref();
            tracing::warn!(backend = %self.backend, %entry, subject, "refused: {refused}");
        }
    }

    fn log_conflicts(&self) {
        let conflicts = self.live.inspect(|rules, _| {
            if rules.backend() == self.backend {
                rules.conflicts()
            } else {
                Vec::new()
            }
        });
        for Conflict {
            shadowed,
            shadowed_by,
        } in conflicts.into_iter().flatten()
        {
            tracing::warn!(
                "{shadowed} is shadowed by {shadowed_by}, which maps the same identity and takes precedence"
            );
        }
    }

    fn publish(&self, update: Update, reconfigure: Option<Reconfigure<'_>>) {
        let trouble = self.current_trouble();
        let is_synced = self.is_synced;
        let change = |edit: &mut Transaction<'_>| {
            publish_update(update, edit);
            trouble.note(edit);
            if is_synced {
                edit.mark_synced();
            }
        };
        match reconfigure {
            Some(reconfigure) => self.live.reconfigure(reconfigure, self.backend, change),
            None => {
                self.live.change(self.backend, change);
            }
        }
    }

    fn current_trouble(&self) -> DocumentTrouble {
        match (&self.trouble, &self.document_error) {
            (Some(trouble), _) => DocumentTrouble::Source(trouble.clone()),
            (None, Some(document_error)) => DocumentTrouble::Content(document_error.clone()),
            (None, None) => DocumentTrouble::None,
        }
    }
}

/// The reason why a document as a whole is not in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DocumentTrouble {
    None,
    /// The document cannot be read.
    Source(String),
    /// The document is invalid. The reason may quote the document.
    Content(String),
}

impl DocumentTrouble {
    fn note(self, edit: &mut Transaction<'_>) {
        match self {
            Self::None => edit.set_trouble(None),
            Self::Source(reason) => edit.set_trouble(Some(reason)),
            Self::Content(reason) => edit.set_broken(reason),
        }
    }
}

/// Publishes `update` in one step.
pub(super) fn publish_update(update: Update, edit: &mut Transaction<'_>) {
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
