//! The source of a key that the environment selects, and the variables of each source.
//!
//! This repeats the order of the sources as data, without making a plan: `doctor` also describes setups that have none.

use super::VariableState;
use crate::environment::Environment;
use crate::resolve::variables::{IDS, SECRETS, SECURITY_TOKENS};

pub(super) const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const OIDC_PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const CREDENTIALS_URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
const ECS_METADATA: &str = "ALIBABA_CLOUD_ECS_METADATA";
const CREDENTIALS_FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";

/// A source in the environment, in the order of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EnvironmentSource {
    TemporaryKey,
    Oidc,
    KeyWithRole,
    Key,
    Url,
    Metadata,
    File,
}

/// A variable that is part of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceVariable {
    Id,
    Secret,
    SecurityToken,
    Role,
    OidcProvider,
    OidcTokenFile,
    Url,
    Metadata,
    File,
}

impl EnvironmentSource {
    /// Returns the source that the environment selects; `None` if no source is complete.
    pub(super) fn select(environment: &Environment) -> Option<Self> {
        let has = |names: &[&'static str]| environment.first(names).is_some();
        let has_key = has(&IDS) && has(&SECRETS);
        let sources = [
            (Self::TemporaryKey, has_key && has(&SECURITY_TOKENS)),
            (
                Self::Oidc,
                has(&[ROLE_ARN]) && has(&[OIDC_PROVIDER_ARN]) && has(&[OIDC_TOKEN_FILE]),
            ),
            (Self::KeyWithRole, has_key && has(&[ROLE_ARN])),
            (Self::Key, has_key),
            (Self::Url, has(&[CREDENTIALS_URI])),
            (Self::Metadata, has(&[ECS_METADATA])),
            (Self::File, has(&[CREDENTIALS_FILE])),
        ];
        sources
            .into_iter()
            .find_map(|(source, is_complete)| is_complete.then_some(source))
    }

    /// Returns the name for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TemporaryKey => "the temporary access key in the environment",
            Self::Oidc => "the OIDC token of the environment",
            Self::KeyWithRole | Self::Key => "the access key in the environment",
            Self::Url => "`ALIBABA_CLOUD_CREDENTIALS_URI`",
            Self::Metadata => "`ALIBABA_CLOUD_ECS_METADATA`",
            Self::File => "`ALIBABA_CLOUD_CREDENTIALS_FILE`",
        }
    }

    /// Returns whether the source reads a variable.
    pub(super) fn uses(self, variable: SourceVariable) -> bool {
        use SourceVariable as V;
        match self {
            Self::TemporaryKey => matches!(variable, V::Id | V::Secret | V::SecurityToken),
            Self::Oidc => matches!(variable, V::Role | V::OidcProvider | V::OidcTokenFile),
            Self::KeyWithRole => matches!(variable, V::Id | V::Secret | V::Role),
            Self::Key => matches!(variable, V::Id | V::Secret),
            Self::Url => variable == V::Url,
            Self::Metadata => variable == V::Metadata,
            Self::File => variable == V::File,
        }
    }
}

impl SourceVariable {
    /// Returns the part that a variable is; `None` if the variable is a setting of several sources.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            ROLE_ARN => Some(Self::Role),
            OIDC_PROVIDER_ARN => Some(Self::OidcProvider),
            OIDC_TOKEN_FILE => Some(Self::OidcTokenFile),
            CREDENTIALS_URI => Some(Self::Url),
            ECS_METADATA => Some(Self::Metadata),
            CREDENTIALS_FILE => Some(Self::File),
            name if IDS.contains(&name) => Some(Self::Id),
            name if SECRETS.contains(&name) => Some(Self::Secret),
            name if SECURITY_TOKENS.contains(&name) => Some(Self::SecurityToken),
            _ => None,
        }
    }

    /// Returns whether `source` comes before every source that the variable completes.
    pub(super) fn comes_after(self, source: EnvironmentSource) -> bool {
        use EnvironmentSource as S;
        match self {
            Self::Id | Self::Secret => source < S::KeyWithRole,
            Self::SecurityToken => false,
            Self::Role => source < S::KeyWithRole,
            Self::OidcProvider | Self::OidcTokenFile => source < S::Oidc,
            Self::Url => source < S::Url,
            Self::Metadata => source < S::Metadata,
            Self::File => source < S::File,
        }
    }

    /// Returns the state of a variable whose source is not complete.
    pub(super) fn half_set(self, environment: &Environment) -> VariableState {
        let has_oidc_part = environment
            .first(&[OIDC_PROVIDER_ARN, OIDC_TOKEN_FILE])
            .is_some();
        let is_oidc = match self {
            Self::OidcProvider | Self::OidcTokenFile => true,
            // Without another part, a role for a key is more common than a role for an OIDC token.
            Self::Role => has_oidc_part,
            _ => false,
        };
        let (source, parts): (_, &[&[&'static str]]) = match is_oidc {
            true => (
                EnvironmentSource::Oidc.name(),
                &[&[ROLE_ARN], &[OIDC_PROVIDER_ARN], &[OIDC_TOKEN_FILE]],
            ),
            false => (EnvironmentSource::Key.name(), &[&IDS as &[_], &SECRETS]),
        };
        let missing = parts
            .iter()
            .filter(|names| environment.first(names).is_none());
        VariableState::HalfSet {
            source,
            missing: missing.filter_map(|names| names.first().copied()).collect(),
        }
    }
}
