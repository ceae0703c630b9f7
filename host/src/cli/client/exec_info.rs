//! What kubectl asks of a credential plugin, in the variable `KUBERNETES_EXEC_INFO`.

use serde::Deserialize;
use thiserror::Error;

use super::exec_credential::{ApiVersion, V1};

/// The variable in which client-go passes an `ExecCredential` to a plugin.
pub(in crate::cli) const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// What kubectl asks for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct ExecInfo {
    /// The version of the answer. kubectl refuses an answer in any other version.
    pub(in crate::cli) version: ApiVersion,
    /// `clusterId` in the cluster's extension `client.authentication.k8s.io/exec`, which kubectl passes with
    /// `provideClusterInfo: true`.
    pub(in crate::cli) cluster_id: Option<String>,
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
            None | Some(serde_json::Value::Null) => None,
            Some(serde_json::Value::String(id)) => Some(id.clone()).filter(|id| !id.is_empty()),
            Some(_) => return Err(ExecInfoError::ClusterId),
        };
        Ok(Self {
            version,
            cluster_id,
        })
    }
}

/// Why this program cannot do what kubectl asks for.
#[derive(Debug, PartialEq, Eq, Error)]
pub(in crate::cli) enum ExecInfoError {
    /// The value is not an `ExecCredential`.
    #[error(
        "`{variable}` does not contain an ExecCredential; unset it, or set --api-version",
        variable = EXEC_INFO
    )]
    Malformed,
    /// This program does not support the version.
    #[error(
        "`{variable}` requests `{0}`, which is not supported; set `apiVersion: {latest}` in the kubeconfig's `exec`",
        variable = EXEC_INFO,
        latest = V1
    )]
    Version(String),
    /// The cluster ID in the extension of the cluster is not text.
    #[error(
        "`clusterId` in the cluster's extension `client.authentication.k8s.io/exec` is not text; write it in quotes in the kubeconfig"
    )]
    ClusterId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exec_info_gives_version_and_cluster_id() {
        let with = |version, cluster_id: Option<&str>| {
            Ok(ExecInfo {
                version,
                cluster_id: cluster_id.map(str::to_owned),
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
            (config(r#"{"clusterId":7}"#), Err(ExecInfoError::ClusterId)),
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
