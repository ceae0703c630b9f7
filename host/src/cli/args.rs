//! Options and arguments that commands share.

use std::path::PathBuf;

use clap::{Arg, Args};

use crate::cli::failure::CommandFailure;
use crate::config::{ConfigFile, ConfigSources, Diagnostic, DiagnosticCode, Origin, Overrides};
use crate::environment;
use crate::logging::Format;

// The arguments of a command, among them the global ones. (A doc comment would become the help of every command.)
#[derive(Args, Debug)]
pub(super) struct WithGlobals<T: Args> {
    #[command(flatten)]
    pub(super) command: T,
    #[command(flatten)]
    pub(super) globals: Globals,
}

// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The cluster's id, in place of `clusterID` in the configuration file
    #[arg(long, short = 'i', value_name = "ID")]
    pub(super) cluster_id: Option<String>,

    /// How the log on standard error is written
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    pub(super) log_format: Option<Format>,

    /// Accepted for the Go version's sake, and ignored
    #[arg(long, value_name = "GATES", hide = true)]
    pub(super) feature_gates: Vec<String>,
}

impl Globals {
    /// These, and where one is not given, the one `before` the command's name.
    pub(super) fn or(self, before: Self) -> Self {
        let mut feature_gates = before.feature_gates;
        feature_gates.extend(self.feature_gates);
        Self {
            config: self.config.or(before.config),
            cluster_id: self.cluster_id.or(before.cluster_id),
            log_format: self.log_format.or(before.log_format),
            feature_gates,
        }
    }

    /// How the log is written.
    pub(super) fn log_format(&self) -> Format {
        self.log_format.unwrap_or_default()
    }

    /// Reads the configuration with `load`, of the module [`config`](crate::config). `overrides` are what the options
    /// of the command say; a cluster id among them wins over the global one.
    pub(super) fn configuration<T>(
        &self,
        load: impl FnOnce(&ConfigSources<'_>) -> Result<T, Diagnostic>,
        mut overrides: Overrides,
    ) -> Result<T, CommandFailure> {
        if overrides.cluster_id.is_none() {
            overrides.cluster_id.clone_from(&self.cluster_id);
        }
        let sources = ConfigSources {
            file: self.config.as_deref().map(ConfigFile::Path),
            overrides: &overrides,
            variables: &environment::variable,
        };
        load(&sources).map_err(|error| {
            let is_missing = error.code == DiagnosticCode::NoClusterId && self.config.is_none();
            if error.location.origin == Origin::CommandLine || is_missing {
                CommandFailure::Usage(error.text())
            } else {
                error.into()
            }
        })
    }
}

/// The name that the help has for the value of an option that is on or off.
pub(super) const BOOL: &str = "BOOL";

/// Lets an option with the value [`BOOL`] be written as Go's: `--x`, `--x=true` or `--x=false`.
pub(super) fn as_go_bool(arg: Arg) -> Arg {
    let is_bool = arg
        .get_value_names()
        .is_some_and(|names| names.iter().any(|name| name.as_str() == BOOL));
    if !is_bool {
        return arg;
    }
    arg.num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_possible_values(true)
}

/// Wrong usage: something is missing.
pub(super) fn missing_argument(what: &str) -> CommandFailure {
    CommandFailure::Usage(what.to_owned())
}
