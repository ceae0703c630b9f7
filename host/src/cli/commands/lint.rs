//! `lint`: what is wrong or risky in a configuration.

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

/// Find what is wrong or risky in configuration files
///
/// A file may also hold the ConfigMap and RAMIdentityMapping objects, as `kubectl get --output yaml` prints them.
///
/// Unknown keys, entries that are left out, mappings that never answer or whose logins are all refused, conditions that
/// ask for no account, patterns that mean something else than in Go, ARNs with a path, names that callers choose, usernames
/// of one mapping that callers of another can choose, names with spaces around them, grants of system:masters, ways of
/// locking oneself out. Each finding has a stable code, a severity and a place.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator lint config.yaml
  ack-ram-authenticator lint --strict --output json old.yaml new.yaml
  kubectl get ramidentitymappings --output yaml > objects.yaml
  ack-ram-authenticator lint objects.yaml

Exit codes:
  0  no errors
  1  errors, or with --strict warnings
  2  wrong usage")]
pub(in crate::cli) struct LintArgs {
    /// The configuration files; --config is looked at, too
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Let warnings count as errors in the exit code
    #[arg(long)]
    strict: bool,

    /// The form of what is printed
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

pub(super) fn run(args: &LintArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let files: Vec<&PathBuf> = globals.config.iter().chain(&args.files).collect();
    if files.is_empty() {
        return Err(args::missing_argument("`lint` needs a file to look at"));
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
        // Findings are about the file alone, wherever it is looked at.
        variables: &|_| None,
    };
    let name = file.display().to_string();
    let text = fs::read(file)
        .ok()
        .and_then(|bytes| text::decode(bytes).ok());
    match text {
        Some(text) if bundle::contains_kinds(&text) => documents_findings(&name, &text),
        // What cannot be read is a finding, too.
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
