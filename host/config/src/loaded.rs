//! A configuration with its rules.

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::diff::{self, Diff, Side};
use ack_ram_core::identity::Identity;
use ack_ram_core::rules::Mapping;

use crate::compile::{Compiled, Elsewhere, compile_with};
use crate::config::{Config, FileMappings};
use crate::explain::{self, Trace};

/// A configuration with its rules.
#[derive(Debug)]
pub struct Loaded {
    /// As it was read.
    pub config: Config,
    /// Its rules.
    pub compiled: Compiled,
    elsewhere: Elsewhere,
    accounts: BTreeSet<AccountId>,
}

impl Loaded {
    /// Compiles `config`, and what stands elsewhere.
    #[must_use]
    pub fn new(config: Config, elsewhere: Elsewhere) -> Self {
        let compiled = compile_with(&config, &elsewhere);
        let accounts = read(&config, &elsewhere).flat_map(|read| &read.accounts);
        Self {
            accounts: accounts.map(|given| given.value.clone()).collect(),
            compiled,
            elsewhere,
            config,
        }
    }

    /// What it makes of `identity`. Nobody is let in by it.
    #[must_use]
    pub fn explain(&self, identity: &Identity) -> Trace {
        explain::trace(&self.config, &self.elsewhere, &self.compiled, identity)
    }

    /// What changes for whom if `new` comes in its place.
    #[must_use]
    pub fn compare(&self, new: &Self) -> Diff {
        let (old_mappings, new_mappings) = (self.mappings(), new.mappings());
        diff::diff(self.side(&old_mappings), new.side(&new_mappings))
    }

    /// All mappings, as they are written, in the order in which their backends answer.
    #[must_use]
    pub fn mappings(&self) -> Vec<&Mapping> {
        read(&self.config, &self.elsewhere)
            .flat_map(|read| &read.mappings)
            .map(|given| &given.value)
            .collect()
    }

    fn side<'a>(&'a self, mappings: &'a [&'a Mapping]) -> Side<'a> {
        Side {
            rules: &self.compiled.rules,
            mappings,
            accounts: &self.accounts,
            scrubbed: &self.config.scrubbed_accounts,
        }
    }
}

/// The mappings of the file, then those that stand elsewhere, in the order in which their backends answer.
fn read<'a>(
    config: &'a Config,
    elsewhere: &'a Elsewhere,
) -> impl Iterator<Item = &'a FileMappings> {
    let others = config
        .backends
        .iter()
        .filter_map(|backend| elsewhere.get(backend));
    std::iter::once(&config.mappings).chain(others)
}
