//! Calls of cargo from inside `cargo run`.

use std::env;
use std::process::Command;

/// What `cargo run` tells this program about itself. Passed on, it would make build scripts that
/// watch these variables run again, and with them much of the build.
const ABOUT_XTASK: [&str; 6] = [
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
    forget_xtask(&mut command);
    command.args(args);
    command
}

/// Removes from `command`'s environment what cargo put there for this program.
pub fn forget_xtask(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || ABOUT_XTASK.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
}
