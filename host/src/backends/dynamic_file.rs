//! The backend DynamicFile: mappings in a separate file, which may change at any time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_core::rules::{Backend, WildcardMode};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::backends::document_source::{DocumentSource, LogMode, ReloadObserver};
use crate::backends::live::LiveRules;
use crate::clock::Clock;
use crate::config::document;
use crate::config::{Diagnostic, Location};
use crate::polling::{self, FileEvent, MAY_BE_MISSING, POLL_INTERVAL, WatchedFile};

/// The source of mappings in the file at `server.dynamicFilePath`.
pub struct DynamicFile {
    globs: WildcardMode,
    state: Mutex<DynamicFileState>,
}

struct DynamicFileState {
    file: WatchedFile,
    source: DocumentSource,
}

impl DynamicFile {
    /// Reads the file at `path` and publishes its mappings in `live`. If the file cannot be read, the notes of the
    /// backend say why. A file that does not exist has no mappings.
    #[must_use]
    pub fn start(
        path: PathBuf,
        globs: WildcardMode,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: ReloadObserver,
    ) -> Arc<Self> {
        let mut state = DynamicFileState {
            file: WatchedFile::new(path, MAY_BE_MISSING),
            source: DocumentSource::new(Backend::DynamicFile, live, clock, observe),
        };
        let event = state.file.read_now(Instant::now());
        state.handle_event(event, globs);
        state.confirm();
        Arc::new(Self {
            globs,
            state: Mutex::new(state),
        })
    }

    /// Updates the rules whenever the file changes, until `stop` is true or its sender is dropped.
    pub async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        polling::poll_until_stopped(POLL_INTERVAL, stop, move || self.poll(Instant::now())).await;
    }

    /// Polls the file once.
    fn poll(&self, at: Instant) {
        let mut state = self.state.lock();
        if let Some(event) = state.file.poll(at) {
            state.handle_event(event, self.globs);
        }
        state.confirm();
    }

    /// Reads the file immediately, without waiting until it has settled, because an administrator requested it.
    pub fn reload(&self) {
        let mut state = self.state.lock();
        let event = state.file.read_now(Instant::now());
        state.handle_event(event, self.globs);
        state.confirm();
    }
}

impl DynamicFileState {
    fn confirm(&self) {
        if self.file.is_confirmed() {
            self.source.confirm();
        }
    }

    fn handle_event(&mut self, event: FileEvent, globs: WildcardMode) {
        let name = self.file.path().display().to_string();
        match event {
            FileEvent::Content(text, digest) => {
                match document::parse_dynamic_file(&name, &text, globs) {
                    Ok(document) => {
                        let warnings = &document.warnings;
                        self.source
                            .apply(document.mappings, warnings, &digest, LogMode::All, None);
                    }
                    Err(why) => self.source.keep_last_good(&why, None, &digest),
                }
            }
            FileEvent::InvalidContent(reason, digest) => {
                let why = Diagnostic::unreadable(Location::file(name), reason);
                self.source.keep_last_good(&why, None, &digest);
            }
            FileEvent::SameContent(_) => self.source.set_trouble(None),
            FileEvent::Missing => {
                self.source.clear();
                let trouble = format!(
                    "{name} does not exist, so it maps no identity; create it, or change `server.dynamicFilePath`"
                );
                self.source.set_trouble(Some(trouble));
            }
            FileEvent::Unreadable(why) => {
                let trouble = format!("{name} cannot be read: {why}");
                self.source.set_trouble(Some(trouble));
            }
        }
    }
}

#[cfg(test)]
mod tests;
