//! `completion`: prints completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use crate::cli::command_line;
use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  source <(ack-ram-authenticator completion bash)
  ack-ram-authenticator completion zsh > ~/.zfunc/_ack-ram-authenticator")]
pub(in crate::cli) struct CompletionArgs {
    /// Shell that runs the script
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionArgs) -> Result<(), CommandFailure> {
    let mut command = command_line::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::print(&String::from_utf8(script)?)
}
