//! Changes of the `exec` of a user, which leave its other members as they are.

use serde_json::Value;

use super::edit::{Change, Step};
use super::entries::{base_name, is_path};
use super::plugin_user::{PROGRAM, PluginUser};
use super::tree::Tree;
use crate::environment::Environment;

/// Returns the path to a member of an entry.
pub(super) fn path(list: &'static str, item: usize, members: &[&'static str]) -> Vec<Step> {
    let start = [Step::Member(list), Step::Item(item)];
    let members = members.iter().map(|member| Step::Member(member));
    start.into_iter().chain(members).collect()
}

/// Returns the changes that make a user run `new`. `user` is the value of the entry at `item`.
pub(super) fn exec_changes(item: usize, user: &Value, new: &PluginUser) -> Vec<Change> {
    let Some(exec) = user.get("exec").filter(|exec| exec.is_object()) else {
        let exec = Tree::Map(new.exec());
        return vec![set_in_user(item, user, "exec", exec)];
    };
    let path = path("users", item, &["user", "exec"]);
    let mut changes = Vec::new();
    for (key, value) in new.exec() {
        let old = exec.get(key);
        let is_kept = match key {
            // The text of the hint is the user's own if there is one.
            "installHint" => old.is_some_and(|old| !old.is_null()),
            "command" => kept_path(exec, new).is_some(),
            _ => false,
        };
        if !is_kept && old != Some(&value.to_json()) {
            changes.push(Change::Set(path.clone(), key, value));
        }
    }
    if !new.takes_cluster_info() && exec.get("provideClusterInfo") == Some(&Value::Bool(true)) {
        changes.push(Change::Remove(path, "provideClusterInfo"));
    }
    changes
}

/// Returns the command of `exec` if it stays: a path of this program. Programs with another `PATH`, such as graphical
/// ones, do not find the bare name.
pub(super) fn kept_path<'a>(exec: &'a Value, new: &PluginUser) -> Option<&'a str> {
    let old = exec.get("command")?.as_str()?;
    (new.command() == PROGRAM && is_path(old) && base_name(old) == PROGRAM).then_some(old)
}

/// Returns the variables that `exec` sets for the command. kubectl sets a variable without a value to an empty text, which
/// hides that of kubectl's own environment.
pub(crate) fn exec_variables(exec: &Value) -> Environment {
    let variables = exec.get("env").and_then(Value::as_array);
    let text = |variable: &Value, key| {
        let value = variable.get(key).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let variables = variables.into_iter().flatten();
    variables
        .map(|variable| (text(variable, "name"), text(variable, "value")))
        .collect()
}

/// Returns the change that sets a member of a user, which may have no value yet.
fn set_in_user(item: usize, user: &Value, key: &'static str, value: Tree) -> Change {
    match user.is_object() {
        true => Change::Set(path("users", item, &["user"]), key, value),
        false => Change::Set(
            path("users", item, &[]),
            "user",
            Tree::Map(vec![(key, value)]),
        ),
    }
}
