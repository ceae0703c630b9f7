//! `lint`: finds errors and risks in configuration files.

use std::fs;
use std::path::{Path, PathBuf};

use ack_ram_analysis::bundle;
use ack_ram_analysis::findings::{LintReport, error_finding, lint_config};
use clap::Args;

use crate::cli::args::{self, Globals};
use crate::cli::failure::CommandFailure;
use crate::cli::findings;
use crate::cli::output::OutputFormat;
use crate::config::{
    ConfigFile, ConfigSources, Diagnostic, ExternalMappings, Location, Overrides, PartialConfig,
    text,
};

/// Find errors and risks in configuration files
///
/// A file may be a configuration file, or contain the ConfigMap and RAMIdentityMapping objects as
/// `kubectl get --output yaml` prints them.
///
/// Reports, for example, unknown keys, invalid entries, shadowed mappings, mappings whose logins are all refused,
/// conditions that do not test the account, names that users can choose, grants of system:masters, and settings that
/// may lock you out. Each finding has a stable code, a severity and a location.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator lint config.yaml
  ack-ram-authenticator lint --strict --output json old.yaml new.yaml
  kubectl get ramidentitymappings --output yaml > objects.yaml
  ack-ram-authenticator lint objects.yaml

Exit codes:
  0  There are no errors.
  1  There are errors or, with --strict, warnings.
  2  The command line is wrong.")]
pub(in crate::cli) struct LintArgs {
    /// Files to check, in addition to --config
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Treat warnings as errors in the exit code
    #[arg(long)]
    strict: bool,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

pub(super) fn run(args: &LintArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let files: Vec<&PathBuf> = globals.config.iter().chain(&args.files).collect();
    if files.is_empty() {
        return Err(args::missing_argument("`lint` needs a file to check"));
    }
    let findings: Vec<Diagnostic> = files
        .into_iter()
        .flat_map(|file| file_findings(file, globals))
        .collect();
    let report = LintReport::new(findings);
    findings::print(&report, args.output)?;
    if report.errors > 0 || (args.strict && report.warnings > 0) {
        Err(CommandFailure::Negative)
    } else {
        Ok(())
    }
}

fn file_findings(file: &Path, globals: &Globals) -> Vec<Diagnostic> {
    let overrides = Overrides {
        cluster_id: globals.cluster_id.clone(),
        ..Overrides::default()
    };
    let sources = ConfigSources {
        file: Some(ConfigFile::Path(file)),
        overrides: &overrides,
        // The findings must not depend on the environment of this process.
        variables: &|_| None,
    };
    let name = file.display().to_string();
    let text = fs::read(file)
        .ok()
        .and_then(|bytes| text::decode(bytes).ok());
    match text {
        Some(text) if bundle::contains_kinds(&text) => documents_findings(&name, &text),
        // An unreadable file is a finding, too.
        _ => match PartialConfig::read(&sources) {
            Ok(config) => lint_config(&name, &config, &ExternalMappings::new()),
            Err(error) => vec![error_finding(error, &Location::file(name))],
        },
    }
}

fn documents_findings(name: &str, text: &str) -> Vec<Diagnostic> {
    match bundle::read_bundle(name, text) {
        Ok(documents) => documents.findings,
        Err(error) => vec![error_finding(error, &Location::file(name))],
    }
}
