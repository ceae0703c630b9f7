//! The three places a setting may come from: the command line, then the file, then the environment.

use std::path::{Path, PathBuf};

use ack_ram_core::cluster_id::ClusterId;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics, Location, Part, Severity};
use crate::file::{self, Table};
use crate::keys;
use crate::located::Located;
use crate::yaml::Value;

/// Go's folder for `cert.pem` and `key.pem`.
const DEFAULT_STATE_DIR: &str = "/var/ack-ram-authenticator";

/// Where Go's server leaves the webhook kubeconfig.
const DEFAULT_GENERATE_KUBECONFIG: &str = "/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml";

/// Where environment variables come from; tests pass a table.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What a configuration is read from.
#[derive(Clone, Copy)]
pub struct ConfigSources<'a> {
    /// The configuration file, if there is one.
    pub file: Option<ConfigFile<'a>>,
    /// The command line.
    pub overrides: &'a Overrides,
    /// The environment.
    pub variables: &'a Variables<'a>,
}

/// The configuration file: where it is, or what it holds.
#[derive(Clone, Copy)]
pub enum ConfigFile<'a> {
    /// The file at this path, which is read.
    Path(&'a Path),
    /// YAML that was read elsewhere. Nothing is opened.
    Text {
        /// How messages call it.
        name: &'a str,
        /// All of it.
        text: &'a str,
    },
}

impl<'a> ConfigFile<'a> {
    /// Where it is, or how messages call it.
    #[must_use]
    pub fn path(self) -> &'a Path {
        match self {
            Self::Path(path) => path,
            Self::Text { name, .. } => Path::new(name),
        }
    }
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
    /// `--install-crd`
    pub install_crd: Option<bool>,
}

/// All sources, the file parsed.
pub(super) struct Layers<'a> {
    pub(super) overrides: &'a Overrides,
    pub(super) root: Table,
    pub(super) server: Table,
    pub(super) sts: Table,
    pub(super) limits: Table,
    pub(super) diagnostics: Diagnostics,
    file: Option<ConfigFile<'a>>,
    variables: &'a Variables<'a>,
}

impl<'a> Layers<'a> {
    pub(super) fn from_sources(sources: &ConfigSources<'a>) -> Result<Self, Diagnostic> {
        let layers = Self::from_sources_lenient(sources)?;
        match layers.diagnostics.errors.first() {
            None => Ok(layers),
            Some(error) => Err(error.clone()),
        }
    }

    /// All sources without what cannot be in them.
    pub(super) fn from_sources_lenient(sources: &ConfigSources<'a>) -> Result<Self, Diagnostic> {
        let mut diagnostics = Diagnostics::default();
        let mut root = match sources.file {
            Some(file) => {
                let content = match file {
                    ConfigFile::Path(path) => file::read_yaml_file(path)?,
                    ConfigFile::Text { name, text } => file::parse_yaml(name, text)?,
                };
                Table::new_lenient(content, keys::ROOT, &mut diagnostics)
            }
            None => Table::empty(keys::ROOT, Location::default()),
        };
        if let Some(diagnostic) = root.null_diagnostic_at("server") {
            let warning = diagnostic.into_warning(DiagnosticCode::EmptyList);
            diagnostics.warnings.push(warning);
        }
        let mut table =
            |parent: &mut Table, key, keys| parent.table_lenient(key, keys, &mut diagnostics);
        let mut server = table(&mut root, "server", keys::SERVER);
        let sts = table(&mut server, "sts", keys::STS);
        let limits = table(&mut server, "limits", keys::LIMITS);
        Ok(Self {
            overrides: sources.overrides,
            root,
            server,
            sts,
            limits,
            diagnostics,
            file: sources.file,
            variables: sources.variables,
        })
    }

