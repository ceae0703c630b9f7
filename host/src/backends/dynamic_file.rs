//! DynamicFile: mappings in a file of their own, which may change at any time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ack_ram_core::rules::{Backend, Globs};
use tokio::sync::watch;

use crate::backends::feed::{Feed, Observe, Tell};
use crate::backends::live::LiveRules;
use crate::backends::watched_file::{self, LOOK_EVERY, MAY_BE_MISSING, Seen, WatchedFile};
use crate::config::document;
use crate::config::entry::Refusal;
use crate::env::Clock;

/// The file at `server.dynamicFilePath`.
pub struct DynamicFile {
    globs: Globs,
    state: Mutex<State>,
}

struct State {
    file: WatchedFile,
    feed: Feed,
}

impl DynamicFile {
    /// Reads the file at `path` and puts in `live` what it maps. What keeps it from being read is in the notes of the
    /// rules; a file that is not there maps nobody.
    #[must_use]
    pub fn start(
        path: PathBuf,
        globs: Globs,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: Observe,
    ) -> Arc<Self> {
        let mut state = State {
            file: WatchedFile::new(path, MAY_BE_MISSING),
            feed: Feed::new(Backend::DynamicFile, live, clock, observe),
        };
        let seen = state.file.read_now(Instant::now());
        state.take(seen, globs);
        state.confirm();
        Arc::new(Self {
            globs,
            state: Mutex::new(state),
        })
    }

    /// Keeps the rules as the file is, until `stop` is true or its sender is gone.
    pub async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        watched_file::look_again_and_again(LOOK_EVERY, stop, move || self.look(Instant::now()))
            .await;
    }

    /// Looks at the file once.
    fn look(&self, at: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = state.file.look(at) {
            state.take(seen, self.globs);
        }
        state.confirm();
    }

    /// Reads the file at once, without waiting until it has settled: somebody asks for it.
    pub fn reload(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = state.file.read_now(Instant::now());
        state.take(seen, self.globs);
        state.confirm();
    }
}

impl State {
    fn confirm(&self) {
        if self.file.is_confirmed() {
            self.feed.confirm();
        }
    }

    fn take(&mut self, seen: Seen, globs: Globs) {
        let name = self.file.path().display().to_string();
        match seen {
            Seen::Content(text, digest) => match document::dynamic_file(&name, &text, globs) {
                Ok(document) => {
                    let warnings = &document.warnings;
                    self.feed
                        .read(document.mappings, warnings, &digest, Tell::All, None);
                }
                Err(why) => self.feed.hold(&why, None, &digest),
            },
            Seen::Unfit(reason, digest) => {
                let place = name;
                self.feed.hold(&Refusal { place, reason }, None, &digest);
            }
            Seen::SameContent(_) => self.feed.set_trouble(None),
            Seen::Missing => {
                self.feed.lose();
                let trouble = format!(
                    "{name} is not there, so it maps nobody; make it, or set another `server.dynamicFilePath`"
                );
                self.feed.set_trouble(Some(trouble));
            }
            Seen::Unreadable(why) => {
                let trouble = format!("{name} cannot be read: {why}");
                self.feed.set_trouble(Some(trouble));
            }
        }
    }
}

#[cfg(test)]
mod tests;
