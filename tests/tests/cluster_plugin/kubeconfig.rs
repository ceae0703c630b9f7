//! Kubeconfigs whose only user runs the binary as a plugin.

use std::path::PathBuf;

use ack_ram_tests::authenticator;
use ack_ram_tests::cluster::Cluster;
use serde_json::{Value, json};

use crate::fixture::{PluginFixture, role_arn};

/// The key under which kubectl finds what a cluster tells plugins.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// The command of the binary that a kubeconfig runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Token,
    GetToken,
}

impl Program {
    pub const BOTH: [Self; 2] = [Self::Token, Self::GetToken];

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Token => &["token"],
            Self::GetToken => &["credential-plugin", "get-token"],
        }
    }

    /// Returns the name of sessions that have no other name.
    pub fn session_name(self) -> &'static str {
        match self {
            Self::Token => "ack-ram-authenticator",
            Self::GetToken => "ack-ram-tool",
        }
    }
}

/// A kubeconfig. By default, it has one cluster and what kubectl requires.
#[derive(Clone, Debug)]
#[must_use]
pub struct Kubeconfig {
    command: PathBuf,
    args: Vec<String>,
    api_version: &'static str,
    interactive_mode: Option<&'static str>,
    provides_cluster_info: bool,
    /// The name of each cluster, and its extension for plugins. Each context has the name of its cluster.
    clusters: Vec<(String, Value)>,
}

impl Kubeconfig {
    pub fn new(program: Program) -> Self {
        let words = program.words().iter();
        Self {
            command: authenticator::binary(),
            // A slow machine needs more time than a person would wait.
            args: words
                .chain(&["--timeout", "2m"])
                .map(|&word| word.to_owned())
                .collect(),
            api_version: "v1",
            interactive_mode: Some("Never"),
            provides_cluster_info: false,
            clusters: vec![("test".to_owned(), Value::Null)],
        }
    }

    pub fn command(mut self, command: impl Into<PathBuf>) -> Self {
        self.command = command.into();
        self
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Adds the options of the role `name`, which the STS of `fixture` issues keys of.
    pub fn role(self, fixture: &PluginFixture, name: &str) -> Self {
        let endpoint = fixture.sts().endpoint();
        self.args(&["--role-arn", &role_arn(name), "--sts-endpoint", &endpoint])
    }

    pub fn api_version(mut self, version: &'static str) -> Self {
        self.api_version = version;
        self
    }

    pub fn interactive_mode(mut self, mode: Option<&'static str>) -> Self {
        self.interactive_mode = mode;
        self
    }

    /// Replaces the clusters, and sets `provideClusterInfo`.
    pub fn provides_cluster_info(mut self, clusters: &[(&str, Value)]) -> Self {
        self.provides_cluster_info = true;
        let clusters = clusters.iter();
        self.clusters = clusters
            .map(|(name, extension)| ((*name).to_owned(), extension.clone()))
            .collect();
        self
    }

    /// Runs the plugin in a shell that also writes the time before and after each run to the file in the variable
    /// `RUNS`.
    pub fn recorded(mut self) -> Self {
        let script = r#"date +%s >>"$RUNS"; "$0" "$@"; code=$?; date +%s >>"$RUNS"; exit $code"#;
        let plugin = self.command.to_string_lossy().into_owned();
        let shell = ["-c".to_owned(), script.to_owned(), plugin];
        self.args.splice(0..0, shell);
        self.command = "/bin/sh".into();
        self
    }

    pub(super) fn to_json(&self, cluster: &Cluster) -> Value {
        let clusters = self.clusters.iter().map(|(name, extension)| {
            let mut entry = json!({
                "server": cluster.url(),
                "certificate-authority": cluster.ca_file(),
            });
            if !extension.is_null() {
                entry["extensions"] = json!([{ "name": EXTENSION, "extension": extension }]);
            }
            json!({ "name": name, "cluster": entry })
        });
        let contexts = self
            .clusters
            .iter()
            .map(|(name, _)| json!({ "name": name, "context": { "cluster": name, "user": "me" } }));
        let mut exec = json!({
            "apiVersion": format!("client.authentication.k8s.io/{}", self.api_version),
            "command": self.command,
            "args": self.args,
            "provideClusterInfo": self.provides_cluster_info,
        });
        if let Some(mode) = self.interactive_mode {
            exec["interactiveMode"] = mode.into();
        }
        let current = self.clusters.first().map(|(name, _)| name);
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": clusters.collect::<Vec<_>>(),
            "contexts": contexts.collect::<Vec<_>>(),
            "current-context": current,
            "users": [{ "name": "me", "user": { "exec": exec } }],
        })
    }
}
