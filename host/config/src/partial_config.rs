//! A configuration with some invalid parts. Loading requires all parts; `lint` and `--check` examine the valid ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::arn::AccountId;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::{
    Backend, ProtectedIdentities, ReservedPrefixes, Validation, WildcardMode,
};

use crate::diagnostic::{Diagnostic, Diagnostics, Part};
use crate::ext_authz::{self, ExtAuthzSettings};
use crate::layers::{ConfigSources, Layers};
use crate::limits::{self, ServerLimits};
use crate::listen::{self, Listen};
use crate::mapping::{self, ParsedMappings};
use crate::rules::{self, RuleSettings, TokenSettings};
use crate::sources::{self, MappingSources};
use crate::sts::{self, Sts};
use crate::tls::{self, TlsFiles};
use crate::{ClusterlessConfig, Config};

/// The parts of a configuration, each valid or an error. The fields are those of [`Config`] and of [`RuleSettings`].
///
/// `P` is the type of the token settings, as in [`Config`].
#[derive(Debug)]
pub struct PartialConfig<P = TokenPolicy> {
    /// Requirements for tokens, including their cluster.
    pub policy: Part<P>,
    /// Backends, in the order in which they are queried.
    pub backends: Part<Vec<Backend>>,
    /// Listen addresses and host names.
    pub listen: Part<Listen>,
    /// Limits on concurrency and time.
    pub limits: Part<ServerLimits>,
    /// State directory, which holds `cert.pem` and `key.pem`.
    pub state_dir: Part<PathBuf>,
    /// The administrator's own serving certificate and key.
    pub tls: Part<Option<TlsFiles>>,
    /// Whether the server requires a client CA.
    pub require_client_certificate: Part<bool>,
    /// Path to write the webhook kubeconfig to.
    pub generate_kubeconfig: Part<Option<PathBuf>>,
    /// Settings for proxies.
    pub ext_authz: Part<Option<ExtAuthzSettings>>,
    /// Connection to STS.
    pub sts: Part<Sts>,
    /// Identities for which the mappings of the file take precedence.
    pub protected: Part<ProtectedIdentities>,
    /// Whether ARNs in files may have wildcards.
    pub globs: Part<WildcardMode>,
    /// Reserved prefixes of names, by backend.
    pub reserved: Part<BTreeMap<Backend, ReservedPrefixes>>,
    /// Validations of users.
    pub validations: Part<Vec<Validation>>,
    /// Time that mappings from the API server stay in effect without a confirmation.
    pub max_staleness: Part<Option<Duration>>,
    /// Time that last good forms are kept, in seconds.
    pub last_good_ttl: Part<i64>,
    /// Mappings in the configuration file itself.
    pub mappings: Part<ParsedMappings>,
    /// Sources of mappings outside the configuration file.
    pub sources: Part<MappingSources>,
    /// File that records decisions, in addition to the log.
    pub audit_file: Part<Option<PathBuf>>,
    /// Scrubbed accounts, whose identities do not appear in logs.
    pub scrubbed_accounts: Part<BTreeSet<AccountId>>,
    /// Diagnostics of the configuration, which include the error of each invalid part.
    pub diagnostics: Diagnostics,
}

impl PartialConfig {
    /// Reads the configuration of the server.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or is not YAML.
    pub fn read(from: &ConfigSources<'_>) -> Result<Self, Diagnostic> {
        read_parts(from, rules::read_policy)
    }
}

impl PartialConfig<TokenSettings> {
    /// Reads the configuration of the server for a command that checks no token and needs no cluster ID.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or is not YAML.
    pub fn read_without_cluster(from: &ConfigSources<'_>) -> Result<Self, Diagnostic> {
        read_parts(from, |layers| {
            let skipped = layers.part(Layers::skip_cluster_id);
            let settings = rules::read_token_settings(layers);
            skipped?;
            settings
        })
    }
}

impl<P> PartialConfig<P> {
    /// Returns whether ARNs in files may have wildcards. If the setting is invalid, they may not, as in the Go server.
    #[must_use]
    pub fn wildcards(&self) -> WildcardMode {
        self.globs
            .as_ref()
            .map_or(WildcardMode::Disabled, |globs| *globs)
    }

