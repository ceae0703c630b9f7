//! `version`: tells which program this is.

use clap::{Args, ValueEnum};

use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Print the version
#[derive(Args, Debug)]
pub(super) struct VersionArgs {
    /// Print the number alone
    #[arg(long, short)]
    short: bool,

    /// The form of what is printed
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "json")]
    output: VersionFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionFormat {
    Json,
    Yaml,
}

/// Prints what the Go version prints, except for the commit and the date of the build.
pub(super) fn run(args: &VersionArgs) -> Result<(), CommandFailure> {
    let version = env!("CARGO_PKG_VERSION");
    output::print(&match args.output {
        _ if args.short => format!("{version}\n"),
        VersionFormat::Json => format!("{{\"Version\":\"{version}\"}}\n"),
        VersionFormat::Yaml => format!("version: {version}\n"),
    })
}
