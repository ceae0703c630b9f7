//! What kubectl asks of a credential plugin, in the variable `KUBERNETES_EXEC_INFO`.

use std::path::Path;

use ack_ram_core::cluster_id::ClusterId;
use serde::Deserialize;
use thiserror::Error;

use super::exec_credential::{ApiVersion, V1};
use crate::cli::failure::CommandFailure;

/// The extension of a cluster that kubectl passes on to plugins.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// The variable in which client-go passes an `ExecCredential` to a plugin.
pub(in crate::cli) const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// What kubectl asks for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct ExecInfo {
    /// The version of the answer. kubectl refuses an answer in any other version.
    pub(in crate::cli) version: ApiVersion,
    /// `clusterId` in the cluster's extension `client.authentication.k8s.io/exec`, which kubectl passes with
    /// `provideClusterInfo: true`.
    cluster_id: Result<Option<ClusterId>, ExecInfoError>,
}

impl ExecInfo {
    /// Parses the value of [`EXEC_INFO`].
    ///
    /// # Errors
    /// Returns an error if the value has another form, or requests a version that this program does not support.
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, ExecInfoError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Credential {
            api_version: String,
            spec: Option<Spec>,
        }
        #[derive(Deserialize)]
        struct Spec {
            cluster: Option<Cluster>,
        }
        #[derive(Deserialize)]
        struct Cluster {
            #[serde(default)]
            config: serde_json::Value,
        }
        let info: Credential = serde_json::from_str(text).map_err(|_| ExecInfoError::Malformed)?;
        let version =
            ApiVersion::parse(&info.api_version).ok_or(ExecInfoError::Version(info.api_version))?;
        let cluster = info.spec.and_then(|spec| spec.cluster);
        let config = cluster.map(|cluster| cluster.config);
        let cluster_id = match config.as_ref().and_then(|config| config.get("clusterId")) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(id)) if id.is_empty() => Ok(None),
            Some(serde_json::Value::String(id)) => match ClusterId::parse(id) {
                Some(id) => Ok(Some(id)),
                None => Err(ExecInfoError::MalformedClusterId),
            },
            Some(_) => Err(ExecInfoError::ClusterIdType),
        };
        Ok(Self {
            version,
            cluster_id,
        })
    }

    /// Returns the ID of the cluster to log in to: `option`, or else the ID in the kubeconfig. Returns `None` if neither
    /// is given.
    ///
    /// # Errors
    /// Returns an error if the ID in the kubeconfig is needed and is not valid.
    pub(in crate::cli) fn cluster_id(
        self,
        option: Option<String>,
    ) -> Result<Option<String>, CommandFailure> {
        if option.is_some() {
            return Ok(option);
        }
        match self.cluster_id {
            Ok(id) => Ok(id.map(|id| id.to_string())),
            Err(error) => Err(error.into_failure()),
        }
    }
}

/// Why this program cannot do what kubectl asks for. `Display` says what is wrong and where.
#[derive(Debug, PartialEq, Eq, Error)]
pub(in crate::cli) enum ExecInfoError {
    /// The value is not an `ExecCredential`.
    #[error("`{EXEC_INFO}` does not contain an ExecCredential")]
    Malformed,
    /// This program does not support the version.
    #[error("`{EXEC_INFO}` requests `{0}`, which is not supported")]
    Version(String),
    /// The cluster ID in the extension of the cluster is not text.
    #[error("`clusterId` in the kubeconfig's cluster extension `{EXTENSION}` is not text")]
    ClusterIdType,
    /// The cluster ID in the extension of the cluster is text, but not a cluster ID.
    #[error(
        "`clusterId` in the kubeconfig's cluster extension `{EXTENSION}` is not a valid cluster ID"
    )]
    MalformedClusterId,
}

