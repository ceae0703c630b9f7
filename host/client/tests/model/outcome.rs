//! The result of a decision as plain values: what the model predicts, and what the program decided.

use ack_ram_client::error::{ClientError, SetupError};
use ack_ram_client::plan::{Expiring, MetadataTokens, Plan, RoleSessionName};
use ack_ram_core::sign::AccessKey;

/// What is decided: a way to a key, or the reason why there is none.
pub(crate) type Outcome = Result<Way, Kind>;

/// A key in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// How a key is obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Key(Key),
    Metadata {
        endpoint: String,
        role: Option<String>,
        tokens: Tokens,
    },
    Url(String),
    Process(Vec<String>),
    CloudSso {
        sign_in_url: String,
        account: String,
        config: String,
        token: Option<(String, i64)>,
        session: Option<(Key, i64)>,
    },
    OAuth {
        site: String,
        token: Option<(String, i64)>,
        refresh: Option<String>,
        session: Option<(Key, i64)>,
    },
    Oidc {
        role: RoleStep,
        provider: String,
        token_file: String,
    },
    Assume {
        source: Box<Way>,
        role: RoleStep,
        external_id: Option<String>,
    },
}

/// The session of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleStep {
    pub(crate) role: String,
    /// `None` if the name of the session of the source is forwarded.
    pub(crate) name: Option<String>,
    pub(crate) seconds: Option<u32>,
    pub(crate) policy: Option<String>,
    pub(crate) endpoint: String,
}

/// Whether requests to the metadata service carry a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    Preferred,
    Required,
    Disabled,
}

/// Why the search ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing is configured.
    NotConfigured,
    /// A value is missing or malformed.
    Value,
    /// A file cannot be read.
    File,
    /// A file is not JSON or INI, or has no list of profiles.
    Syntax,
    /// There is no such profile.
    Profile,
    /// The mode is missing, unknown, or cannot sign.
    Mode,
    /// Profiles form a loop, or a chain that is too long.
    Chain,
    /// The source is switched off.
    SwitchedOff,
    /// Settings exclude each other.
    Conflict,
    /// An option for a role is given without a role.
    NoRole,
}

/// Describes the decision of the program.
pub(crate) fn describe(decision: &Result<Plan, ClientError>) -> Outcome {
    match decision {
        Ok(plan) => Ok(way(plan)),
        Err(ClientError::Setup(error)) => Err(kind(error)),
        Err(other) => panic!("the decision makes no call: {other}"),
    }
}

fn way(plan: &Plan) -> Way {
    match plan {
        Plan::Key(plan) => {
            let end = plan.expires;
            assert_eq!(
                end, None,
                "no file knows the end of a key that a person pasted"
            );
            Way::Key(key(&plan.key))
        }
        Plan::Metadata(plan) => Way::Metadata {
            endpoint: plan.endpoint.expose().to_owned(),
            role: plan.role.as_ref().map(|role| role.value.clone()),
            tokens: match plan.tokens {
                MetadataTokens::Preferred => Tokens::Preferred,
                MetadataTokens::Required => Tokens::Required,
                MetadataTokens::Disabled => Tokens::Disabled,
            },
        },
        Plan::Url(plan) => Way::Url(plan.url.expose().to_owned()),
        Plan::Process(plan) => {
            let words = plan.words.iter().map(|word| word.expose().to_owned());
            Way::Process(words.collect())
        }
        Plan::CloudSso(plan) => Way::CloudSso {
            sign_in_url: plan.sign_in_url.expose().to_owned(),
            account: plan.account_id.clone(),
            config: plan.access_config.clone(),
            token: expiring(plan.access_token.as_ref(), |token| {
                token.expose().to_owned()
            }),
            session: expiring(plan.session.as_ref(), key),
        },
        Plan::OAuth(plan) => Way::OAuth {
            site: plan.site.name().to_owned(),
            token: expiring(plan.access_token.as_ref(), |token| {
                token.expose().to_owned()
            }),
            refresh: plan
                .refresh_token
                .as_ref()
                .map(|token| token.expose().to_owned()),
            session: expiring(plan.session.as_ref(), key),
        },
        Plan::Oidc(plan) => Way::Oidc {
            role: RoleStep {
                role: plan.session.role.value.to_string(),
                name: Some(plan.name.value.to_string()),
                seconds: plan.session.seconds.as_ref().map(|s| s.value.get()),
                policy: plan.session.policy.as_ref().map(|p| p.value.to_string()),
                endpoint: plan.session.endpoint.value.to_string(),
            },
            provider: plan.provider.value.to_string(),
            token_file: plan.token_file.value.display().to_string(),
        },
        Plan::AssumeRole(plan) => Way::Assume {
            source: Box::new(way(&plan.source)),
            role: RoleStep {
                role: plan.session.role.value.to_string(),
                name: match &plan.name {
                    RoleSessionName::Given(name) => Some(name.value.to_string()),
                    RoleSessionName::Forwarded => None,
                },
                seconds: plan.session.seconds.as_ref().map(|s| s.value.get()),
                policy: plan.session.policy.as_ref().map(|p| p.value.to_string()),
                endpoint: plan.session.endpoint.value.to_string(),
            },
            external_id: plan.external_id.as_ref().map(|id| id.value.to_string()),
        },
    }
}

fn key(key: &AccessKey) -> Key {
    Key {
        id: key.id.to_string(),
        secret: key.secret.expose().to_owned(),
        token: key
            .security_token
            .as_ref()
            .map(|token| token.expose().to_owned()),
    }
}

fn expiring<T, U>(value: Option<&Expiring<T>>, text: impl Fn(&T) -> U) -> Option<(U, i64)> {
    let value = value?;
    Some((text(&value.value), value.expires.seconds()))
}

fn kind(error: &SetupError) -> Kind {
    match error {
        SetupError::NotConfigured { .. } => Kind::NotConfigured,
        SetupError::Missing { .. }
        | SetupError::Malformed { .. }
        | SetupError::AccessKeyId { .. }
        | SetupError::Form { .. }
        | SetupError::RoleArn { .. }
        | SetupError::Endpoint { .. }
        | SetupError::Url { .. }
        | SetupError::Type { .. }
        | SetupError::NameCase { .. }
        | SetupError::Command { .. }
        | SetupError::ReservedQueryKey(_)
        | SetupError::SecretInQuery(_) => Kind::Value,
        SetupError::File { .. } | SetupError::NoHome(_) => Kind::File,
        SetupError::Json { .. } | SetupError::Ini { .. } | SetupError::NoProfiles { .. } => {
            Kind::Syntax
        }
        SetupError::NoProfile { .. } => Kind::Profile,
        SetupError::NoMode { .. }
        | SetupError::UnknownMode { .. }
        | SetupError::UnusableMode { .. } => Kind::Mode,
        SetupError::Loop { .. } | SetupError::ChainTooLong { .. } => Kind::Chain,
        SetupError::SwitchedOff { .. } => Kind::SwitchedOff,
        SetupError::Conflict(..) => Kind::Conflict,
        SetupError::NoRole(_) | SetupError::NotForOidc(_) => Kind::NoRole,
        SetupError::NestedProcess(_) | SetupError::NoSourceFile { .. } => {
            panic!("no process runs during the decision: {error}")
        }
    }
}
