//! What kubectl gets from its credential plugin: an `ExecCredential` (client-go credential plugins,
//! `client.authentication.k8s.io`).

use std::fmt;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// In this variable client-go tells a plugin what it wants.
pub(super) const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// The versions of `ExecCredential` that kubectl takes today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ApiVersion {
    /// kubectl 1.22 and later
    V1,
    /// Older versions, too
    V1beta1,
}

impl ApiVersion {
    /// The version that `exec_info`, the value of [`EXEC_INFO`], asks for.
    pub(super) fn from_exec_info(exec_info: &str) -> Result<Self, ExecInfoError> {
        #[derive(Deserialize)]
        struct ExecInfo {
            #[serde(rename = "apiVersion")]
            api_version: String,
        }
        let asked: ExecInfo =
            serde_json::from_str(exec_info).map_err(|_| ExecInfoError::Malformed)?;
        match asked.api_version.as_str() {
            V1 => Ok(Self::V1),
            V1BETA1 => Ok(Self::V1beta1),
            _ => Err(ExecInfoError::Version(asked.api_version)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::V1 => V1,
            Self::V1beta1 => V1BETA1,
        }
    }
}

/// Why it cannot be told which version kubectl wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExecInfoError {
    /// It is not an `ExecCredential`.
    Malformed,
    /// It is of a version that this program does not speak.
    Version(String),
}

impl fmt::Display for ExecInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(
                f,
                "`{EXEC_INFO}` holds no ExecCredential; unset it, or give --api-version"
            ),
            Self::Version(version) => write!(
                f,
                "`{EXEC_INFO}` asks for `{version}`; set `apiVersion: {V1}` in the kubeconfig's `exec`, or give --api-version"
            ),
        }
    }
}

impl std::error::Error for ExecInfoError {}

/// A token as kubectl reads it: to the byte what ack-ram-tool prints.
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
