//! Calls of cargo from inside `cargo run`.

use std::env;
use std::process::Command;

/// What `cargo run` tells this program about itself. Passed on, it would make build scripts that
/// watch these variables run again, and with them much of the build.
const XTASK_VARIABLES: [&str; 6] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// The user's cargo, with the environment that the user called it with.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    remove_xtask_variables(&mut command);
    command.args(args);
    command
}

/// Removes from `command`'s environment what cargo put there for this program.
pub fn remove_xtask_variables(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || XTASK_VARIABLES.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
}
