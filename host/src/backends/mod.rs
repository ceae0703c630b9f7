//! Backends: the sources of mappings.

pub mod config_map;
pub mod confirmations;
pub mod document_source;
pub mod dynamic_file;
pub mod live;
pub mod mounted_file;
#[cfg(test)]
pub(crate) mod tests;

use ack_ram_core::rules::{Conflict, RuleSet};

use crate::config::{self, CompiledRules, Config};

/// Returns the rules of all configured backends, in the configured order. Logs refused and shadowed rules, and empty
/// backends.
#[must_use]
pub fn load(config: &Config) -> RuleSet {
    let CompiledRules { rules, refused } = config::compile(config);
    for (source, error) in refused {
        tracing::warn!("{source} was left out: {error}");
    }
    for backend in rules.backends() {
        for Conflict {
            shadowed,
            shadowed_by,
        } in backend.conflicts()
        {
            tracing::warn!(
                "{shadowed} is shadowed by {shadowed_by}, which maps the same identity and takes precedence"
            );
        }
        let (name, rules) = (backend.backend(), backend.len());
        if !backend.is_synced() {
            continue;
        }
        if backend.is_empty() {
            tracing::warn!(backend = %name, "maps no identity; add `server.mapRoles`, `server.mapUsers`, `server.mapRules` or `server.mapAccounts`");
        } else {
            tracing::info!(backend = %name, rules, "loaded");
        }
    }
    rules
}
