//! `completion`: lets a shell complete this command line.

use clap::Args;
use clap_complete::Shell;

use crate::cli::args;
use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Print a script that lets a shell complete this command line
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  source <(ack-ram-authenticator completion bash)
  ack-ram-authenticator completion zsh > ~/.zfunc/_ack-ram-authenticator")]
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionArgs) -> Result<(), CommandFailure> {
    let mut command = args::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::print(&String::from_utf8(script)?)
}
