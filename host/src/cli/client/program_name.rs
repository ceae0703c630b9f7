//! The name with which this program is started.

use std::ffi::OsStr;
use std::path::Path;

use ack_ram_core::sts::SessionName;

/// The name of this program.
const OWN_NAME: &str = "ack-ram-authenticator";
/// The name of the program that `credential-plugin get-token` replaces.
const TOOL_NAME: &str = "ack-ram-tool";

/// Returns the default session name of `credential-plugin get-token`.
///
/// ack-ram-tool uses the name with which it was started, and usernames can contain the session name. So this program
/// uses the name of ack-ram-tool instead of its own, and the name of a link or copy that has any other name. `command` is
/// the name or path with which this program is started.
pub(in crate::cli) fn session_name_of_tool(command: &OsStr) -> String {
    let name = Path::new(command).file_name().and_then(OsStr::to_str);
    match name.map(|name| name.strip_suffix(".exe").unwrap_or(name)) {
        Some(name) if name != OWN_NAME && SessionName::parse(name).is_some() => name.to_owned(),
        _ => TOOL_NAME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_name_and_unusable_names_give_the_name_of_ack_ram_tool() {
        for (command, expected) in [
            ("ack-ram-tool", "ack-ram-tool"),
            ("ack-ram-authenticator", "ack-ram-tool"),
            ("/opt/ack-ram-authenticator.exe", "ack-ram-tool"),
            ("./kube-login", "kube-login"),
            ("x", "ack-ram-tool"),
            ("two words", "ack-ram-tool"),
            ("", "ack-ram-tool"),
        ] {
            let name = session_name_of_tool(OsStr::new(command));
            assert_eq!(name, expected, "{command}");
        }
    }
}
