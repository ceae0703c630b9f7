//! MountedFile: the mappings and the settings in the configuration file, which may change while the server runs.

use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ack_ram_core::rules::{Backend, RuleSet};
use tokio::sync::watch;

use crate::backends::feed::{Digest, Feed, Observe, Tell};
use crate::backends::live::LiveRules;
use crate::backends::watched_file::{self, LOOK_EVERY, MAY_BE_MISSING, Seen, WatchedFile};
use crate::config::document::EMPTY;
use crate::config::entry::Refusal;
use crate::config::{self, Config, ConfigFile, FileMappings, Overrides, Settings, Sources};
use crate::env::Clock;

/// The configuration file of a server that runs.
pub struct MountedFile {
    inputs: Inputs,
    /// Of the configuration that the server started with.
    fixed: Settings,
    apply: Apply,
    live: Arc<LiveRules>,
    state: Mutex<State>,
}

/// What the configuration is read from, at start and after that.
pub struct Inputs {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The command line.
    pub overrides: Overrides,
    /// The environment.
    pub variables: fn(&str) -> Option<String>,
}

/// Puts in effect those settings of a configuration that are neither mappings nor about rules, as far as they can change
/// while the server runs ([`Settings::live`]).
pub type Apply = Box<dyn Fn(&Config) + Send + Sync>;

/// What came of reading the configuration file again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// It is as it was, or there is none.
    Unchanged,
    /// Its mappings are in effect, and its settings but for those that need a restart.
    Applied {
        /// The settings that have changed, too, and of which the server will know when it starts again.
        needs_restart: Vec<&'static str>,
    },
    /// It cannot be used, for this reason; what was in effect is.
    Refused(String),
}

struct State {
    file: Option<WatchedFile>,
    feed: Feed,
    /// Whether the file has been read since the start.
    is_confirmed: bool,
    /// What was last said to need a restart.
    told: Vec<&'static str>,
}

impl MountedFile {
    /// Takes the mappings of `config`, which was read from `inputs` and is in effect in `live`, to tell what later edits
    /// change. Also needed when the backend MountedFile is not asked, for the settings.
    #[must_use]
    pub fn start(
        config: &mut Config,
        inputs: Inputs,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: Observe,
        apply: Apply,
    ) -> Arc<Self> {
        live.set_last_good_ttl(config.rules.last_good_ttl);
        let mut feed = Feed::new(Backend::MountedFile, Arc::clone(&live), clock, observe);
        feed.start(mem::take(&mut config.mappings));
        feed.protect(config.rules.protected.clone());
        if inputs.file.is_some() {
            feed.confirm();
        }
        let file = inputs.file.clone();
        Arc::new(Self {
            fixed: Settings::fixed(config),
            apply,
            inputs,
            live,
            state: Mutex::new(State {
                file: file.map(|path| WatchedFile::new(path, MAY_BE_MISSING)),
                feed,
                is_confirmed: false,
                told: Vec::new(),
            }),
        })
    }

    /// Reads the file again whenever it has changed, until `stop` is true or its sender is gone.
    pub async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        watched_file::look_again_and_again(LOOK_EVERY, stop, move || {
            self.look(Instant::now());
        })
        .await;
    }

    /// Reads the file again now, because somebody asks for it. Blocks.
    pub fn reload(&self) -> Reloaded {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let seen = state
            .file
            .as_mut()
            .map(|file| file.read_now(Instant::now()));
        let reloaded = seen.map_or(Reloaded::Unchanged, |seen| self.take(state, seen));
        state.confirm();
        reloaded
    }

    /// Looks at the file once.
    fn look(&self, at: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        if let Some(seen) = state.file.as_mut().and_then(|file| file.look(at)) {
            self.take(state, seen);
        }
        state.confirm();
    }

    fn take(&self, state: &mut State, seen: Seen) -> Reloaded {
        let path = self.inputs.file.as_deref().unwrap_or_else(|| "".as_ref());
        let name = path.display().to_string();
        let trouble = match seen {
            Seen::Content(text, digest) => return self.read(state, &name, &text, &digest),
            Seen::Unfit(reason, digest) => {
                let place = name;
                return state.refuse(&Refusal { place, reason }, None, &digest);
            }
            Seen::SameContent(_) => {
                state.feed.set_trouble(None);
                return match state.feed.broken() {
                    Some(why) => Reloaded::Refused(why.to_owned()),
                    None => Reloaded::Unchanged,
                };
            }
            Seen::Missing => format!(
                "the configuration file {name} is gone; what it last said stays in effect until the server ends: put it back"
            ),
            Seen::Unreadable(why) => format!(
                "the configuration file {name} cannot be read: {why}; what it last said stays in effect until the server ends"
            ),
        };
        state.feed.set_trouble(Some(trouble.clone()));
        Reloaded::Refused(trouble)
    }

    fn read(&self, state: &mut State, name: &str, text: &str, digest: &Digest) -> Reloaded {
        if text.trim().is_empty() {
            let (place, reason) = (name.to_owned(), EMPTY.to_owned());
            return state.refuse(&Refusal { place, reason }, None, digest);
        }
        let sources = Sources {
            file: Some(ConfigFile::Text { name, text }),
            overrides: &self.inputs.overrides,
            variables: &self.inputs.variables,
        };
        let config = match config::load(&sources) {
            Ok(config) => config,
            Err(error) => {
                let reason = error.to_string();
                let place = String::new();
                // Whoever is taken away in the same edit is gone all the same.
                let lists = config::mappings_alone(&sources);
                return state.refuse(&Refusal { place, reason }, lists, digest);
            }
        };
        if let Some(why) = &config.mappings.unreadable {
            return state.refuse(why, None, digest);
        }
        self.live.set_last_good_ttl(config.rules.last_good_ttl);
        let needs_restart = self.fixed.changed_in(&Settings::fixed(&config));
        (self.apply)(&config);
        let (rules, scrubbed) = (config.rules, config.scrubbed_accounts);
        let protected = rules.protected.clone();
        let reconfigure = |live: &RuleSet| {
            let backends = live.backends().iter().map(|backend| {
                let reserved = rules.reserved.get(&backend.backend()).cloned();
                backend.clone().with_reserved(reserved.unwrap_or_default())
            });
            RuleSet::new(backends.collect(), scrubbed.clone())
                .with_validations(rules.validations.clone())
                .with_protected(rules.protected.clone())
        };
        // What the server started with, it has told.
        let tell = if mem::replace(&mut state.is_confirmed, true) {
            Tell::All
        } else {
            Tell::News
        };
        let feed = &mut state.feed;
        feed.protect(protected);
        feed.read(
            config.mappings,
            &config.warnings,
            digest,
            tell,
            Some(&reconfigure),
        );
        if state.told != needs_restart {
            if !needs_restart.is_empty() {
                let settings = needs_restart.join("`, `");
                tracing::warn!(
                    "`{settings}` of {name} changed: restart the server to put that in effect"
                );
            }
            state.told.clone_from(&needs_restart);
        }
        Reloaded::Applied { needs_restart }
    }
}

impl State {
    fn confirm(&self) {
        if self.file.as_ref().is_some_and(WatchedFile::is_confirmed) {
            self.feed.confirm();
        }
    }

    fn refuse(&mut self, why: &Refusal, lists: Option<FileMappings>, digest: &Digest) -> Reloaded {
        self.is_confirmed = true;
        self.feed.hold(why, lists, digest);
        Reloaded::Refused(why.to_string())
    }
}

#[cfg(test)]
mod tests;
