//! The users of a kubeconfig file that run a credential plugin.

use std::collections::BTreeSet;

use ack_ram_core::cluster_id::ClusterId;
use serde_json::Value;

use crate::environment::Environment;
use crate::kubeconfig::{CLUSTER_ID, EXTENSION, exec_variables};

/// What a kubeconfig file says about plugins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KubeconfigUsers {
    /// `current-context`; `None` if it is absent or empty.
    pub(super) current_context: Option<String>,
    /// The contexts.
    pub(super) contexts: Vec<Context>,
    /// The names of clusters whose extension has a valid cluster ID, with the IDs.
    pub(super) cluster_ids: Vec<(String, String)>,
    /// The users that run a plugin.
    pub(super) users: Vec<ExecUser>,
    /// The names that a list has twice, with the kind of the list, such as `user`.
    pub(super) duplicates: Vec<(&'static str, String)>,
    /// The names of users with a member of `exec` that has another value than text, and that member.
    pub(super) not_texts: Vec<(String, &'static str)>,
}

/// A context.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) name: String,
    pub(super) cluster: String,
    pub(super) user: String,
}

/// A user that runs a plugin.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ExecUser {
    pub(super) name: String,
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) api_version: String,
    pub(super) interactive_mode: String,
    pub(super) takes_cluster_info: bool,
    /// The names of the variables that are set for the command.
    pub(super) variables: Vec<String>,
    /// The variables with their values.
    pub(super) environment: Environment,
}

impl KubeconfigUsers {
    /// Reads the values of a file. Values of other types count as absent.
    pub(super) fn read(root: &Value) -> Self {
        let current = text_of(root, "current-context");
        Self {
            current_context: Some(current).filter(|name| !name.is_empty()),
            contexts: list(root, "contexts").iter().map(read_context).collect(),
            cluster_ids: list(root, "clusters")
                .iter()
                .filter_map(|item| Some((text_of(item, "name"), cluster_id(item)?)))
                .collect(),
            users: list(root, "users").iter().filter_map(read_user).collect(),
            duplicates: find_duplicates(root),
            not_texts: list(root, "users")
                .iter()
                .filter_map(|item| Some((text_of(item, "name"), find_other_value(item)?)))
                .collect(),
        }
    }
}

fn find_duplicates(root: &Value) -> Vec<(&'static str, String)> {
    let lists = [
        ("user", "users"),
        ("context", "contexts"),
        ("cluster", "clusters"),
    ];
    let mut duplicates = Vec::new();
    for (kind, key) in lists {
        let mut names = BTreeSet::new();
        for item in list(root, key) {
            let name = text_of(item, "name");
            let is_new = name.is_empty() || names.insert(name.clone());
            if !is_new && !duplicates.contains(&(kind, name.clone())) {
                duplicates.push((kind, name));
            }
        }
    }
    duplicates
}

/// Returns the member of a user's `exec` that has a number, a Boolean, a list or a map instead of a text.
fn find_other_value(item: &Value) -> Option<&'static str> {
    let exec = item.get("user")?.get("exec")?;
    let is_text =
        |value: Option<&Value>| value.is_none_or(|value| value.is_null() || value.is_string());
    let texts = ["apiVersion", "command", "interactiveMode"];
    if let Some(member) = texts.into_iter().find(|member| !is_text(exec.get(*member))) {
        return Some(member);
    }
    if !list(exec, "args").iter().all(|arg| is_text(Some(arg))) {
        return Some("args");
    }
    let is_variable =
        |variable: &Value| is_text(variable.get("name")) && is_text(variable.get("value"));
    (!list(exec, "env").iter().all(is_variable)).then_some("env")
}

fn read_context(item: &Value) -> Context {
    let member = |name| {
        let context = item.get("context");
        context.map_or(String::new(), |context| text_of(context, name))
    };
    Context {
        name: text_of(item, "name"),
        cluster: member("cluster"),
        user: member("user"),
    }
}

/// Reads a user; `None` if the user runs no plugin.
fn read_user(item: &Value) -> Option<ExecUser> {
    let exec = item.get("user")?.get("exec")?;
    exec.is_object().then(|| ExecUser {
        name: text_of(item, "name"),
        command: text_of(exec, "command"),
        args: list(exec, "args").iter().map(plain_text).collect(),
        api_version: text_of(exec, "apiVersion"),
        interactive_mode: text_of(exec, "interactiveMode"),
        takes_cluster_info: exec.get("provideClusterInfo") == Some(&Value::Bool(true)),
        variables: list(exec, "env")
            .iter()
            .map(|variable| text_of(variable, "name"))
            .collect(),
        environment: exec_variables(exec),
    })
}

