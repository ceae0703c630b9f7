//! Fixtures that the unit tests of several modules share.

use std::collections::BTreeSet;
use std::sync::Arc;

use ack_ram_core::rules::{Backend, BackendRules, RuleSet, WildcardMode};
use ack_ram_core::time::UnixTime;

use crate::backends::config_map::ConfigMapSource;
use crate::backends::document_source::ignore_reloads;
use crate::backends::live::LiveRules;
use crate::config::{self, Config, ConfigFile, ConfigMapName, ConfigSources, Overrides};

/// Loads a configuration file with the content `text`, without flags and environment variables.
pub(crate) fn load_config(text: &str) -> Result<Config, config::Diagnostic> {
    config::load(&ConfigSources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text,
        }),
        overrides: &Overrides::default(),
        variables: &|_| None,
    })
}

/// Builds the rules of one backend that has not completed its first sync.
pub(crate) fn unsynced_rules(backend: Backend, now: UnixTime) -> Arc<LiveRules> {
    let rules = RuleSet::new(vec![BackendRules::new_unsynced(backend)], BTreeSet::new());
    Arc::new(LiveRules::new(rules, now))
}

/// Builds a source of the standard ConfigMap, and the rules that it changes.
pub(crate) fn config_map_source() -> (ConfigMapSource, Arc<LiveRules>) {
    let clock = || UnixTime::from_seconds(7);
    let live = unsynced_rules(Backend::ConfigMap, clock());
    let source = ConfigMapSource::new(
        ConfigMapName::default(),
        WildcardMode::Disabled,
        Arc::clone(&live),
        clock,
        ignore_reloads(),
    );
    (source, live)
}
