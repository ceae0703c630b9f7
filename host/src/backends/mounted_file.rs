//! The backend MountedFile: mappings and settings in the configuration file, which may change while the server runs.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_core::rules::{Backend, RuleSet};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::backends::document_source::{DocumentSource, LogMode, ReloadObserver};
use crate::backends::live::LiveRules;
use crate::clock::Clock;
use crate::config::document::EMPTY_DOCUMENT;
use crate::config::{
    self, Config, ConfigFile, ConfigSources, Diagnostic, Location, Overrides, ParsedMappings,
    SettingsSnapshot,
};
use crate::polling::{self, Digest, FileEvent, MAY_BE_MISSING, POLL_INTERVAL, WatchedFile};

/// The configuration file of a running server.
pub struct MountedFile {
    inputs: Inputs,
    /// The settings that need a restart, as they were at the start.
    restart_required: SettingsSnapshot,
    apply: ApplySettings,
    live: Arc<LiveRules>,
    state: Mutex<MountedFileState>,
}

/// The inputs of the configuration, at the start and for each reload.
pub struct Inputs {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The command line.
    pub overrides: Overrides,
    /// The environment.
    pub variables: fn(&str) -> Option<String>,
}

/// Applies the settings that can change while the server runs ([`SettingsSnapshot::hot_reloadable`]), except mappings
/// and settings of rules.
pub type ApplySettings = Box<dyn Fn(&Config) + Send + Sync>;

/// The result of a reload of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The file has not changed, or there is no file.
    Unchanged,
    /// The mappings and the settings are in effect, except settings that need a restart.
    Applied {
        /// The changed settings that take effect after a restart.
        needs_restart: Vec<&'static str>,
    },
    /// The file cannot be used, for this reason. The last good version stays in effect.
    Refused(String),
}

struct MountedFileState {
    file: Option<WatchedFile>,
    source: DocumentSource,
    /// Whether the file has been read since the start.
    is_confirmed: bool,
    /// The changed settings that were last logged as needing a restart.
    reported_restart: Vec<&'static str>,
}

impl MountedFile {
    /// Creates the source from `config`, which was loaded from `inputs`. Moves the mappings out of `config`, to compare
    /// them with later edits. Also needed without the backend MountedFile, for changes of settings.
    #[must_use]
    pub fn start(
        config: &mut Config,
        inputs: Inputs,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: ReloadObserver,
        apply: ApplySettings,
    ) -> Arc<Self> {
        live.set_last_good_ttl(config.rules.last_good_ttl);
        let mut source =
            DocumentSource::new(Backend::MountedFile, Arc::clone(&live), clock, observe);
        source.apply_initial(mem::take(&mut config.mappings));
        source.set_protected(config.rules.protected.clone());
        if inputs.file.is_some() {
            source.confirm();
        }
        let file = inputs.file.clone();
        Arc::new(Self {
            restart_required: SettingsSnapshot::restart_required(config),
            apply,
            inputs,
            live,
            state: Mutex::new(MountedFileState {
                file: file.map(|path| WatchedFile::new(path, MAY_BE_MISSING)),
                source,
                is_confirmed: false,
                reported_restart: Vec::new(),
            }),
        })
    }

    /// Reloads the file whenever it changes, until `stop` is true or its sender is dropped.
    pub async fn watch(self: Arc<Self>, stop: watch::Receiver<bool>) {
        polling::poll_until_stopped(POLL_INTERVAL, stop, move || {
            self.poll(Instant::now());
        })
        .await;
    }

    /// Reloads the file now, because an administrator requested it. Blocks.
    pub fn reload(&self) -> Reloaded {
        let mut state = self.state.lock();
        let state = &mut *state;
        let event = state
            .file
            .as_mut()
            .map(|file| file.read_now(Instant::now()));
        let reloaded = event.map_or(Reloaded::Unchanged, |event| self.handle_event(state, event));
        state.confirm();
        reloaded
    }