impl ExecInfoError {
    /// Returns the failure of a command, with the remedy.
    pub(in crate::cli) fn into_failure(self) -> CommandFailure {
        let remedy = match self {
            Self::Malformed => format!("unset `{EXEC_INFO}`, or set `--api-version`"),
            Self::Version(_) => format!("set `apiVersion: {V1}` in the kubeconfig's `exec`"),
            Self::ClusterIdType => {
                "write it in quotes in the kubeconfig, or set `--cluster-id`".to_owned()
            }
            Self::MalformedClusterId => {
                "write 1 to 253 visible ASCII characters without spaces in the kubeconfig, or set `--cluster-id`".to_owned()
            }
        };
        CommandFailure::NoLogin {
            cause: self.to_string(),
            remedy,
        }
    }
}

/// Returns the failure for a login without a cluster ID. `config` is the configuration file, if there is one.
pub(super) fn missing_cluster_id(config: Option<&Path>) -> CommandFailure {
    const REMEDY: &str = "set `--cluster-id`; or, in the kubeconfig, `provideClusterInfo: true` of the user and `clusterId` in the cluster's extension";
    match config {
        None => CommandFailure::IncompleteCommandLine {
            cause: "a cluster ID is required".to_owned(),
            remedy: format!(
                "{REMEDY} `{EXTENSION}`; or `--config` with a file that has `clusterID: <id>`"
            ),
        },
        Some(file) => CommandFailure::NoLogin {
            cause: format!(
                "a cluster ID is required, and `{}` has none",
                file.display()
            ),
            remedy: format!("{REMEDY} `{EXTENSION}`; or `clusterID: <id>` in the file"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exec_info_gives_version_and_cluster_id() {
        let with = |version, cluster_id: Option<&str>| {
            Ok(ExecInfo {
                version,
                cluster_id: Ok(cluster_id.and_then(ClusterId::parse)),
            })
        };
        let wrong = |error| {
            Ok(ExecInfo {
                version: ApiVersion::V1,
                cluster_id: Err(error),
            })
        };
        let v1 = |more: &str| {
            format!(
                r#"{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"{more}}}"#
            )
        };
        let config = |config: &str| {
            v1(&format!(
                r#","spec":{{"interactive":false,"cluster":{{"server":"https://a","config":{config}}}}}"#
            ))
        };
        let alpha = "client.authentication.k8s.io/v1alpha1";
        for (text, expected) in [
            (v1(""), with(ApiVersion::V1, None)),
            (
                r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":true}}"#.to_owned(),
                with(ApiVersion::V1beta1, None),
            ),
            (v1(r#","spec":{"cluster":{"server":"https://a"}}"#), with(ApiVersion::V1, None)),
            (v1(r#","spec":null"#), with(ApiVersion::V1, None)),
            (v1(r#","spec":{"cluster":null}"#), with(ApiVersion::V1, None)),
            (config("null"), with(ApiVersion::V1, None)),
            (config(r#"{"clusterId":"c1"}"#), with(ApiVersion::V1, Some("c1"))),
            (config(r#"{"clusterId":""}"#), with(ApiVersion::V1, None)),
            (config(r#"{"clusterId":null,"x":1}"#), with(ApiVersion::V1, None)),
            (config(r#"["clusterId"]"#), with(ApiVersion::V1, None)),
            (v1(r#","spec":null"#), with(ApiVersion::V1, None)),
            (v1(r#","spec":{"cluster":null}"#), with(ApiVersion::V1, None)),
            (v1(r#","spec":7"#), Err(ExecInfoError::Malformed)),
            (config(r#"{"clusterId":7}"#), wrong(ExecInfoError::ClusterIdType)),
            (config(r#"{"clusterId":"a b"}"#), wrong(ExecInfoError::MalformedClusterId)),
            (
                format!(r#"{{"apiVersion":"{alpha}"}}"#),
                Err(ExecInfoError::Version(alpha.to_owned())),
            ),
            ("{}".to_owned(), Err(ExecInfoError::Malformed)),
            ("v1".to_owned(), Err(ExecInfoError::Malformed)),
        ] {
            assert_eq!(ExecInfo::parse(&text), expected, "{text}");
        }
    }
}
