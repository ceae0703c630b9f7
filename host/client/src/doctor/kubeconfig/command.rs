//! The command of a user, and which program it is.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::plugin_args::is_of_tool;
use crate::doctor::kubeconfig_users::ExecUser;
use crate::environment::Environment;
use crate::kubeconfig::PROGRAM;
use crate::platform;

/// The name of the program that this one replaces.
const TOOL: &str = "ack-ram-tool";

/// The command of a user.
pub(super) struct UserCommand {
    /// The path, as kubectl finds it; `None` if kubectl finds none.
    pub(super) path: Option<PathBuf>,
    /// The program.
    pub(super) program: Program,
}

/// The program that a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// This one, maybe by a link.
    This,
    /// A program with the name of this one.
    SameName,
    /// ack-ram-tool, or a program with its arguments.
    Tool,
    /// Any other program.
    Other,
}

impl UserCommand {
    /// Finds the command of a user in the file `kubeconfig`. `this` is the path of this program.
    pub(super) fn find(
        user: &ExecUser,
        kubeconfig: &Path,
        this: Option<&Path>,
        environment: &Environment,
    ) -> Self {
        let path = find_program(&user.command, kubeconfig, environment);
        let is_this = match (&path, this) {
            (Some(path), Some(this)) => is_same_file(path, this),
            _ => false,
        };
        let name = base_name(Path::new(&user.command));
        let is_own_name = name.is_some()
            && (name.as_deref() == Some(PROGRAM) || name == this.and_then(base_name));
        let program = if is_this {
            Program::This
        } else if name.as_deref() == Some(TOOL) {
            Program::Tool
        } else if is_own_name {
            Program::SameName
        } else if is_of_tool(&user.args) {
            Program::Tool
        } else {
            Program::Other
        };
        Self { path, program }
    }
}

/// Returns whether a command is a path, which is relative to the folder of the kubeconfig.
pub(super) fn is_path(command: &str) -> bool {
    Path::new(command).components().count() > 1 || command.contains('/')
}

fn find_program(command: &str, kubeconfig: &Path, environment: &Environment) -> Option<PathBuf> {
    if command.is_empty() {
        return None;
    }
    if is_path(command) {
        let folder = kubeconfig.parent().unwrap_or(Path::new(""));
        return Some(folder.join(command)).filter(|path| is_program(path));
    }
    let command = Path::new(command);
    let folders = environment.get("PATH")?;
    env::split_paths(folders)
        .flat_map(|folder| {
            let names = [command.to_owned(), command.with_extension("exe")];
            names.map(|name| folder.join(name))
        })
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| {
        let access = platform::access(&metadata);
        metadata.is_file() && access.is_none_or(|access| access.mode & 0o111 != 0)
    })
}

/// Returns whether two paths lead to the same file, through links.
fn is_same_file(first: &Path, second: &Path) -> bool {
    let target = |path| fs::canonicalize(path).ok();
    target(first).is_some_and(|first| target(second) == Some(first))
}

fn base_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(name.strip_suffix(".exe").unwrap_or(name).to_owned())
}
