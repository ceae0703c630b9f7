//! The three places a setting may come from: the command line, then the file, then the environment.

use std::path::{Path, PathBuf};

use ack_ram_core::cluster_id::ClusterId;

use crate::config::error::{ConfigError, Place, Problem, Warning};
use crate::config::file::{self, Given, Table};
use crate::config::keys;
use crate::config::yaml::{Position, Value};
use crate::env::Variables;

/// Go's folder for `cert.pem` and `key.pem`.
const DEFAULT_STATE_DIR: &str = "/var/ack-ram-authenticator";

/// Where Go's server leaves the webhook kubeconfig.
const DEFAULT_GENERATE_KUBECONFIG: &str = "/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml";

/// What a configuration is read from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The configuration file, if there is one.
    pub file: Option<&'a Path>,
    /// The command line.
    pub overrides: &'a Overrides,
    /// The environment.
    pub variables: &'a Variables<'a>,
}

/// Settings from the command line, as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--cluster-id`
    pub cluster_id: Option<String>,
    /// `--hostname`
    pub hostname: Option<String>,
    /// `--address`
    pub address: Option<String>,
    /// `--bind`
    pub bind: Option<String>,
    /// `--port`
    pub port: Option<u16>,
    /// `--region`
    pub region: Option<String>,
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// `--generate-kubeconfig`
    pub generate_kubeconfig: Option<PathBuf>,
    /// `--kubeconfig-pregenerated`
    pub kubeconfig_pregenerated: Option<bool>,
    /// `--backend-mode`
    pub backend_mode: Option<Vec<String>>,
}

/// All sources, the file parsed.
pub(super) struct Layers<'a> {
    pub(super) overrides: &'a Overrides,
    pub(super) root: Table,
    pub(super) server: Table,
    pub(super) sts: Table,
    pub(super) warnings: Vec<Warning>,
    file: Option<&'a Path>,
    variables: &'a Variables<'a>,
}

impl<'a> Layers<'a> {
    pub(super) fn read(sources: &Sources<'a>) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let mut root = match sources.file {
            Some(path) => Table::new(file::read(path)?, keys::ROOT, &mut warnings)?,
            None => {
                let start = Position { line: 1, column: 1 };
                Table::empty(keys::ROOT, Place::in_file("".into(), start))
            }
        };
        let mut server = root.table("server", keys::SERVER, &mut warnings)?;
        let sts = server.table("sts", keys::STS, &mut warnings)?;
        Ok(Self {
            overrides: sources.overrides,
            root,
            server,
            sts,
            warnings,
            file: sources.file,
            variables: sources.variables,
        })
    }

    /// `--cluster-id`, else `clusterID`. Every command that decides needs one.
    pub(super) fn cluster_id(&mut self) -> Result<ClusterId, ConfigError> {
        let in_file = self.root.text("clusterID")?;
        let given = flag("cluster-id", self.overrides.cluster_id.as_ref())
            .or(in_file)
            .filter(|given| !given.value.is_empty())
            .ok_or_else(|| ConfigError::NoClusterId {
                path: self.file.map(Path::to_owned),
            })?;
        let id = ClusterId::parse(&given.value).ok_or_else(|| {
            given.problem(
                "cannot be a cluster id; write 1 to 253 visible ASCII characters without spaces",
            )
        })?;
        Ok(id)
    }

    /// `defaultRole`.
    pub(super) fn default_role(&mut self) -> Result<Option<String>, Problem> {
        let given = self.root.text("defaultRole")?;
        Ok(given
            .map(|given| given.value)
            .filter(|role| !role.is_empty()))
    }

    /// `--state-dir`, else `server.stateDir`.
    pub(super) fn state_dir(&mut self) -> Result<PathBuf, Problem> {
        let in_file = path(&mut self.server, "stateDir")?;
        Ok(self
            .overrides
            .state_dir
            .clone()
            .or(in_file)
            .unwrap_or_else(|| DEFAULT_STATE_DIR.into()))
    }

    /// Where to write the webhook kubeconfig, unless `kubeconfigPregenerated` says that it is there already.
    pub(super) fn generate_kubeconfig(&mut self) -> Result<Option<PathBuf>, Problem> {
        let in_file = path(&mut self.server, "generateKubeconfig")?;
        let pregenerated = match self.overrides.kubeconfig_pregenerated {
            Some(pregenerated) => pregenerated,
            None => match self.server.take("kubeconfigPregenerated") {
                Some(given) => boolean(&given)?,
                None => false,
            },
        };
        let path = self.overrides.generate_kubeconfig.clone().or(in_file);
        Ok((!pregenerated).then(|| path.unwrap_or_else(|| DEFAULT_GENERATE_KUBECONFIG.into())))
    }

    /// A variable of the environment that is not empty.
    pub(super) fn variable(&self, name: &'static str) -> Option<Given<String>> {
        (self.variables)(name)
            .filter(|value| !value.is_empty())
            .map(|value| Given::variable(name, value))
    }
}

/// A flag that was given.
pub(super) fn flag<T: Clone>(name: &'static str, value: Option<&T>) -> Option<Given<T>> {
    value.map(|value| Given::flag(name, value.clone()))
}

/// The path at `key`; an empty one counts as none.
pub(super) fn path(table: &mut Table, key: &'static str) -> Result<Option<PathBuf>, Problem> {
    let given = table.text(key)?;
    Ok(given
        .map(|given| given.value)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from))
}

pub(super) fn boolean(given: &Given<Value>) -> Result<bool, Problem> {
    match &given.value {
        Value::Bool(value) => Ok(*value),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        _ => Err(given.problem("must be `true` or `false`")),
    }
}
