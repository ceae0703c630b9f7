//! `man`: prints or writes manual pages.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::command_line;
use crate::cli::failure::CommandFailure;
use crate::cli::output;
use page::ManualPage;

/// Print a manual page, or write the pages of all commands
///
/// Each command has a page in section 1, such as `ack-ram-authenticator-token.1`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator man token | man -l -
      Read the page of `token`
  ack-ram-authenticator man --dir /usr/local/share/man/man1
      Install the pages of all commands")]
pub(in crate::cli) struct ManArgs {
    /// Command whose page is printed, such as `credential-plugin get-token`; defaults to the program itself
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,

    /// Folder to which the pages of all commands are written
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> Result<(), CommandFailure> {
    let pages = page::all(command_line::command())?;
    if let Some(folder) = &args.dir {
        return write(&pages, folder);
    }
    let wanted = &args.command;
    match pages.iter().find(|page| page.command == *wanted) {
        Some(page) => output::print(&page.text),
        None => Err(CommandFailure::Usage(format!(
            "there is no command `{}`; `ack-ram-authenticator --help` lists the commands",
            wanted.join(" ")
        ))),
    }
}

/// Writes the pages into `folder`, and creates the folder if it does not exist.
fn write(pages: &[ManualPage], folder: &Path) -> Result<(), CommandFailure> {
    let failed = |path: &Path, error: std::io::Error| {
        CommandFailure::Failed(format!("cannot write `{}`: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for page in pages {
        let path = folder.join(&page.file_name);
        fs::write(&path, &page.text).map_err(|error| failed(&path, error))?;
    }
    let pages = output::pluralize(pages.len(), "page");
    output::print(&format!("wrote {pages} to `{}`\n", folder.display()))
}
