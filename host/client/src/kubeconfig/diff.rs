//! The difference between two texts of a kubeconfig, without secrets.

use std::path::Path;

use serde_json::Value;
use similar::TextDiff;
use zeroize::Zeroizing;

use super::edit::{self, EditError};
use super::entries::Credentials;
use super::syntax::{self, Node, Syntax};

/// The number of unchanged lines around a change.
const CONTEXT_LINES: usize = 1;
const HIDDEN: &str = "(hidden)";
/// Members whose values are no secrets, wherever they are.
const PUBLIC: [&str; 17] = [
    "apiVersion",
    "cluster",
    "clusterId",
    "clusters",
    "command",
    "context",
    "contexts",
    "current-context",
    "exec",
    "extension",
    "extensions",
    "installHint",
    "interactiveMode",
    "kind",
    "name",
    "namespace",
    "provideClusterInfo",
];

/// Renders a unified diff of a file. Values that may be secrets, and comments, are hidden. The arguments of this program
/// and of ack-ram-tool are shown for users that change.
pub(super) fn render(path: &Path, before: &str, after: &str) -> Result<String, EditError> {
    let changed = changed_users(&edit::parse_values(before)?, &edit::parse_values(after)?);
    let hide = |text| hide_secrets(text, &changed);
    let (before, after) = (hide(before)?, hide(after)?);
    let name = path.display().to_string();
    let diff = TextDiff::from_lines(&*before, &*after);
    Ok(diff
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&name, &name)
        .to_string())
}

/// Returns the names of the users that are different, or new, in `after`.
fn changed_users(before: &Value, after: &Value) -> Vec<String> {
    let users = |root: &Value| {
        let users = root.get("users").and_then(Value::as_array);
        users.cloned().unwrap_or_default()
    };
    let before = users(before);
    let changed = users(after)
        .into_iter()
        .filter(|user| !before.contains(user));
    changed
        .filter_map(|user| Some(user.get("name")?.as_str()?.to_owned()))
        .collect()
}

/// Returns a text in which values that may be secrets, and comments, are replaced. `changed` are the names of the users
/// whose arguments are shown.
fn hide_secrets(text: &str, changed: &[String]) -> Result<Zeroizing<String>, EditError> {
    let mut secrets = Vec::new();
    if let Some(root) = syntax::parse(text)? {
        for (key, value) in root.members() {
            if key.as_text() == Some("users") && !value.items().is_empty() {
                for user in value.items() {
                    let name = user.find("name").and_then(|(_, _, name)| name.as_text());
                    let shows_args = changed.iter().any(|user| Some(&**user) == name);
                    collect(key, user, shows_args, false, &mut secrets);
                }
            } else {
                collect(key, value, false, false, &mut secrets);
            }
        }
    }
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut at = 0;
    for (start, end) in secrets {
        out.push_str(text.get(at..start).ok_or(EditError::UnsupportedLayout)?);
        out.push_str(HIDDEN);
        at = end;
    }
    out.push_str(text.get(at..).ok_or(EditError::UnsupportedLayout)?);
    let lines = out.split_inclusive('\n').map(hide_comment);
    Ok(Zeroizing::new(lines.collect()))
}

/// Collects the ranges of scalars that may be secrets, in the order of the text.
fn collect(
    key: &Node,
    value: &Node,
    shows_args: bool,
    is_public: bool,
    secrets: &mut Vec<(usize, usize)>,
) {
    let name = key.as_text().unwrap_or_default();
    // Other plugins may have secrets in their arguments.
    let is_public = is_public || (PUBLIC.contains(&name));
    match &value.syntax {
        Syntax::Scalar { .. } if !is_public && !value.range.is_empty() && !value.is_null() => {
            secrets.push((value.range.start, value.range.end));
        }
        Syntax::Scalar { .. } | Syntax::Alias => {}
        Syntax::List { items, .. } => {
            for item in items {
                collect(key, item, shows_args, false, secrets);
            }
        }
        Syntax::Map { members, .. } => {
            let shows_own_args = shows_args && name == "exec" && has_known_command(members);
            for (key, value) in members {
                let is_args = key.as_text() == Some("args") && shows_own_args;
                match &value.syntax {
                    Syntax::List { items, .. } if is_args => {
                        for item in items {
                            collect(key, item, shows_args, true, secrets);
                        }
                    }
                    // A user in a context is a name.
                    Syntax::Scalar { .. } if key.as_text() == Some("user") => {}
                    _ => collect(key, value, shows_args, false, secrets),
                }
            }
        }
    }
}

fn has_known_command(exec: &[(Node, Node)]) -> bool {
    let command = exec
        .iter()
        .find(|(key, _)| key.as_text() == Some("command"))
        .and_then(|(_, command)| command.as_text());
    let value = serde_json::json!({ "exec": { "command": command } });
    matches!(
        Credentials::of(&value),
        Credentials::Authenticator | Credentials::AckRamTool
    )
}

fn hide_comment(line: &str) -> String {
    let comment = line
        .char_indices()
        .find(|(at, char)| {
            let before = line.get(..*at).unwrap_or_default();
            *char == '#' && (before.is_empty() || before.ends_with([' ', '\t']))
        })
        .map(|(at, _)| at);
    let Some(at) = comment else {
        return line.to_owned();
    };
    let ending = line.trim_end_matches(['\r', '\n']).len();
    let (before, ending) = (line.get(..at), line.get(ending..));
    format!(
        "{}# {HIDDEN}{}",
        before.unwrap_or_default(),
        ending.unwrap_or_default()
    )
}
