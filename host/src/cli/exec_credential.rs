//! The `ExecCredential` that a credential plugin prints for kubectl (client-go credential plugins,
//! `client.authentication.k8s.io`).

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// The variable with which client-go requests a version of `ExecCredential` from a plugin.
pub(super) const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// The versions of `ExecCredential` that kubectl supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ApiVersion {
    /// For kubectl 1.22 and later
    V1,
    /// For older versions, too
    V1beta1,
}

impl ApiVersion {
    /// Returns the version that `exec_info`, the value of [`EXEC_INFO`], requests.
    pub(super) fn from_exec_info(exec_info: &str) -> Result<Self, ExecInfoError> {
        #[derive(Deserialize)]
        struct ExecInfo {
            #[serde(rename = "apiVersion")]
            api_version: String,
        }
        let info: ExecInfo =
            serde_json::from_str(exec_info).map_err(|_| ExecInfoError::Malformed)?;
        match info.api_version.as_str() {
            V1 => Ok(Self::V1),
            V1BETA1 => Ok(Self::V1beta1),
            _ => Err(ExecInfoError::Version(info.api_version)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::V1 => V1,
            Self::V1beta1 => V1BETA1,
        }
    }
}

/// Why the version that kubectl requests is unknown.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum ExecInfoError {
    /// The value is not an `ExecCredential`.
    #[error(
        "`{variable}` does not contain an ExecCredential; unset it, or set --api-version",
        variable = EXEC_INFO
    )]
    Malformed,
    /// This program does not support the version.
    #[error(
        "`{variable}` requests `{0}`, which is not supported; set `apiVersion: {latest}` in the kubeconfig's `exec`, or set --api-version",
        variable = EXEC_INFO,
        latest = V1
    )]
    Version(String),
}

/// Renders a token as an `ExecCredential`, byte for byte as ack-ram-tool does.
pub(super) fn render(
    token: &Secret,
    expires: UnixTime,
    version: ApiVersion,
) -> Result<String, CommandFailure> {
    let credential = ExecCredential {
        kind: "ExecCredential",
        api_version: version.name(),
        spec: Spec { interactive: false },
        status: Status {
            expiration_timestamp: expires,
            token: token.expose(),
        },
    };
    output::json(&credential, " ")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential<'a> {
    kind: &'static str,
    api_version: &'static str,
    spec: Spec,
    status: Status<'a>,
}

#[derive(Serialize)]
struct Spec {
    interactive: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    expiration_timestamp: UnixTime,
    token: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exec_info_selects_api_version() {
        let other = "client.authentication.k8s.io/v1alpha1";
        for (exec_info, expected) in [
            (format!(r#"{{"apiVersion": "{V1}"}}"#), Ok(ApiVersion::V1)),
            (
                format!(
                    r#"{{"kind":"ExecCredential","apiVersion":"{V1BETA1}","spec":{{"interactive":true}}}}"#
                ),
                Ok(ApiVersion::V1beta1),
            ),
            (
                format!(r#"{{"apiVersion": "{other}"}}"#),
                Err(ExecInfoError::Version(other.to_owned())),
            ),
            ("{}".to_owned(), Err(ExecInfoError::Malformed)),
            ("v1".to_owned(), Err(ExecInfoError::Malformed)),
        ] {
            assert_eq!(
                ApiVersion::from_exec_info(&exec_info),
                expected,
                "{exec_info}"
            );
        }
    }
}
