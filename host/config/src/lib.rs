//! Configuration: the file, the command-line flags and the environment, parsed into types that hold only valid values.
//!
//! [`load`] reads the whole server configuration. Commands that need less read only their part: [`load_webhook`] serves
//! `init`, and [`load_client`] serves `token` and `verify`. [`compile()`] compiles the mappings of a configuration to
//! rules. The server, the commands and the token inspector page share this code.

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
pub use sts::{
    BreakerSettings, CacheSettings, EndpointError, ExplicitStsLimits, Sts, StsEndpoint, StsLimits,
};
pub use tls::TlsFiles;

use layers::Layers;

/// The configuration of the server.
///
/// `P` is the type of the token settings: a [`TokenPolicy`] for one cluster, or [`TokenSettings`] for commands that
/// check no token.
#[derive(Debug)]
pub struct Config<P = TokenPolicy> {
    /// Requirements for tokens, including their cluster.
    pub policy: P,
    /// Listen addresses and host names.
    pub listen: Listen,
    /// Limits on concurrency and time.
    pub limits: ServerLimits,
    /// State directory, which holds `cert.pem` and `key.pem`.
    pub state_dir: PathBuf,
    /// The administrator's own serving certificate and key. They replace the certificate that the CA in the state
    /// directory issues.
    pub tls: Option<TlsFiles>,
    /// Whether the server requires a client CA, and therefore rejects clients without a certificate.
    pub require_client_certificate: bool,
    /// Path to write the webhook kubeconfig to; `None` when `init` has already written it.
    pub generate_kubeconfig: Option<PathBuf>,
    /// Settings for proxies; `None` when proxies get no answer.
    pub ext_authz: Option<ExtAuthzSettings>,
    /// Connection to STS.
    pub sts: Sts,
    /// Backends, in the order in which they are queried.
    pub backends: Vec<Backend>,
    /// Mappings in the configuration file itself, the source of [`Backend::MountedFile`].
    pub mappings: ParsedMappings,
    /// Sources of mappings outside the configuration file.
    pub sources: MappingSources,
    /// Settings for the rules of all backends.
    pub rules: RuleSettings,
    /// `server.audit.file`: file that records decisions, in addition to the log.
    pub audit_file: Option<PathBuf>,
    /// Scrubbed accounts: their identities do not appear in logs or in the extra values of the user.
    pub scrubbed_accounts: BTreeSet<AccountId>,
    /// Warnings, to be logged once at start.
    pub warnings: Vec<Diagnostic>,
}

/// The configuration for commands that check no token. It needs no cluster ID.
pub type ClusterlessConfig = Config<TokenSettings>;

/// The configuration of `init`.
#[derive(Debug)]
pub struct WebhookConfig {
    /// Host names for the certificate and for the URL in the kubeconfig.
    pub listen: Listen,
    /// The administrator's own serving certificate and key. The kubeconfig pins their CA.
    pub tls: Option<TlsFiles>,
    /// Whether the server requires a client CA.
    pub require_client_certificate: bool,
    /// State directory of the server.
    pub state_dir: PathBuf,
    /// Path to which the server writes the kubeconfig; `None` if it does not write one.
    pub generate_kubeconfig: Option<PathBuf>,
    /// Warnings, to be logged once.
    pub warnings: Vec<Diagnostic>,
}

/// The configuration of the client commands, `token` and `verify`.
#[derive(Debug)]
pub struct ClientConfig {
    /// The cluster that a created token is for, and the requirements for a verified token.
    pub policy: TokenPolicy,
    /// Connection to STS.
    pub sts: Sts,
    /// `defaultRole`: the role that a client assumes first.
    pub default_role: Option<String>,
    /// Warnings, to be logged once.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the configuration of `init`.
///
/// # Errors
/// Returns the same errors as [`load`].
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

/// Reads the configuration of the client commands.
///
/// # Errors
/// Returns the same errors as [`load`].
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
