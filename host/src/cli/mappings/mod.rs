//! What the commands share that change and list mappings.

mod cluster;
mod config_map;
mod consent;
mod entry;
mod failure;
mod list_text;
mod objects;
mod read;
pub(super) mod table;

pub(super) use cluster::{ClusterArgs, ConfigMapArgs};
pub(super) use config_map::{ConfigMapEntries, Edit};
pub(super) use consent::{Consent, ConsentArgs, visible};
pub(super) use entry::{Kind, Wanted};
pub(super) use list_text::{Entry, ListText};
pub(super) use objects::{Objects, no_definition};
pub(super) use read::{Content, Written, read_config_map};

use std::future::Future;

use anstyle::Style;
use clap::ValueEnum;
use tokio::runtime;

use crate::cli::args::Globals;
use crate::cli::failure::Failure;
use crate::cli::output::ASIDE;
use crate::config::{self, Config, Overrides};

/// In place of the cluster id: no token is looked at.
const NO_CLUSTER: &str = "-";

/// Where mappings are kept that the API server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Store {
    /// The ConfigMap
    #[value(alias = "ACKConfigMap")]
    Configmap,
    /// RAMIdentityMapping objects
    Crd,
}

/// The configuration file, where one is given.
pub(super) fn config(globals: &Globals) -> Result<Option<Config>, Failure> {
    let overrides = Overrides {
        cluster_id: Some(NO_CLUSTER.to_owned()),
        ..Overrides::default()
    };
    let given = globals.config.as_ref();
    given
        .map(|_| globals.configuration(config::load, overrides))
        .transpose()
}

/// Does what asks the API server, or a server on this machine.
pub(super) fn wait_for<T>(done: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot wait for answers: {error}")))?
        .block_on(done)
}

/// A remark about the groups that an expression may give, if there are any.
pub(super) fn may_add(names: &[String]) -> Option<(Style, String)> {
    let text = || format!("`groupsExpression` may give {}", names.join(", "));
    (!names.is_empty()).then(|| (ASIDE, text()))
}

/// A username as it is written; where an expression gives it, that.
pub(super) fn named(username: &str, expressions: &[impl AsRef<str>]) -> String {
    match expressions
        .iter()
        .find(|field| field.as_ref() == "usernameExpression")
    {
        Some(field) => format!("({})", field.as_ref()),
        None => username.to_owned(),
    }
}
