//! A configuration with its compiled rules.

use std::collections::BTreeSet;

use ack_ram_config::{
    ClusterlessConfig, CompiledRules, ExternalMappings, ParsedMappings, compile_with_external,
};
use ack_ram_core::arn::AccountId;
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::Mapping;

use crate::diff::{self, Diff, Snapshot};
use crate::explain::{self, Trace};

/// A configuration with its compiled rules, ready to be explained and compared.
#[derive(Debug)]
pub struct CompiledConfig {
    /// The configuration as parsed.
    pub config: ClusterlessConfig,
    /// The compiled rules.
    pub compiled: CompiledRules,
    external: ExternalMappings,
    accounts: BTreeSet<AccountId>,
}

impl CompiledConfig {
    /// Compiles `config` and the external mappings.
    #[must_use]
    pub fn new(config: ClusterlessConfig, external: ExternalMappings) -> Self {
        let compiled = compile_with_external(&config, &external);
        let accounts = all_mappings(&config, &external).flat_map(|read| &read.accounts);
        Self {
            accounts: accounts.map(|located| located.value.clone()).collect(),
            compiled,
            external,
            config,
        }
    }

    /// Traces how the configuration maps `identity`. This grants no access.
    #[must_use]
    pub fn explain(&self, identity: &Identity) -> Trace {
        explain::trace(&self.config, &self.external, &self.compiled, identity)
    }

    /// Compares this configuration with `new`: whose access changes, and how.
    #[must_use]
    pub fn compare(&self, new: &Self) -> Diff {
        let (old_mappings, new_mappings) = (self.mappings(), new.mappings());
        diff::diff(self.snapshot(&old_mappings), new.snapshot(&new_mappings))
    }

    /// Returns all mappings as written, in the order of their backends.
    #[must_use]
    pub fn mappings(&self) -> Vec<&Mapping> {
        all_mappings(&self.config, &self.external)
            .flat_map(|read| &read.mappings)
            .map(|located| &located.value)
            .collect()
    }

    fn snapshot<'a>(&'a self, mappings: &'a [&'a Mapping]) -> Snapshot<'a> {
        Snapshot {
            rules: &self.compiled.rules,
            mappings,
            accounts: &self.accounts,
            scrubbed: &self.config.scrubbed_accounts,
        }
    }
}

/// Returns the mappings of the file, then the external mappings in the order of their backends.
fn all_mappings<'a>(
    config: &'a ClusterlessConfig,
    external: &'a ExternalMappings,
) -> impl Iterator<Item = &'a ParsedMappings> {
    let others = config
        .backends
        .iter()
        .filter_map(|backend| external.get(backend));
    std::iter::once(&config.mappings).chain(others)
}
