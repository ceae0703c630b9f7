//! A configuration as far as it can be read: loading needs all parts, `lint` and `--check` look at those that there are.

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

/// The parts of a configuration. The fields are those of [`Config`] and of [`RuleSettings`].
///
/// `P` is what tokens must be, as in [`Config`].
#[derive(Debug)]
pub struct PartialConfig<P = TokenPolicy> {
    /// What tokens must be, and for which cluster.
    pub policy: Part<P>,
    /// Who maps identities to users, in the order they are asked.
    pub backends: Part<Vec<Backend>>,
    /// Where to listen, and under which names.
    pub listen: Part<Listen>,
    /// How much the server does at once, and how long it waits.
    pub limits: Part<ServerLimits>,
    /// The folder of `cert.pem` and `key.pem`.
    pub state_dir: Part<PathBuf>,
    /// A pair of the operator's own.
    pub tls: Part<Option<TlsFiles>>,
    /// Whether the server needs a CA of clients.
    pub require_client_certificate: Part<bool>,
    /// Where to write the webhook kubeconfig.
    pub generate_kubeconfig: Part<Option<PathBuf>>,
    /// What proxies are answered.
    pub ext_authz: Part<Option<ExtAuthzSettings>>,
    /// How to reach STS.
    pub sts: Part<Sts>,
    /// The identities for which the mappings of the file take precedence.
    pub protected: Part<ProtectedIdentities>,
    /// How ARNs in files are read.
    pub globs: Part<WildcardMode>,
    /// What names of a backend may not start with.
    pub reserved: Part<BTreeMap<Backend, ReservedPrefixes>>,
    /// What every user must meet.
    pub validations: Part<Vec<Validation>>,
    /// For how long mappings of the API server answer without a confirmation by it.
    pub max_staleness: Part<Option<Duration>>,
    /// How long last good forms stay, in seconds.
    pub last_good_ttl: Part<i64>,
    /// The mappings of the file itself.
    pub mappings: Part<ParsedMappings>,
    /// Where mappings come from that are not in the file.
    pub sources: Part<MappingSources>,
    /// Where decisions are written, beside the log.
    pub audit_file: Part<Option<PathBuf>>,
    /// Accounts whose identities are left out of logs.
    pub scrubbed_accounts: Part<BTreeSet<AccountId>>,
    /// What is wrong. It has each error of the parts, the first one first.
    pub diagnostics: Diagnostics,
}

impl PartialConfig {
    /// Reads the configuration of the server.
    ///
    /// # Errors
    /// When the file cannot be read, or is not YAML.
    pub fn read(from: &ConfigSources<'_>) -> Result<Self, Diagnostic> {
        read_parts(from, rules::read_policy)
    }
}

impl PartialConfig<TokenSettings> {
    /// Reads the configuration of the server for a command that checks no token, and so needs no cluster id.
    ///
    /// # Errors
    /// When the file cannot be read, or is not YAML.
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
    /// Returns how ARNs in files are read, as Go does where the setting cannot be used.
    #[must_use]
    pub fn wildcards(&self) -> WildcardMode {
        self.globs
            .as_ref()
            .map_or(WildcardMode::Disabled, |globs| *globs)
    }

    /// Returns the complete configuration.
    ///
    /// # Errors
    /// The first thing that makes the configuration unusable: where it stands and what to do.
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

/// Reads all parts, in the order in which loading names what is wrong. `read_policy` records its errors.
fn read_parts<P>(
    from: &ConfigSources<'_>,
    read_policy: impl FnOnce(&mut Layers<'_>) -> Part<P>,
) -> Result<PartialConfig<P>, Diagnostic> {
    let mut layers = Layers::from_sources_lenient(from)?;
    let layers = &mut layers;
    let backends = layers.part(mapping::read_backends);
    // Those that do not depend on what is wrong with the list.
    let asked = backends.as_deref().unwrap_or(&[Backend::MountedFile]);
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
    let protected = layers.part(|layers| rules::read_protected(layers, asked));
    let globs = layers.part(rules::read_globs);
    let reserved = layers.part(rules::read_reserved_prefixes);
    let validations = layers.part(rules::read_validations);
    let max_staleness = layers.part(rules::read_max_staleness);
    let last_good_ttl = layers.part(rules::read_last_good_ttl);
    let wildcards = *globs.as_ref().unwrap_or(&WildcardMode::Disabled);
    let mappings = layers.part(|layers| mapping::read_mappings(layers, wildcards));
    let sources = layers.part(|layers| sources::read_mapping_sources(layers, asked));
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
/// The first thing that makes the configuration unusable: where it stands and what to do. A mapping that cannot be
/// used is a warning, since the others still can.
pub fn load(sources: &ConfigSources<'_>) -> Result<Config, Diagnostic> {
    PartialConfig::read(sources)?.complete()
}

/// Reads the configuration of the server for a command that checks no token, and so needs no cluster id.
///
/// # Errors
/// As [`load`], but for the cluster id.
pub fn load_without_cluster(sources: &ConfigSources<'_>) -> Result<ClusterlessConfig, Diagnostic> {
    PartialConfig::read_without_cluster(sources)?.complete()
}

/// Returns the mappings of a configuration that cannot be used because of something else in it; none when its lists
/// cannot be told apart.
pub fn load_mappings_only(from: &ConfigSources<'_>) -> Option<ParsedMappings> {
    let mut layers = Layers::from_sources_lenient(from).ok()?;
    let globs = rules::read_globs(&mut layers).ok()?;
    let is_readable = layers.root.is_readable() && layers.server.is_readable();
    let (mappings, _) = mapping::read_mappings_lenient(&mut layers, globs);
    (is_readable && mappings.unreadable.is_none()).then_some(mappings)
}
