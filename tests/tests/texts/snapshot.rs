//! The snapshots in `snapshots/`, with placeholders for values that vary between runs.

use std::path::Path;
use std::sync::LazyLock;

use insta::{assert_snapshot, with_settings};
use regex::Regex;

/// Compares `text` with the snapshot `name`.
pub(crate) fn check(name: &str, text: &str) {
    with_settings!({
        snapshot_path => "snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        assert_snapshot!(name, text);
    });
}

/// Returns `text` with placeholders for the path `folder` and for times, durations, ports, references and digests.
pub(crate) fn stable(text: &str, folder: &Path) -> String {
    static PLACEHOLDERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let placeholder = |(pattern, text)| (Regex::new(pattern).unwrap(), text);
        [
            (
                "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z",
                "[time]",
            ),
            ("[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", "[request-id]"),
            (r#"(sha256"?[=:]"?)[0-9a-f]+"#, "${1}[sha256]"),
            (r#"(reference(=|":"| ))[0-9a-f]{16}"#, "${1}[reference]"),
            // Without IPv6, the server listens on IPv4 only.
            (r"(0\.0\.0\.0|\[::\]):[0-9]+", "[any]:[port]"),
            (
                r"([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|localhost|\[::1\]):[0-9]+",
                "${1}:[port]",
            ),
            (r#"(milliseconds"?[=:])[0-9.]+"#, "${1}[milliseconds]"),
            (
                r"verification time [0-9]+ \(UNIX\)(.*) \([0-9]+ seconds ago\)",
                "verification time [time]${1} ([seconds] seconds ago)",
            ),
            (r#"version="[0-9.]+""#, r#"version="[version]""#),
            // Only the prefixes of targets are documented. The rest depends on the modules.
            (
                r#"( |"target":")(ack_ram_authenticator(::[a-z0-9_]+)?)[a-z0-9_:]*(: |")"#,
                "${1}${2}${4}",
            ),
        ]
        .map(placeholder)
        .into()
    });
    let text = text.replace(&*folder.to_string_lossy(), "[folder]");
    let replace = |text: String, (pattern, placeholder): &(Regex, &str)| {
        pattern.replace_all(&text, *placeholder).into_owned()
    };
    PLACEHOLDERS.iter().fold(text, replace)
}
