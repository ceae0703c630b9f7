//! The backend ACKConfigMap: mappings in a ConfigMap. This module does not use the API server: the watch calls it.

use std::sync::Arc;

use ack_ram_core::rules::{Backend, WildcardMode};
use ack_ram_core::time::UnixTime;
use parking_lot::{Mutex, MutexGuard};

use crate::backends::document_source::{DocumentSource, LogMode, ReloadObserver};
use crate::backends::live::LiveRules;
use crate::clock::Clock;
use crate::config::ConfigMapName;
use crate::config::document::{self, ConfigMapData};
use crate::polling::Digest;

/// The source of mappings in the ConfigMap that `server.configMap` names.
pub struct ConfigMapSource {
    name: ConfigMapName,
    globs: WildcardMode,
    clock: Clock,
    live: Arc<LiveRules>,
    state: Mutex<ConfigMapState>,
}

struct ConfigMapState {
    source: DocumentSource,
    /// The digest of the data that was last read; `None` if there was no ConfigMap.
    digest: Option<Digest>,
}

impl ConfigMapSource {
    /// Creates a source that publishes the rules of the ConfigMap `name` in `live`.
    #[must_use]
    pub fn new(
        name: ConfigMapName,
        globs: WildcardMode,
        live: Arc<LiveRules>,
        clock: Clock,
        observe: ReloadObserver,
    ) -> Self {
        Self {
            name,
            globs,
            clock,
            live: Arc::clone(&live),
            state: Mutex::new(ConfigMapState {
                source: DocumentSource::new(Backend::ConfigMap, live, clock, observe),
                digest: None,
            }),
        }
    }

    /// Returns the name of the ConfigMap.
    #[must_use]
    pub fn name(&self) -> &ConfigMapName {
        &self.name
    }

    /// Returns the rules that this source updates.
    pub(crate) fn live(&self) -> &Arc<LiveRules> {
        &self.live
    }

    /// Returns the current time.
    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Applies `data`, the new content of the ConfigMap. Returns the refused entries with the reasons, or `None` if the
    /// content has not changed.
    pub(crate) fn apply(&self, data: &ConfigMapData) -> Option<Vec<String>> {
        let mut state = self.lock();
        let digest = digest(data);
        if state.digest.replace(digest) == Some(digest) {
            return None;
        }
        let document = document::parse_config_map(&self.name.to_string(), data, self.globs);
        let warnings = &document.warnings;
        let source = &mut state.source;
        let refused = source.apply(document.mappings, warnings, &digest, LogMode::All, None);
        Some(refused.iter().map(ToString::to_string).collect())
    }

    /// Removes all mappings, because the ConfigMap does not exist.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        if state.digest.take().is_some() || !state.source.is_synced() {
            tracing::info!(backend = %Backend::ConfigMap, "the {} does not exist", self.name);
            state.source.clear();
        }
    }

    /// Sets the reason why the ConfigMap cannot be watched, or `None` if it can. Does not change the rules.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        self.lock().source.set_trouble(trouble);
    }

    fn lock(&self) -> MutexGuard<'_, ConfigMapState> {
        self.state.lock()
    }
}

fn digest(data: &ConfigMapData) -> Digest {
    let texts = data.texts.iter();
    let texts = texts.flat_map(|(key, text)| [key.as_bytes(), text.as_bytes()]);
    let binary = data.binary_keys.iter().map(String::as_bytes);
    Digest::from_parts(texts.chain([b"binaryData".as_slice()]).chain(binary))
}

#[cfg(test)]
mod tests;
