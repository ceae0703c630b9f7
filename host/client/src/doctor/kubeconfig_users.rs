//! The users of a kubeconfig file that run a credential plugin.

use ack_ram_config::diagnostic::Position;
use ack_ram_config::yaml::{self, Node, Value};

/// The extension of a cluster that kubectl passes to a plugin.
const EXEC_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// What a kubeconfig file says about plugins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KubeconfigUsers {
    /// `current-context`; `None` if it is absent or empty.
    pub(super) current_context: Option<String>,
    /// The contexts.
    pub(super) contexts: Vec<Context>,
    /// The clusters whose extension has a cluster ID.
    pub(super) clusters_with_id: Vec<String>,
    /// The users that run a plugin.
    pub(super) users: Vec<ExecUser>,
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
}

/// The place of a syntax error. The text of the error could quote a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotYaml(pub(super) Option<Position>);

impl KubeconfigUsers {
    /// Parses a file. Values of other types count as absent.
    pub(super) fn parse(text: &str) -> Result<Self, NotYaml> {
        let root = yaml::parse(text).map_err(|error| NotYaml(error.position))?;
        let context = |item: &Node| {
            let context = member(item, "context")?;
            Some(Context {
                name: text_of(item, "name"),
                cluster: text_of(context, "cluster"),
                user: text_of(context, "user"),
            })
        };
        let exec = |item: &Node| {
            let exec = member(member(item, "user")?, "exec")?;
            matches!(exec.value, Value::Map(_)).then(|| read_user(item, exec))
        };
        let current = text_of(&root, "current-context");
        let clusters = list(&root, "clusters");
        Ok(Self {
            current_context: Some(current).filter(|name| !name.is_empty()),
            contexts: list(&root, "contexts").iter().filter_map(context).collect(),
            clusters_with_id: clusters
                .iter()
                .filter(|item| has_cluster_id(item))
                .map(|item| text_of(item, "name"))
                .collect(),
            users: list(&root, "users").iter().filter_map(exec).collect(),
        })
    }
}

fn read_user(item: &Node, exec: &Node) -> ExecUser {
    let is_true = |node: &Node| matches!(node.value, Value::Bool(true));
    ExecUser {
        name: text_of(item, "name"),
        command: text_of(exec, "command"),
        args: list(exec, "args").iter().map(plain_text).collect(),
        api_version: text_of(exec, "apiVersion"),
        interactive_mode: text_of(exec, "interactiveMode"),
        takes_cluster_info: member(exec, "provideClusterInfo").is_some_and(is_true),
        variables: list(exec, "env")
            .iter()
            .map(|variable| text_of(variable, "name"))
            .collect(),
    }
}

fn has_cluster_id(item: &Node) -> bool {
    let Some(cluster) = member(item, "cluster") else {
        return false;
    };
    list(cluster, "extensions")
        .iter()
        .filter(|extension| text_of(extension, "name") == EXEC_EXTENSION)
        .filter_map(|extension| member(extension, "extension"))
        .any(|extension| !text_of(extension, "clusterId").is_empty())
}

fn member<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Map(members) = &node.value else {
        return None;
    };
    let (_, value) = members.iter().find(|(key, _)| key.name == name)?;
    Some(value)
}

fn list<'a>(node: &'a Node, name: &str) -> &'a [Node] {
    match member(node, name).map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn text_of(node: &Node, name: &str) -> String {
    member(node, name).map(plain_text).unwrap_or_default()
}

fn plain_text(node: &Node) -> String {
    match &node.value {
        Value::Text(text) | Value::Number(text) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_contexts_and_extensions_are_read() {
        let text = r"
apiVersion: v1
kind: Config
current-context: a
contexts:
- {name: a, context: {cluster: c, user: u, namespace: n}}
- {name: b}
clusters:
- name: c
  cluster:
    server: https://x
    extensions:
    - {name: client.authentication.k8s.io/exec, extension: {clusterId: c1}}
- {name: d, cluster: {server: https://x}}
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./tool
      args: [token, -i, 17]
      env: [{name: A, value: b}]
      interactiveMode: Never
      provideClusterInfo: true
- {name: cert, user: {client-certificate-data: CANARY}}
- {name: odd, user: {exec: null}}
";
        let read = KubeconfigUsers::parse(text).unwrap();
        assert_eq!(read.current_context.as_deref(), Some("a"));
        assert_eq!(read.clusters_with_id, ["c"]);
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
        };
        assert_eq!(read.users, [user]);
    }

    #[test]
    fn empty_or_odd_file_has_no_users() {
        for text in ["", "[]", "users: 7", "a", "users: [7, {user: 7}]"] {
            assert_eq!(
                KubeconfigUsers::parse(text),
                Ok(KubeconfigUsers::default()),
                "{text}"
            );
        }
        assert!(KubeconfigUsers::parse("users: [").is_err());
    }
}
