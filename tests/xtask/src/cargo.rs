//! Cargo commands that run inside `cargo run`.

use std::env;
use std::process::Command;

/// Variables that `cargo run` sets for this program. If child processes inherited them, the build scripts that watch
/// these variables would run again, and with them much of the build.
const XTASK_VARIABLES: [&str; 6] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// Builds a command of the user's cargo, with the environment of the user.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    remove_xtask_variables(&mut command);
    command.args(args);
    command
}

/// Removes the variables that cargo set for this program from the environment of `command`.
pub fn remove_xtask_variables(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || XTASK_VARIABLES.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
}
