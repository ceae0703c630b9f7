//! Backends: where rules come from.

#[cfg(test)]
mod broken_edits;
pub mod config_map;
pub mod dynamic_file;
pub mod feed;
mod last_good;
pub mod live;
pub mod mounted_file;
pub(crate) mod watched_file;

use ack_ram_core::rules::{Backend, BackendRules, Conflict, Rule, RuleError, RuleSet, Source};

use crate::config::Config;

/// The rules of all configured backends, in the configured order. What is odd about them is logged.
#[must_use]
pub fn load(config: &Config) -> RuleSet {
    let Compiled { rules, refused } = compile(config);
    for (source, error) in refused {
        tracing::warn!("{source} was left out: {error}");
    }
    for backend in rules.backends() {
        for Conflict { loser, winner } in backend.conflicts() {
            tracing::warn!(
                "{loser} never answers: {winner} names the same identity and comes first"
            );
        }
        let (name, rules) = (backend.backend(), backend.len());
        if !backend.is_read() {
            continue;
        }
        if backend.is_empty() {
            tracing::warn!(backend = %name, "maps nobody: add `server.mapRoles`, `server.mapUsers` or `server.mapAccounts`");
        } else {
            tracing::info!(backend = %name, rules, "loaded");
        }
    }
    rules
}

/// What a configuration makes of its mappings.
#[derive(Debug)]
pub struct Compiled {
    /// The rules of all configured backends, in the configured order.
    pub rules: RuleSet,
    /// Entries that cannot be used, and are left out.
    pub refused: Vec<(Source, RuleError)>,
}

/// The rules of `config`, without a word in the log.
#[must_use]
pub fn compile(config: &Config) -> Compiled {
    let mut refused = Vec::new();
    let backends = config
        .backends
        .iter()
        .map(|backend| {
            let rules = match backend {
                Backend::MountedFile => mounted_file(config, &mut refused),
                Backend::ConfigMap | Backend::Crd | Backend::DynamicFile => {
                    BackendRules::unread(*backend)
                }
            };
            let reserved = config.rules.reserved.get(backend).cloned();
            rules.with_reserved(reserved.unwrap_or_default())
        })
        .collect();
    let rules = RuleSet::new(backends, config.scrubbed_accounts.clone())
        .with_validations(config.rules.validations.clone())
        .with_protected(config.rules.protected.clone());
    Compiled { rules, refused }
}

/// The mappings of the configuration file itself.
fn mounted_file(config: &Config, refused: &mut Vec<(Source, RuleError)>) -> BackendRules {
    let mut rules = BackendRules::new(Backend::MountedFile);
    for mapping in &config.mappings.mappings {
        match Rule::compile(mapping.value.clone()) {
            Err(error) => refused.push((mapping.value.source.clone(), error)),
            Ok(rule) => rules.apply(rule),
        }
    }
    for account in &config.mappings.accounts {
        rules.apply_account(account.value.clone());
    }
    rules
}
