//! The name with which this program was started.

use std::path::Path;

use ack_ram_core::sts::SessionName;

/// The name of this program.
const OWN_NAME: &str = "ack-ram-authenticator";
/// The name of the program that `credential-plugin get-token` replaces.
const TOOL_NAME: &str = "ack-ram-tool";

/// Returns the default session name of `credential-plugin get-token`.
///
/// ack-ram-tool uses the name with which it was started, and usernames can contain the session name. So this program
/// uses the name of ack-ram-tool instead of its own, and the name of a link or copy that has any other name.
pub(in crate::cli) fn session_name_of_tool() -> String {
    let name = std::env::args_os().next().and_then(|path| {
        let stem = Path::new(&path).file_name()?.to_str()?.to_owned();
        Some(stem.strip_suffix(".exe").unwrap_or(&stem).to_owned())
    });
    choose(name.as_deref())
}

fn choose(name: Option<&str>) -> String {
    match name {
        Some(name) if name != OWN_NAME && SessionName::parse(name).is_some() => name.to_owned(),
        _ => TOOL_NAME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_name_and_unusable_names_give_the_name_of_ack_ram_tool() {
        for (name, expected) in [
            (Some("ack-ram-tool"), "ack-ram-tool"),
            (Some("ack-ram-authenticator"), "ack-ram-tool"),
            (Some("kube-login"), "kube-login"),
            (Some("x"), "ack-ram-tool"),
            (Some("two words"), "ack-ram-tool"),
            (None, "ack-ram-tool"),
        ] {
            assert_eq!(choose(name), expected, "{name:?}");
        }
    }
}
