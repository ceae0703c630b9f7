//! Backends: where rules come from.

use ack_ram_core::rules::{Backend, BackendRules, Conflict, Mapping, Rule, RuleSet};

use crate::config::Config;

/// The rules of all configured backends, in the configured order. An entry that cannot be used is logged and left out.
#[must_use]
pub fn load(config: &Config) -> RuleSet {
    let backends = config
        .backends
        .iter()
        .map(|backend| mounted_file(*backend, config))
        .collect();
    RuleSet::new(backends, config.scrubbed_accounts.clone())
        .with_validations(config.rules.validations.clone())
}

/// The mappings of the configuration file itself.
fn mounted_file(backend: Backend, config: &Config) -> BackendRules {
    let reserved = config.rules.reserved.get(&backend).cloned();
    let mut rules = BackendRules::new(backend).with_reserved(reserved.unwrap_or_default());
    for mapping in &config.mappings.mappings {
        add(&mut rules, mapping);
    }
    for account in &config.mappings.accounts {
        rules.apply_account(account.clone());
    }
    for Conflict { loser, winner } in rules.conflicts() {
        tracing::warn!("{loser} never answers: {winner} names the same identity and comes first");
    }
    if rules.is_empty() {
        tracing::warn!(%backend, "maps nobody: add `server.mapRoles`, `server.mapUsers` or `server.mapAccounts`");
    } else {
        tracing::info!(%backend, rules = rules.len(), "loaded");
    }
    rules
}

fn add(rules: &mut BackendRules, mapping: &Mapping) {
    let source = &mapping.source;
    match Rule::compile(mapping.clone()) {
        Err(error) => tracing::warn!("{source} was left out: {error}"),
        Ok(rule) => rules.apply(rule),
    }
}
