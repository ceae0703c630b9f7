//! Options and arguments that several commands share.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{BoolValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::cli::failure::CommandFailure;
use crate::config::{ConfigFile, ConfigSources, Diagnostic, DiagnosticCode, Origin, Overrides};
use crate::environment;
use crate::logging::Format;

// The arguments of a command together with the global options. A doc comment would become the help of every command.
#[derive(Args, Debug)]
pub(super) struct WithGlobals<T: Args> {
    #[command(flatten)]
    pub(super) command: T,
    #[command(flatten)]
    pub(super) globals: Globals,
}

// The options that every command accepts.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// Configuration file
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Cluster ID; overrides `clusterID` in the configuration file
    #[arg(long, short = 'i', value_name = "ID")]
    pub(super) cluster_id: Option<String>,

    /// Format of the log on standard error
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    pub(super) log_format: Option<Format>,

    /// Ignored; accepted for compatibility with the Go version
    #[arg(long, value_name = "GATES", hide = true)]
    pub(super) feature_gates: Vec<String>,
}

impl Globals {
    /// Returns these options; an option that is not given has its value from `before` the command's name.
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

    /// Returns the format of the log.
    pub(super) fn log_format(&self) -> Format {
        self.log_format.unwrap_or_default()
    }

    /// Loads the configuration with `load`, a function of the module [`config`](crate::config).
    ///
    /// `overrides` come from the options of the command. A cluster ID among them takes precedence over the global one.
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

/// The name that the help shows for the value of a Boolean option.
pub(super) const BOOL: &str = "BOOL";

/// Makes an option with the value [`BOOL`] accept the forms that Go accepts: `--x`, `--x=true`, `--x=false`, and Go's
/// other names of the two values, such as `--x=1`.
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
        .value_parser(GoBoolParser)
        .hide_possible_values(true)
}

/// Parses a Boolean value as Go's `strconv.ParseBool` does.
#[derive(Clone)]
struct GoBoolParser;

impl TypedValueParser for GoBoolParser {
    type Value = bool;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<bool, clap::Error> {
        match value.to_str() {
            Some("1" | "t" | "T" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "FALSE" | "False") => Ok(false),
            _ => BoolValueParser::new().parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = ["true", "false"].map(PossibleValue::new);
        Some(Box::new(values.into_iter()))
    }
}

/// Returns the failure for a missing argument, with exit code 2.
pub(super) fn missing_argument(what: &str) -> CommandFailure {
    CommandFailure::Usage(what.to_owned())
}
