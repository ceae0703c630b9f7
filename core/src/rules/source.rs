//! The backends of rules, and the location of a rule in its backend.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A backend: a source of mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Backend {
    /// The configuration file of the server.
    MountedFile,
    /// The ConfigMap `kube-system/alibabacloud-auth`.
    #[serde(rename = "ACKConfigMap")]
    ConfigMap,
    /// `RAMIdentityMapping` objects.
    #[serde(rename = "CRD")]
    Crd,
    /// A JSON file that can change at any time.
    DynamicFile,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 4] = [
        Self::MountedFile,
        Self::ConfigMap,
        Self::Crd,
        Self::DynamicFile,
    ];
}

/// Displays the name that `server.backendMode` uses.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MountedFile => "MountedFile",
            Self::ConfigMap => "ACKConfigMap",
            Self::Crd => "CRD",
            Self::DynamicFile => "DynamicFile",
        })
    }
}

/// The location of a rule, for messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source {
    /// The backend.
    pub backend: Backend,
    /// The location in the backend, such as `server.mapRoles[2]` or the name of an object.
    pub position: String,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.backend, self.position)
    }
}
