//! `version`: prints the version of the program.

use clap::{Args, ValueEnum};

use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Print the version
#[derive(Args, Debug)]
pub(in crate::cli) struct VersionArgs {
    /// Print only the version number
    #[arg(long, short)]
    short: bool,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "json")]
    output: VersionFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionFormat {
    Json,
    Yaml,
}

/// Prints the version in the form of the Go version, without its commit and build date.
pub(super) fn run(args: &VersionArgs) -> Result<(), CommandFailure> {
    let version = env!("CARGO_PKG_VERSION");
    output::print(&match args.output {
        _ if args.short => format!("{version}\n"),
        VersionFormat::Json => format!("{{\"Version\":\"{version}\"}}\n"),
        VersionFormat::Yaml => format!("version: {version}\n"),
    })
}