    /// Polls the file once.
    fn poll(&self, at: Instant) {
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(event) = state.file.as_mut().and_then(|file| file.poll(at)) {
            self.handle_event(state, event);
        }
        state.confirm();
    }

    fn handle_event(&self, state: &mut MountedFileState, event: FileEvent) -> Reloaded {
        let path = self.inputs.file.as_deref().unwrap_or_else(|| "".as_ref());
        let name = path.display().to_string();
        let trouble = match event {
            FileEvent::Content(text, digest) => {
                return self.apply_text(state, &name, &text, &digest);
            }
            FileEvent::InvalidContent(reason, digest) => {
                let why = Diagnostic::unreadable(Location::file(name), reason);
                return state.reject(&why, None, &digest);
            }
            FileEvent::SameContent(_) => {
                state.source.set_trouble(None);
                return match state.source.document_error() {
                    Some(why) => Reloaded::Refused(why.to_owned()),
                    None => Reloaded::Unchanged,
                };
            }
            FileEvent::Missing => format!(
                "the configuration file {name} does not exist; its last version stays in effect until the server exits; restore the file"
            ),
            FileEvent::Unreadable(why) => format!(
                "the configuration file {name} cannot be read: {why}; its last version stays in effect until the server exits"
            ),
        };
        state.source.set_trouble(Some(trouble.clone()));
        Reloaded::Refused(trouble)
    }

    fn apply_text(
        &self,
        state: &mut MountedFileState,
        name: &str,
        text: &str,
        digest: &Digest,
    ) -> Reloaded {
        if text.trim().is_empty() {
            let why = Diagnostic::unreadable(Location::file(name), EMPTY_DOCUMENT);
            return state.reject(&why, None, digest);
        }
        let sources = ConfigSources {
            file: Some(ConfigFile::Text { name, text }),
            overrides: &self.inputs.overrides,
            variables: &self.inputs.variables,
        };
        let config = match config::load(&sources) {
            Ok(config) => config,
            Err(error) => {
                // Each kept entry gets this reason, so the message includes the location.
                let why = Diagnostic::new(error.code, error.severity, Location::default(), &error);
                // Entries that the same edit removes must not stay in effect.
                let lists = config::load_mappings_only(&sources);
                return state.reject(&why, lists, digest);
            }
        };
        if let Some(why) = &config.mappings.unreadable {
            return state.reject(why, None, digest);
        }
        self.live.set_last_good_ttl(config.rules.last_good_ttl);
        let needs_restart = self
            .restart_required
            .changed_names(&SettingsSnapshot::restart_required(&config));
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
        // The server has already logged the configuration that it started with.
        let log_mode = if mem::replace(&mut state.is_confirmed, true) {
            LogMode::All
        } else {
            LogMode::Changes
        };
        let source = &mut state.source;
        source.set_protected(protected);
        source.apply(
            config.mappings,
            &config.warnings,
            digest,
            log_mode,
            Some(&reconfigure),
        );
        if state.reported_restart != needs_restart {
            if !needs_restart.is_empty() {
                let settings = needs_restart.join("`, `");
                tracing::warn!(
                    "`{settings}` of {name} changed: restart the server to apply the change"
                );
            }
            state.reported_restart.clone_from(&needs_restart);
        }
        Reloaded::Applied { needs_restart }
    }
}

impl MountedFileState {
    fn confirm(&self) {
        if self.file.as_ref().is_some_and(WatchedFile::is_confirmed) {
            self.source.confirm();
        }
    }

    fn reject(
        &mut self,
        why: &Diagnostic,
        lists: Option<ParsedMappings>,
        digest: &Digest,
    ) -> Reloaded {
        self.is_confirmed = true;
        self.source.keep_last_good(why, lists, digest);
        Reloaded::Refused(why.to_string())
    }
}

#[cfg(test)]
mod tests;
