//! Compilation of the mappings of a configuration to rules.

use std::collections::BTreeMap;

use ack_ram_core::rules::{Backend, BackendRules, Rule, RuleError, RuleSet, Source};

use crate::{Config, ParsedMappings};

/// The rules of a configuration, and its refused mappings.
#[derive(Debug)]
pub struct CompiledRules {
    /// The rules of all configured backends, in the configured order.
    pub rules: RuleSet,
    /// Invalid entries, which have no rule, and their errors.
    pub refused: Vec<(Source, RuleError)>,
}

/// Mappings from outside the configuration file, by backend.
pub type ExternalMappings = BTreeMap<Backend, ParsedMappings>;

/// Compiles the rules of `config` without logging. Backends whose mappings are outside the file stay unsynced.
#[must_use]
pub fn compile<P>(config: &Config<P>) -> CompiledRules {
    compile_with_external(config, &ExternalMappings::new())
}

/// Compiles the rules of `config` and of `external`. Backends that are missing in `external` stay unsynced.
#[must_use]
pub fn compile_with_external<P>(config: &Config<P>, external: &ExternalMappings) -> CompiledRules {
    let mut refused = Vec::new();
    let backends = config
        .backends
        .iter()
        .map(|backend| {
            let read = match backend {
                Backend::MountedFile => Some(&config.mappings),
                Backend::ConfigMap | Backend::Crd | Backend::DynamicFile => external.get(backend),
            };
            let rules = match read {
                Some(mappings) => compile_backend(*backend, mappings, &mut refused),
                None => BackendRules::new_unsynced(*backend),
            };
            let reserved = config.rules.reserved.get(backend).cloned();
            rules.with_reserved(reserved.unwrap_or_default())
        })
        .collect();
    let rules = RuleSet::new(backends, config.scrubbed_accounts.clone())
        .with_validations(config.rules.validations.clone())
        .with_protected(config.rules.protected.clone());
    CompiledRules { rules, refused }
}

/// Compiles the mappings of one backend, and adds the invalid ones to `refused`.
fn compile_backend(
    backend: Backend,
    mappings: &ParsedMappings,
    refused: &mut Vec<(Source, RuleError)>,
) -> BackendRules {
    let mut rules = BackendRules::new(backend);
    for mapping in &mappings.mappings {
        match Rule::compile(mapping.value.clone()) {
            Err(error) => refused.push((mapping.value.source.clone(), error)),
            Ok(rule) => rules.apply(rule),
        }
    }
    for account in &mappings.accounts {
        rules.apply_account(account.value.clone());
    }
    rules
}
