//! Sources of a setting, in order of precedence: the command line, the file, and the environment.

use std::path::{Path, PathBuf};

use ack_ram_core::cluster_id::ClusterId;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics, Location, Part, Severity};
use crate::file::{self, Table};
use crate::keys;
use crate::located::Located;
use crate::yaml::Value;

/// Default state directory, as in the Go server.
const DEFAULT_STATE_DIR: &str = "/var/ack-ram-authenticator";

/// Default path of the webhook kubeconfig, as in the Go server.
const DEFAULT_GENERATE_KUBECONFIG: &str = "/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml";

/// Lookup of environment variables by name. Tests pass a table.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Sources of a configuration.
#[derive(Clone, Copy)]
pub struct ConfigSources<'a> {
    /// Configuration file, if any.
    pub file: Option<ConfigFile<'a>>,
    /// Settings from the command line.
    pub overrides: &'a Overrides,
    /// Environment variables.
    pub variables: &'a Variables<'a>,
}

/// The configuration file, by path or by content.
#[derive(Clone, Copy)]
pub enum ConfigFile<'a> {
    /// A path, from which the file is read.
    Path(&'a Path),
    /// The content of a file that the caller has read.
    Text {
        /// Name of the file in messages.
        name: &'a str,
        /// Content of the file, in YAML.
        text: &'a str,
    },
}

impl<'a> ConfigFile<'a> {
    /// Returns the path, or the name in messages.
    #[must_use]
    pub fn path(self) -> &'a Path {
        match self {
            Self::Path(path) => path,
            Self::Text { name, .. } => Path::new(name),
        }
    }
}

/// Unparsed settings from the command line.
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

/// All sources, with the file parsed.
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
    /// Parses the sources.
    pub(super) fn from_sources(sources: &ConfigSources<'a>) -> Result<Self, Diagnostic> {
        let layers = Self::from_sources_lenient(sources)?;
        match layers.diagnostics.errors.first() {
            None => Ok(layers),
            Some(error) => Err(error.clone()),
        }
    }

    /// Parses the sources as [`Self::from_sources`] does, but records errors and leaves the invalid parts out.
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

    /// Reads a part of the configuration with `read`, and records its error.
    pub(super) fn part<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Diagnostic>,
    ) -> Part<T> {
        let read = read(self);
        self.diagnostics.record(read)
    }

    /// Reads `--cluster-id`, or else `clusterID`. Every command that checks tokens needs a cluster ID.
    pub(super) fn cluster_id(&mut self) -> Result<ClusterId, Diagnostic> {
        let in_file = self.root.text("clusterID")?;
        let given = flag_value("cluster-id", self.overrides.cluster_id.as_ref())
            .or(in_file)
            .filter(|given| !given.value.is_empty())
            .ok_or_else(|| self.missing_cluster_id())?;
        let id = ClusterId::parse(&given.value).ok_or_else(|| {
            given.diagnostic(
                "is not a valid cluster ID; write 1 to 253 visible ASCII characters without spaces",
            )
        })?;
        Ok(id)
    }

    /// Returns the diagnostic of a missing cluster ID. The location is empty because the message names the file.
    fn missing_cluster_id(&self) -> Diagnostic {
        let text = match self.file {
            Some(file) => format!(
                "`clusterID` is required; add `clusterID: <id>` to `{}`, or set `--cluster-id`",
                file.path().display()
            ),
            None => "a cluster ID is required; set `--cluster-id`, or `--config` with a file that has `clusterID: <id>`".to_owned(),
        };
        Diagnostic::new(
            DiagnosticCode::NoClusterId,
            Severity::Error,
            Location::default(),
            text,
        )
    }

    /// Drops `clusterID`, for a command that needs no cluster ID.
    pub(super) fn skip_cluster_id(&mut self) -> Result<(), Diagnostic> {
        self.root.text("clusterID").map(drop)
    }

    /// Reads `defaultRole`.
    pub(super) fn default_role(&mut self) -> Result<Option<String>, Diagnostic> {
        let given = self.root.text("defaultRole")?;
        Ok(given
            .map(|given| given.value)
            .filter(|role| !role.is_empty()))
    }

    /// Reads `--state-dir`, or else `server.stateDir`.
    pub(super) fn state_dir(&mut self) -> Result<PathBuf, Diagnostic> {
        let in_file = read_path(&mut self.server, "stateDir")?;
        Ok(self
            .overrides
            .state_dir
            .clone()
            .or(in_file)
            .unwrap_or_else(|| DEFAULT_STATE_DIR.into()))
    }

    /// Reads the path to write the webhook kubeconfig to; `None` if `kubeconfigPregenerated` is set.
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

    /// Reads `server.audit.file`.
    pub(super) fn audit_file(&mut self) -> Result<Option<PathBuf>, Diagnostic> {
        let mut audit = self
            .server
            .table("audit", keys::AUDIT, &mut self.diagnostics.warnings)?;
        read_path(&mut audit, "file")
    }

    /// Returns the environment variable `name`; `None` if it is unset or empty.
    pub(super) fn variable(&self, name: &'static str) -> Option<Located<String>> {
        (self.variables)(name)
            .filter(|value| !value.is_empty())
            .map(|value| Located::from_variable(name, value))
    }
}

/// Returns the value of the flag `name` with its location; `None` if the flag is not set.
pub(super) fn flag_value<T: Clone>(name: &'static str, value: Option<&T>) -> Option<Located<T>> {
    value.map(|value| Located::from_flag(name, value.clone()))
}

/// Reads the path at `key`; `None` if it is missing or empty.
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

/// Parses `true` or `false`, with or without quotes.
pub(super) fn parse_bool(given: &Located<Value>) -> Result<bool, Diagnostic> {
    match &given.value {
        Value::Bool(value) => Ok(*value),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        _ => Err(given.diagnostic("must be `true` or `false`")),
    }
}