    /// Reads a part of the configuration with `read`, and records why it cannot be used.
    pub(super) fn part<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Diagnostic>,
    ) -> Part<T> {
        let read = read(self);
        self.diagnostics.record(read)
    }

    /// `--cluster-id`, else `clusterID`. Every command that decides needs one.
    pub(super) fn cluster_id(&mut self) -> Result<ClusterId, Diagnostic> {
        let in_file = self.root.text("clusterID")?;
        let given = flag_value("cluster-id", self.overrides.cluster_id.as_ref())
            .or(in_file)
            .filter(|given| !given.value.is_empty())
            .ok_or_else(|| self.missing_cluster_id())?;
        let id = ClusterId::parse(&given.value).ok_or_else(|| {
            given.diagnostic(
                "cannot be a cluster id; write 1 to 253 visible ASCII characters without spaces",
            )
        })?;
        Ok(id)
    }

    /// The message names the file.
    fn missing_cluster_id(&self) -> Diagnostic {
        let text = match self.file {
            Some(file) => format!(
                "no cluster id: add `clusterID: <id>` to `{}`, or give --cluster-id",
                file.path().display()
            ),
            None => "no cluster id: give --cluster-id, or --config with a file that has `clusterID: <id>`".to_owned(),
        };
        Diagnostic::new(
            DiagnosticCode::NoClusterId,
            Severity::Error,
            Location::default(),
            text,
        )
    }

    /// Takes `clusterID` out of the file unused, for a command that needs none.
    pub(super) fn skip_cluster_id(&mut self) -> Result<(), Diagnostic> {
        self.root.text("clusterID").map(drop)
    }

    /// `defaultRole`.
    pub(super) fn default_role(&mut self) -> Result<Option<String>, Diagnostic> {
        let given = self.root.text("defaultRole")?;
        Ok(given
            .map(|given| given.value)
            .filter(|role| !role.is_empty()))
    }

    /// `--state-dir`, else `server.stateDir`.
    pub(super) fn state_dir(&mut self) -> Result<PathBuf, Diagnostic> {
        let in_file = read_path(&mut self.server, "stateDir")?;
        Ok(self
            .overrides
            .state_dir
            .clone()
            .or(in_file)
            .unwrap_or_else(|| DEFAULT_STATE_DIR.into()))
    }

    /// Where to write the webhook kubeconfig, unless `kubeconfigPregenerated` says that it is there already.
    pub(super) fn generate_kubeconfig(&mut self) -> Result<Option<PathBuf>, Diagnostic> {
        let in_file = read_path(&mut self.server, "generateKubeconfig")?;
        let pregenerated = match self.overrides.kubeconfig_pregenerated {
            Some(pregenerated) => pregenerated,
            None => match self.server.take("kubeconfigPregenerated") {
                Some(given) => parse_bool(&given)?,
                None => false,
            },
        };
        let path = self.overrides.generate_kubeconfig.clone().or(in_file);
        Ok((!pregenerated).then(|| path.unwrap_or_else(|| DEFAULT_GENERATE_KUBECONFIG.into())))
    }

    /// `server.audit.file`.
    pub(super) fn audit_file(&mut self) -> Result<Option<PathBuf>, Diagnostic> {
        let mut audit = self
            .server
            .table("audit", keys::AUDIT, &mut self.diagnostics.warnings)?;
        read_path(&mut audit, "file")
    }

    /// A variable of the environment that is not empty.
    pub(super) fn variable(&self, name: &'static str) -> Option<Located<String>> {
        (self.variables)(name)
            .filter(|value| !value.is_empty())
            .map(|value| Located::from_variable(name, value))
    }
}

/// A flag that was given.
pub(super) fn flag_value<T: Clone>(name: &'static str, value: Option<&T>) -> Option<Located<T>> {
    value.map(|value| Located::from_flag(name, value.clone()))
}

/// The path at `key`; an empty one counts as none.
pub(super) fn read_path(
    table: &mut Table,
    key: &'static str,
) -> Result<Option<PathBuf>, Diagnostic> {
    let given = table.text(key)?;
    Ok(given
        .map(|given| given.value)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from))
}

pub(super) fn parse_bool(given: &Located<Value>) -> Result<bool, Diagnostic> {
    match &given.value {
        Value::Bool(value) => Ok(*value),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        _ => Err(given.diagnostic("must be `true` or `false`")),
    }
}