    /// Returns the complete configuration.
    ///
    /// # Errors
    /// Returns the first error of the configuration.
    pub fn complete(self) -> Result<Config<P>, Diagnostic> {
        let Diagnostics { errors, warnings } = self.diagnostics;
        if let Some(first) = errors.into_iter().next() {
            return Err(first);
        }
        Ok(Config {
            policy: self.policy?,
            backends: self.backends?,
            listen: self.listen?,
            limits: self.limits?,
            state_dir: self.state_dir?,
            tls: self.tls?,
            require_client_certificate: self.require_client_certificate?,
            generate_kubeconfig: self.generate_kubeconfig?,
            ext_authz: self.ext_authz?,
            sts: self.sts?,
            rules: RuleSettings {
                protected: self.protected?,
                globs: self.globs?,
                reserved: self.reserved?,
                validations: self.validations?,
                max_staleness: self.max_staleness?,
                last_good_ttl: self.last_good_ttl?,
            },
            mappings: self.mappings?,
            sources: self.sources?,
            audit_file: self.audit_file?,
            scrubbed_accounts: self.scrubbed_accounts?,
            warnings,
        })
    }
}

/// Reads all parts, in the order in which loading reports errors. `read_policy` records its own errors.
fn read_parts<P>(
    from: &ConfigSources<'_>,
    read_policy: impl FnOnce(&mut Layers<'_>) -> Part<P>,
) -> Result<PartialConfig<P>, Diagnostic> {
    let mut layers = Layers::from_sources_lenient(from)?;
    let layers = &mut layers;
    let backends = layers.part(mapping::read_backends);
    // With the default backend, an invalid list of backends causes no further errors.
    let queried = backends.as_deref().unwrap_or(&[Backend::MountedFile]);
    let policy = read_policy(layers);
    let listen = layers.part(listen::read_listen);
    let limits = limits::read_server_limits(layers);
    let state_dir = layers.part(Layers::state_dir);
    let generate_kubeconfig = layers.part(Layers::generate_kubeconfig);
    let is_pinned = matches!(generate_kubeconfig, Ok(Some(_)));
    let tls = layers.part(|layers| tls::read_tls(layers, is_pinned));
    let require_client_certificate = layers.part(tls::read_require_client_certificate);
    let ext_authz = layers.part(ext_authz::read_ext_authz);
    let sts = sts::read_sts(layers);
    let protected = layers.part(|layers| rules::read_protected(layers, queried));
    let globs = layers.part(rules::read_globs);
    let reserved = layers.part(rules::read_reserved_prefixes);
    let validations = layers.part(rules::read_validations);
    let max_staleness = layers.part(rules::read_max_staleness);
    let last_good_ttl = layers.part(rules::read_last_good_ttl);
    let wildcards = *globs.as_ref().unwrap_or(&WildcardMode::Disabled);
    let mappings = layers.part(|layers| mapping::read_mappings(layers, wildcards));
    let sources = layers.part(|layers| sources::read_mapping_sources(layers, queried));
    let audit_file = layers.part(Layers::audit_file);
    let scrubbed_accounts = layers.part(mapping::read_scrubbed_accounts);
    Ok(PartialConfig {
        policy,
        backends,
        listen,
        limits,
        state_dir,
        tls,
        require_client_certificate,
        generate_kubeconfig,
        ext_authz,
        sts,
        protected,
        globs,
        reserved,
        validations,
        max_staleness,
        last_good_ttl,
        mappings,
        sources,
        audit_file,
        scrubbed_accounts,
        diagnostics: std::mem::take(&mut layers.diagnostics),
    })
}

/// Reads the configuration of the server.
///
/// # Errors
/// Returns the first error of the configuration, with its location and the fix. An invalid mapping is only a warning,
/// because the other mappings are still usable.
pub fn load(sources: &ConfigSources<'_>) -> Result<Config, Diagnostic> {
    PartialConfig::read(sources)?.complete()
}

/// Reads the configuration of the server for a command that checks no token and needs no cluster ID.
///
/// # Errors
/// Returns the same errors as [`load`], except those about the cluster ID.
pub fn load_without_cluster(sources: &ConfigSources<'_>) -> Result<ClusterlessConfig, Diagnostic> {
    PartialConfig::read_without_cluster(sources)?.complete()
}

/// Returns the mappings of a configuration that is invalid for another reason; `None` if its lists cannot be
/// identified.
pub fn load_mappings_only(from: &ConfigSources<'_>) -> Option<ParsedMappings> {
    let mut layers = Layers::from_sources_lenient(from).ok()?;
    let globs = rules::read_globs(&mut layers).ok()?;
    let is_readable = layers.root.is_readable() && layers.server.is_readable();
    let (mappings, _) = mapping::read_mappings_lenient(&mut layers, globs);
    (is_readable && mappings.unreadable.is_none()).then_some(mappings)
}
