//! How an access key is obtained: a plan. The settings, the environment and the files decide about the plan
//! ([`crate::resolve`]), and a [`crate::flow`] runs it.
//!
//! The token, `doctor` and the key of the cache are made from the same plan. `Debug` and the summary show no secret.

mod summary;
mod url;

use std::path::PathBuf;
use std::sync::Arc;

use ack_ram_config::StsEndpoint;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::sts::{
    ExternalId, OidcProviderArn, RoleArn, SessionName, SessionPolicy, SessionSeconds,
};
use ack_ram_core::time::UnixTime;

use crate::origin::{Origin, Profile, Setting};
use crate::resolve::OutputContext;
pub use summary::PlanSummary;
pub use url::{HttpUrl, UrlFault};

/// How an access key is obtained.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a command makes one plan, so that its size does not matter"
)]
pub enum Plan {
    /// The key is known.
    Key(KeyPlan),
    /// The metadata service of the ECS instance issues the key.
    Metadata(MetadataPlan),
    /// A URL returns the key.
    Url(UrlPlan),
    /// A process prints a profile.
    Process(ProcessPlan),
    /// A CloudSSO session issues the key.
    CloudSso(CloudSsoPlan),
    /// An OAuth session issues the key.
    OAuth(OAuthPlan),
    /// STS issues the key for an OIDC token.
    Oidc(OidcPlan),
    /// STS issues the key for a role, for the holder of another key.
    AssumeRole(Box<AssumeRolePlan>),
}

/// A key in the environment or in a file.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// The key.
    pub key: AccessKey,
    /// When the key expires, if that is known.
    pub expires: Option<UnixTime>,
    /// Where the ID comes from.
    pub id_origin: Origin,
    /// Where the secret comes from.
    pub secret_origin: Origin,
}

/// A key of the role of an ECS instance.
#[derive(Clone, Debug)]
pub struct MetadataPlan {
    /// The service.
    pub endpoint: HttpUrl,
    /// The name of the role; `None` to ask the service.
    pub role: Option<Setting<String>>,
    /// Whether a metadata token is requested first.
    pub tokens: MetadataTokens,
    /// What selects the metadata service.
    pub origin: Origin,
}

/// Whether requests to the metadata service carry a metadata token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataTokens {
    /// A token is requested; if the service has none, requests are sent without one.
    Preferred,
    /// Every request has a token.
    Required,
    /// No token is requested.
    Disabled,
}

/// A key that a URL returns.
#[derive(Clone, Debug)]
pub struct UrlPlan {
    /// The URL.
    pub url: HttpUrl,
    /// Where the URL comes from.
    pub origin: Origin,
}

/// A process that prints a profile.
#[derive(Clone, Debug)]
pub struct ProcessPlan {
    /// The program and its arguments. There is at least the program.
    pub words: Vec<Secret>,
    /// Where the command comes from.
    pub origin: Origin,
    /// What is needed to make a plan from the output.
    pub context: Arc<OutputContext>,
}

/// A value that expires.
#[derive(Clone, Debug)]
pub struct Expiring<T> {
    /// The value.
    pub value: T,
    /// When the value expires.
    pub expires: UnixTime,
}

/// A CloudSSO session in the file of the Alibaba Cloud CLI.
#[derive(Clone, Debug)]
pub struct CloudSsoPlan {
    /// The profile that holds the session.
    pub profile: Arc<Profile>,
    /// The URL at which a person signs in. Its host also issues keys.
    pub sign_in_url: HttpUrl,
    /// The account of the key.
    pub account_id: String,
    /// The access configuration of the key.
    pub access_config: String,
    /// The access token of the session.
    pub access_token: Option<Expiring<Secret>>,
    /// The last key of the session.
    pub session: Option<Expiring<AccessKey>>,
}

/// An OAuth session in the file of the Alibaba Cloud CLI.
#[derive(Clone, Debug)]
pub struct OAuthPlan {
    /// The profile that holds the session.
    pub profile: Arc<Profile>,
    /// The site.
    pub site: OAuthSite,
    /// The access token of the session.
    pub access_token: Option<Expiring<Secret>>,
    /// The refresh token of the session, which is good for one use.
    pub refresh_token: Option<Secret>,
    /// The last key of the session.
    pub session: Option<Expiring<AccessKey>>,
}

/// A site of Alibaba Cloud with its own OAuth service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuthSite {
    /// `CN`: the site for China.
    China,
    /// `INTL`: the international site.
    International,
}

impl OAuthSite {
    /// Returns the value of `oauth_site_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::China => "CN",
            Self::International => "INTL",
        }
    }

    /// Returns the URL of the OAuth service.
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Self::China => "https://oauth.aliyun.com",
            Self::International => "https://oauth.alibabacloud.com",
        }
    }

    /// Returns the client ID of the Alibaba Cloud CLI.
    #[must_use]
    pub fn client_id(self) -> &'static str {
        match self {
            Self::China => "4038181954557748008",
            Self::International => "4103531455503354461",
        }
    }
}

/// The session of a role, without its name.
#[derive(Clone, Debug)]
pub struct RoleSettings {
    /// The role.
    pub role: Setting<RoleArn>,
    /// The lifetime of the session.
    pub seconds: Option<Setting<SessionSeconds>>,
    /// The policy of the session.
    pub policy: Option<Setting<SessionPolicy>>,
    /// The STS endpoint.
    pub endpoint: Setting<StsEndpoint>,
}

/// A role that STS issues for an OIDC token.
#[derive(Clone, Debug)]
pub struct OidcPlan {
    /// The session.
    pub session: RoleSettings,
    /// The name of the session.
    pub name: Setting<SessionName>,
    /// The identity provider.
    pub provider: Setting<OidcProviderArn>,
    /// The file with the OIDC token, which is read at each use.
    pub token_file: Setting<PathBuf>,
}

/// A role that the holder of another key assumes.
#[derive(Clone, Debug)]
pub struct AssumeRolePlan {
    /// How the other key is obtained.
    pub source: Plan,
    /// The session.
    pub session: RoleSettings,
    /// The name of the session.
    pub name: RoleSessionName,
    /// The external ID, which the trust policy of the role may require.
    pub external_id: Option<Setting<ExternalId>>,
}

/// The name of the session of an assumed role.
#[derive(Clone, Debug)]
pub enum RoleSessionName {
    /// The name is known.
    Given(Setting<SessionName>),
    /// The session has the name of the session of the source.
    Forwarded,
}

/// The time before its end during which a key or token is not used any more, in seconds.
pub const UNUSED_SECONDS: i64 = 60;

/// Returns whether something that ends at `expires` can be used at `now`.
#[must_use]
pub fn is_live(expires: UnixTime, now: UnixTime) -> bool {
    expires.seconds_since(now) > UNUSED_SECONDS
}

impl ProcessPlan {
    /// Returns the name of the program, for messages. A variable in its place, as a shell would set it, can be a secret.
    #[must_use]
    pub fn program(&self) -> String {
        let program = self.words.first().map_or("", Secret::expose);
        match program.split_once('=') {
            Some((name, _)) => format!("{}=(hidden)", name.escape_debug()),
            None => program.escape_debug().to_string(),
        }
    }
}
