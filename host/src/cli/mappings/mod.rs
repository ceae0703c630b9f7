//! Code that the commands that change and list mappings share.

mod api_error;
mod cluster;
mod config_map;
mod consent;
mod objects;
mod requested_mapping;
mod stored;
pub(super) mod table;
mod yaml_list;

pub(super) use cluster::{ClusterArgs, ConfigMapArgs};
pub(super) use config_map::{ConfigMapEditor, KeyEdit};
pub(super) use consent::{Consent, ConsentArgs, visible};
pub(super) use objects::{ObjectEditor, missing_definition};
pub(super) use requested_mapping::{RequestedMapping, SubjectKind};
pub(super) use stored::{StoredEntry, StoredMapping, read_config_map};
pub(super) use yaml_list::{MappingEntry, YamlListEditor};

use std::borrow::Borrow;
use std::future::Future;

use anstyle::Style;
use clap::ValueEnum;
use tokio::runtime;

use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::cli::output::DIM;
use crate::config::{self, ClusterlessConfig, Overrides};

/// A place where the API server stores mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Store {
    /// The ConfigMap
    #[value(alias = "ACKConfigMap")]
    Configmap,
    /// RAMIdentityMapping objects
    Crd,
}

/// Loads the configuration file; `None` without --config.
pub(super) fn load_config(globals: &Globals) -> Result<Option<ClusterlessConfig>, CommandFailure> {
    let given = globals.config.as_ref();
    given
        .map(|_| globals.configuration(config::load_without_cluster, Overrides::default()))
        .transpose()
}

/// Runs a future that calls the API server, or a server on this machine, to its end.
pub(super) fn block_on<T>(
    future: impl Future<Output = Result<T, CommandFailure>>,
) -> Result<T, CommandFailure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandFailure::Failed(format!("cannot start the async runtime: {error}"))
        })?
        .block_on(future)
}

/// Returns a remark about the groups that an expression may produce, if there are any.
pub(super) fn may_add_remark(names: &[impl Borrow<str>]) -> Option<(Style, String)> {
    let text = || format!("`groupsExpression` may produce {}", names.join(", "));
    (!names.is_empty()).then(|| (DIM, text()))
}

/// Returns a remark about a rule that `winner`, another rule of the same backend, shadows.
pub(super) fn shadowed_remark(winner: &str) -> String {
    format!("shadowed by {winner}, which maps the same identity and takes precedence")
}

/// Returns a username as text, or the name of the field whose expression produces it.
pub(super) fn display_username(username: &str, expressions: &[impl AsRef<str>]) -> String {
    match expressions
        .iter()
        .find(|field| field.as_ref() == "usernameExpression")
    {
        Some(field) => format!("({})", field.as_ref()),
        None => username.to_owned(),
    }
}
