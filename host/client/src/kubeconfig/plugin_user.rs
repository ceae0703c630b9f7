//! A user entry that runs this program.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sts::RoleArn;
use serde_json::Value;

use super::tree::{BlockLayout, Tree};

/// The name of this program as a command.
pub const PROGRAM: &str = "ack-ram-authenticator";
/// The version of the ExecCredential in new entries.
pub(crate) const API_VERSION: &str = "client.authentication.k8s.io/v1";
/// The text that kubectl shows if the command does not exist.
pub(super) const INSTALL_HINT: &str = "\
ack-ram-authenticator is not installed or not on the PATH. Install it, or write its path into `command` of this user \
in the kubeconfig.";

/// The options of `token` that decide about the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenOptions {
    /// The role to assume.
    pub role_arn: Option<RoleArn>,
    /// The profile of the Alibaba Cloud CLI, or the section of an INI file.
    pub profile_name: Option<String>,
    /// The name of the session of the role.
    pub session_name: Option<String>,
    /// Other options with their values, such as `--profile-file` and a path.
    pub others: Vec<String>,
}

/// A user entry that runs this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginUser {
    name: String,
    command: String,
    args: Vec<String>,
    takes_cluster_info: bool,
}

impl PluginUser {
    /// Returns an entry. Without a cluster ID, the command takes the ID from the entry of the cluster, so that one user
    /// serves many clusters.
    ///
    /// The default name has the cluster, the profile, the role and the session, so that two identities in a cluster are
    /// two users.
    #[must_use]
    pub fn new(
        name: Option<&str>,
        command: &str,
        cluster_id: Option<&ClusterId>,
        options: &TokenOptions,
    ) -> Self {
        let mut args = vec!["token".to_owned()];
        let mut add = |option: &str, value: Option<&str>| {
            if let Some(value) = value {
                args.extend([option.to_owned(), value.to_owned()]);
            }
        };
        let role = options.role_arn.as_ref().map(ToString::to_string);
        add("--cluster-id", cluster_id.map(ClusterId::as_str));
        add("--profile-name", options.profile_name.as_deref());
        add("--role-arn", role.as_deref());
        add("--session-name", options.session_name.as_deref());
        args.extend(options.others.iter().cloned());
        Self {
            name: name.map_or_else(|| default_name(cluster_id, options), str::to_owned),
            command: command.to_owned(),
            args,
            takes_cluster_info: cluster_id.is_none(),
        }
    }

    /// Returns the name of the entry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the command.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Returns the arguments of the command.
    #[must_use]
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Returns whether the command takes the cluster ID from the entry of the cluster.
    #[must_use]
    pub fn takes_cluster_info(&self) -> bool {
        self.takes_cluster_info
    }

    /// Returns whether the arguments say more than the cluster.
    pub(super) fn has_identity_options(&self) -> bool {
        let is_cluster_only = matches!(self.args.as_slice(), [_] | [_, _, _]);
        !is_cluster_only
            || self
                .args
                .get(1)
                .is_some_and(|option| option != "--cluster-id")
    }

    /// Returns the entry as part of a kubeconfig in YAML.
    #[must_use]
    pub fn fragment(&self) -> String {
        fragment("users", self.entry())
    }

    /// Returns the entry as part of a kubeconfig in JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Tree::Map(vec![("users", Tree::List(vec![self.entry()]))]).to_json()
    }

    pub(super) fn entry(&self) -> Tree {
        let user = Tree::Map(vec![("exec", Tree::Map(self.exec()))]);
        Tree::Map(vec![("name", Tree::text(&self.name)), ("user", user)])
    }

    /// Returns the members of `exec`.
    pub(super) fn exec(&self) -> Vec<(&'static str, Tree)> {
        let mut exec = vec![
            ("apiVersion", Tree::text(API_VERSION)),
            ("command", Tree::text(&self.command)),
            ("args", Tree::texts(&self.args)),
            ("installHint", Tree::text(INSTALL_HINT)),
            ("interactiveMode", Tree::text("Never")),
        ];
        if self.takes_cluster_info {
            exec.push(("provideClusterInfo", Tree::Bool(true)));
        }
        exec
    }
}

/// Renders a list with one item as part of a kubeconfig.
pub(super) fn fragment(list: &str, item: Tree) -> String {
    let lines = Tree::List(vec![item]).member_lines(list, 0, BlockLayout::default());
    lines.join("\n") + "\n"
}

fn default_name(cluster_id: Option<&ClusterId>, options: &TokenOptions) -> String {
    let role = options.role_arn.as_ref().map(ToString::to_string);
    let role = role.as_deref().and_then(|arn| arn.rsplit('/').next());
    let parts = [
        Some(cluster_id.map_or(PROGRAM, ClusterId::as_str)),
        options.profile_name.as_deref(),
        role,
        options.session_name.as_deref(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("-")
}