/// Returns the cluster ID in the extension of a cluster.
fn cluster_id(item: &Value) -> Option<String> {
    let extensions = item
        .get("cluster")
        .map_or(&[] as &[_], |cluster| list(cluster, "extensions"));
    extensions
        .iter()
        .filter(|extension| text_of(extension, "name") == EXTENSION)
        .filter_map(|extension| extension.get("extension"))
        .filter_map(|extension| extension.get(CLUSTER_ID)?.as_str())
        .find(|id| ClusterId::parse(id).is_some())
        .map(str::to_owned)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value.get(name).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value, name: &str) -> String {
    value.get(name).map(plain_text).unwrap_or_default()
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_contexts_and_extensions_are_read() {
        let root = json!({
            "current-context": "a",
            "contexts": [
                {"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "n"}},
            ],
            "clusters": [
                {"name": "c", "cluster": {"server": "https://x", "extensions": [
                    {"name": "client.authentication.k8s.io/exec", "extension": {"clusterId": "c1"}},
                ]}},
                {"name": "d", "cluster": {"server": "https://x"}},
            ],
            "users": [
                {"name": "u", "user": {"exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "./tool",
                    "args": ["token", "-i", 17],
                    "env": [{"name": "A", "value": "b"}],
                    "interactiveMode": "Never",
                    "provideClusterInfo": true,
                }}},
                {"name": "cert", "user": {"client-certificate-data": "CANARY"}},
                {"name": "odd", "user": {"exec": null}},
            ],
        });
        let read = KubeconfigUsers::read(&root);
        assert_eq!(read.current_context.as_deref(), Some("a"));
        assert_eq!(read.cluster_ids, [("c".to_owned(), "c1".to_owned())]);
        let context = Context {
            name: "a".to_owned(),
            cluster: "c".to_owned(),
            user: "u".to_owned(),
        };
        assert_eq!(read.contexts, [context]);
        let user = ExecUser {
            name: "u".to_owned(),
            command: "./tool".to_owned(),
            args: ["token", "-i", "17"].map(str::to_owned).to_vec(),
            api_version: "client.authentication.k8s.io/v1".to_owned(),
            interactive_mode: "Never".to_owned(),
            takes_cluster_info: true,
            variables: vec!["A".to_owned()],
            environment: [("A".to_owned(), "b".to_owned())].into_iter().collect(),
        };
        assert_eq!(read.users, [user]);
    }

    #[test]
    fn duplicate_names_of_a_list_are_found_once() {
        let root = json!({
            "users": [{"name": "a"}, {"name": "a"}, {"name": "b"}, {"name": "a"}],
            "contexts": [{"name": "a"}, {"name": "b"}],
            "clusters": [{"name": "b"}, {"name": "b"}],
        });
        let read = KubeconfigUsers::read(&root);
        let expected = [("user", "a".to_owned()), ("cluster", "b".to_owned())];
        assert_eq!(read.duplicates, expected);
    }

    #[test]
    fn null_counts_as_absent() {
        let root = json!({
            "current-context": null,
            "contexts": [null, {"name": "a", "context": null}],
            "clusters": [null, {"name": "c", "cluster": null}, {"name": "d", "cluster": {"extensions": null}}],
            "users": [
                {"name": "u", "user": {"exec": {"command": "x", "args": null, "env": null, "provideClusterInfo": null}}},
            ],
        });
        let read = KubeconfigUsers::read(&root);
        assert_eq!(read.current_context, None);
        assert_eq!(read.contexts[1].name, "a");
        assert_eq!(read.cluster_ids, []);
        let user = ExecUser {
            name: "u".to_owned(),
            command: "x".to_owned(),
            ..ExecUser::default()
        };
        assert_eq!(read.users, [user]);
    }

    #[test]
    fn odd_values_have_no_users() {
        for root in [
            json!(null),
            json!({"users": null, "contexts": null, "clusters": null}),
            json!({"users": [null, {"user": null}, {"user": {"exec": null}}]}),
            json!([]),
            json!({"users": 7}),
            json!({"users": [7, {"user": 7}, {"user": {"exec": []}}]}),
        ] {
            assert_eq!(
                KubeconfigUsers::read(&root),
                KubeconfigUsers::default(),
                "{root}"
            );
        }
    }
}
