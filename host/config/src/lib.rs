//! Configuration: a file, the flags that override it and the environment, read into types that hold only valid values.
//!
//! [`load`] reads everything the server needs. The commands that need less ask for their part: [`load_webhook`] for
//! `init`, [`load_client`] for `token` and `verify`. [`compile()`] makes the rules of a configuration. There is no server
//! here: the server itself, the commands, and the page of the token inspector run the same code.

#![forbid(unsafe_code)]

mod bounds;
mod compile;
pub mod diagnostic;
#[doc(hidden)]
pub mod document;
#[doc(hidden)]
pub mod entry;
mod ext_authz;
mod file;
pub mod invisible;
mod keys;
#[doc(hidden)]
pub mod last_good;
mod layers;
mod limits;
mod listen;
mod located;
mod mapping;
pub mod object;
mod partial_config;
#[doc(hidden)]
pub mod partial_entry;
pub mod path_advice;
mod reload;
mod rules;
mod sources;
mod sts;
#[doc(hidden)]
pub mod text;
mod tls;
#[doc(hidden)]
pub mod yaml;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ack_ram_core::arn::AccountId;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::Backend;

pub use compile::{CompiledRules, ExternalMappings, compile, compile_with_external};
pub use diagnostic::{
    Diagnostic, DiagnosticCode, Diagnostics, Location, Origin, Part, Position, Severity,
};
pub use ext_authz::ExtAuthzSettings;
pub use layers::{ConfigFile, ConfigSources, Overrides, Variables};
pub use limits::{ExplicitLimits, ServerLimits};
pub use listen::{Host, Listen};
pub use located::Located;
pub use mapping::ParsedMappings;
pub use partial_config::{PartialConfig, load, load_mappings_only, load_without_cluster};
pub use reload::SettingsSnapshot;
pub use rules::{RuleSettings, TokenSettings};
pub use sources::{ConfigMapName, MappingSources};
pub use sts::{BreakerSettings, CacheSettings, ExplicitStsLimits, Sts, StsEndpoint, StsLimits};
pub use tls::TlsFiles;

use layers::Layers;

/// The configuration of the server.
///
/// `P` is what tokens must be: a [`TokenPolicy`] for one cluster, or only [`TokenSettings`] where no token is checked.
#[derive(Debug)]
pub struct Config<P = TokenPolicy> {
    /// What tokens must be, and for which cluster.
    pub policy: P,
    /// Where to listen, and under which names.
    pub listen: Listen,
    /// How much the server does at once, and how long it waits.
    pub limits: ServerLimits,
    /// The folder of `cert.pem` and `key.pem`.
    pub state_dir: PathBuf,
    /// The operator's own pair, served instead of what the CA in the state directory issues.
    pub tls: Option<TlsFiles>,
    /// Whether the server needs a CA of clients, and so never answers clients without a certificate.
    pub require_client_certificate: bool,
    /// Where to write the webhook kubeconfig; none when `init` has already written it.
    pub generate_kubeconfig: Option<PathBuf>,
    /// What proxies are answered; none when they may not ask.
    pub ext_authz: Option<ExtAuthzSettings>,
    /// How to reach STS.
    pub sts: Sts,
    /// Who maps identities to users, in the order they are asked.
    pub backends: Vec<Backend>,
    /// The mappings of the file itself, from which [`Backend::MountedFile`] answers.
    pub mappings: ParsedMappings,
    /// Where mappings come from that are not in the file.
    pub sources: MappingSources,
    /// How the rules of all backends are applied.
    pub rules: RuleSettings,
    /// `server.audit.file`: where decisions are written, beside the log.
    pub audit_file: Option<PathBuf>,
    /// Accounts whose identities are left out of logs and of the user's extra values.
    pub scrubbed_accounts: BTreeSet<AccountId>,
    /// What was odd but no reason to stop; to be shown once at start.
    pub warnings: Vec<Diagnostic>,
}

/// The configuration for commands that check no token: it may have no cluster id.
pub type ClusterlessConfig = Config<TokenSettings>;

/// The configuration of `init`.
#[derive(Debug)]
pub struct WebhookConfig {
    /// The names for the certificate, and the URL of the kubeconfig.
    pub listen: Listen,
    /// The operator's own pair, of which the kubeconfig pins the CA.
    pub tls: Option<TlsFiles>,
    /// Whether the server needs a CA of clients.
    pub require_client_certificate: bool,
    /// The state directory of the server.
    pub state_dir: PathBuf,
    /// Where the server writes the kubeconfig, if it does.
    pub generate_kubeconfig: Option<PathBuf>,
    /// What was odd but no reason to stop.
    pub warnings: Vec<Diagnostic>,
}

/// The configuration of the commands of a client.
#[derive(Debug)]
pub struct ClientConfig {
    /// The cluster to make a token for, and what a token to verify must be.
    pub policy: TokenPolicy,
    /// How to reach STS.
    pub sts: Sts,
    /// The role that the file says a client assumes first.
    pub default_role: Option<String>,
    /// What was odd but no reason to stop.
    pub warnings: Vec<Diagnostic>,
}

/// Reads what `init` needs.
///
/// # Errors
/// As [`load`].
pub fn load_webhook(sources: &ConfigSources<'_>) -> Result<WebhookConfig, Diagnostic> {
    let mut layers = Layers::from_sources(sources)?;
    Ok(WebhookConfig {
        listen: listen::read_listen(&mut layers)?,
        tls: tls::read_tls(&mut layers, true)?,
        require_client_certificate: tls::read_require_client_certificate(&mut layers)?,
        state_dir: layers.state_dir()?,
        generate_kubeconfig: layers.generate_kubeconfig()?,
        warnings: layers.diagnostics.warnings,
    })
}

/// Reads what a client needs.
///
/// # Errors
/// As [`load`].
pub fn load_client(sources: &ConfigSources<'_>) -> Result<ClientConfig, Diagnostic> {
    let mut layers = Layers::from_sources(sources)?;
    Ok(ClientConfig {
        policy: rules::read_policy(&mut layers)?,
        sts: sts::read_sts(&mut layers)?,
        default_role: layers.default_role()?,
        warnings: layers.diagnostics.warnings,
    })
}

#[cfg(test)]
mod tests;
