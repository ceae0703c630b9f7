//! One mapping: as somebody wrote it, and as a rule that can be applied.

use std::fmt;

use serde::Serialize;

use crate::arn::{Arn, ArnError, Resource};
use crate::identity::Identity;
use crate::rules::Names;
use crate::rules::template::{RenderError, Template, TemplateError};

/// Where rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Backend {
    /// The server's configuration file.
    MountedFile,
    /// The ConfigMap `kube-system/alibabacloud-auth`.
    #[serde(rename = "ACKConfigMap")]
    ConfigMap,
    /// `RAMIdentityMapping` objects.
    #[serde(rename = "CRD")]
    Crd,
    /// A JSON file that may change at any time.
    DynamicFile,
}

/// The names that `server.backendMode` uses.
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

/// Where one rule stands, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The backend.
    pub backend: Backend,
    /// The place in it, such as `server.mapRoles[2]` or an object's name.
    pub position: String,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.backend, self.position)
    }
}

/// A mapping as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Where it stands.
    pub source: Source,
    /// `roleARN`, `userARN` or `spec.arn`.
    pub arn: String,
    /// The username, a template.
    pub username: String,
    /// The groups, templates.
    pub groups: Vec<String>,
}

/// A mapping that can be applied.
#[derive(Clone, Debug)]
pub struct Rule {
    source: Source,
    arn: Arn,
    username: Template,
    groups: Vec<Template>,
}

/// Why a mapping was refused. The others are not touched by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// Its ARN cannot be an identity.
    Arn(ArnError),
    /// It names an assumed role, whose session would never match; the role is what identities are looked up by.
    AssumedRole {
        /// What to write instead.
        role: String,
    },
    /// Its username is not a template.
    Username(TemplateError),
    /// One of its groups is not a template.
    Group {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: TemplateError,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(error) => write!(f, "its ARN cannot be an identity: {error}"),
            Self::AssumedRole { role } => {
                write!(
                    f,
                    "it names one session of a role; write the role, `{role}`"
                )
            }
            Self::Username(error) => write!(f, "its username was refused: {error}"),
            Self::Group { index, error } => write!(f, "its `groups[{index}]` was refused: {error}"),
        }
    }
}

impl std::error::Error for RuleError {}

/// A rule matched, but the username or a group that it gives cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// `username` or `groups[<n>]`.
    pub field: String,
    /// What is wrong with it.
    pub error: RenderError,
}

impl Rule {
    /// Checks `mapping` and parses its parts.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn compile(mapping: Mapping) -> Result<Self, RuleError> {
        let arn = Arn::parse(&mapping.arn).map_err(RuleError::Arn)?;
        if let Resource::AssumedRole { .. } = arn.resource() {
            let role = arn.canonical().to_string();
            return Err(RuleError::AssumedRole { role });
        }
        let username = Template::parse(&mapping.username).map_err(RuleError::Username)?;
        let groups = mapping
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                Template::parse(group).map_err(|error| RuleError::Group { index, error })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source: mapping.source,
            arn,
            username,
            groups,
        })
    }

    /// Where it stands.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whom it maps.
    #[must_use]
    pub fn arn(&self) -> &Arn {
        &self.arn
    }

    pub(crate) fn names(&self, identity: &Identity) -> Result<Names, NameError> {
        let username = self.username.render(identity).map_err(|error| NameError {
            field: "username".to_owned(),
            error,
        })?;
        let groups = self
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                group.render(identity).map_err(|error| NameError {
                    field: format!("groups[{index}]"),
                    error,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok((username, groups))
    }
}
