//! The `ExecCredential` that a credential plugin prints for kubectl (client-go credential plugins,
//! `client.authentication.k8s.io`).

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use serde::Serialize;

use crate::cli::failure::CommandFailure;
use crate::cli::output;

pub(super) const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// The versions of `ExecCredential` that kubectl supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum ApiVersion {
    /// For kubectl 1.22 and later
    V1,
    /// For older versions, too
    V1beta1,
}

impl ApiVersion {
    /// Parses the `apiVersion` of an `ExecCredential`. Returns `None` for other versions.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            V1 => Some(Self::V1),
            V1BETA1 => Some(Self::V1beta1),
            _ => None,
        }
    }

    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::V1 => V1,
            Self::V1beta1 => V1BETA1,
        }
    }
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
