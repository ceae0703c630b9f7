//! The configuration as far as it can be read, with everything that is wrong in it: for those who mend it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::{Backend, ReservedPrefixes, Validation, WildcardMode};

use crate::error::{ConfigError, Warning};
use crate::layers::{ConfigSources, Layers};
use crate::mapping::{self, ParsedMappings};
use crate::{
    Listen, MappingSources, Sts, TlsFiles, ext_authz, limits, listen, rules, sources, sts, tls,
};

/// Stands in for a missing cluster id, so that the rest is read, too.
const PLACEHOLDER_CLUSTER_ID: &str = "-";

/// A configuration as far as it can be read.
#[derive(Debug)]
pub struct PartialConfig {
    /// Who maps identities to users, in the order they are asked; none when that cannot be read.
    pub backends: Option<Vec<Backend>>,
    /// The mappings of the file itself; none when they cannot be read.
    pub mappings: Option<ParsedMappings>,
    /// What names of a backend may not start with.
    pub reserved: BTreeMap<Backend, ReservedPrefixes>,
    /// What every user must meet.
    pub validations: Vec<Validation>,
    /// Whether proxies are answered (`server.extAuthz`).
    pub serves_proxies: bool,
    /// What the server needs beside this.
    pub requirements: Requirements,
    /// Why the server would not start, the reason that [`load`](super::load) gives first.
    pub errors: Vec<ConfigError>,
    /// What is odd but no reason to stop.
    pub warnings: Vec<Warning>,
}

/// What a server needs beside its configuration. Each part is none when it is not needed, or cannot be read.
#[derive(Debug)]
pub struct Requirements {
    /// Under which names it is reached.
    pub listen: Option<Listen>,
    /// The folder of `cert.pem` and `key.pem`.
    pub state_dir: Option<PathBuf>,
    /// A pair of the operator's own.
    pub tls: Option<TlsFiles>,
    /// Whether it needs a CA of clients.
    pub require_client_certificate: bool,
    /// Where it writes the webhook kubeconfig.
    pub generate_kubeconfig: Option<PathBuf>,
    /// Where it writes what was decided.
    pub audit_file: Option<PathBuf>,
    /// How it reaches STS.
    pub sts: Option<Sts>,
    /// Where mappings come from that are not in the file.
    pub sources: Option<MappingSources>,
    /// How ARNs in files are read.
    pub globs: WildcardMode,
}

impl Default for Requirements {
    fn default() -> Self {
        Self {
            listen: None,
            state_dir: None,
            tls: None,
            require_client_certificate: false,
            generate_kubeconfig: None,
            audit_file: None,
            sts: None,
            sources: None,
            globs: WildcardMode::Disabled,
        }
    }
}

/// Reads what can be read of a configuration.
///
/// # Errors
/// The file cannot be read, or is not YAML.
pub fn load_partial(from: &ConfigSources<'_>) -> Result<PartialConfig, ConfigError> {
    let (mut layers, problems) = Layers::from_sources_lenient(from)?;
    let mut errors: Vec<ConfigError> = problems.into_iter().map(ConfigError::from).collect();
    let backends = ok_or_record(mapping::read_backends(&mut layers), &mut errors);
    let file = [Backend::MountedFile];
    let asked = backends.as_deref().unwrap_or(&file);
    let cluster_id = ok_or_record(layers.cluster_id(), &mut errors);
    if let Some(cluster_id) = cluster_id.or_else(|| ClusterId::parse(PLACEHOLDER_CLUSTER_ID)) {
        let policy = || rules::read_policy(&mut layers, TokenPolicy::new(cluster_id.clone()));
        read_recording_all(policy, &mut errors);
    }
    let listen = ok_or_record(listen::read_listen(&mut layers), &mut errors);
    read_recording_all(|| limits::read_server_limits(&mut layers), &mut errors);
    let state_dir = ok_or_record(layers.state_dir(), &mut errors);
    let generate_kubeconfig = ok_or_record(layers.generate_kubeconfig(), &mut errors).flatten();
    let tls = tls::read_tls(&mut layers, generate_kubeconfig.is_some());
    let tls = ok_or_record(tls, &mut errors).flatten();
    let require_client_certificate = ok_or_record(
        tls::read_require_client_certificate(&mut layers),
        &mut errors,
    )
    .unwrap_or_default();
    let ext_authz = ok_or_record(ext_authz::read_ext_authz(&mut layers), &mut errors).flatten();
    let sts = read_recording_all(|| sts::read_sts(&mut layers), &mut errors);
    let globs = ok_or_record(rules::read_globs(&mut layers), &mut errors);
    let reserved = ok_or_record(rules::read_reserved_prefixes(&mut layers), &mut errors);
    ok_or_record(rules::read_protected(&mut layers, asked), &mut errors);
    ok_or_record(rules::read_last_good_ttl(&mut layers), &mut errors);
    let validations = ok_or_record(rules::read_validations(&mut layers), &mut errors);
    let globs = globs.unwrap_or(WildcardMode::Disabled);
    let mappings = ok_or_record(mapping::read_mappings(&mut layers, globs), &mut errors);
    let sources = ok_or_record(
        sources::read_mapping_sources(&mut layers, asked),
        &mut errors,
    );
    ok_or_record(rules::read_max_staleness(&mut layers), &mut errors);
    ok_or_record(mapping::read_scrubbed_accounts(&mut layers), &mut errors);
    let audit_file = ok_or_record(layers.audit_file(), &mut errors);
    Ok(PartialConfig {
        backends,
        mappings,
        reserved: reserved.unwrap_or_default(),
        validations: validations.unwrap_or_default(),
        serves_proxies: ext_authz.is_some(),
        requirements: Requirements {
            listen,
            state_dir,
            generate_kubeconfig,
            tls,
            require_client_certificate,
            audit_file: audit_file.flatten(),
            sts,
            sources,
            globs,
        },
        errors,
        warnings: layers.warnings,
    })
}

/// Returns the mappings of a configuration that cannot be used because of something else in it; none when its lists
/// cannot be told apart.
pub fn load_mappings_only(from: &ConfigSources<'_>) -> Option<ParsedMappings> {
    let (mut layers, _) = Layers::from_sources_lenient(from).ok()?;
    let globs = rules::read_globs(&mut layers).ok()?;
    let is_readable = layers.root.is_readable() && layers.server.is_readable();
    let (mappings, _) = mapping::read_mappings_lenient(&mut layers, globs);
    (is_readable && mappings.unreadable.is_none()).then_some(mappings)
}

/// Returns the value; adds the error to `errors` otherwise.
fn ok_or_record<T>(
    read: Result<T, impl Into<ConfigError>>,
    errors: &mut Vec<ConfigError>,
) -> Option<T> {
    read.map_err(|error| errors.push(error.into())).ok()
}

/// The same of a part with many settings, all of which are told that cannot be read: each is taken out when it is read,
/// so that reading again comes to the next.
fn read_recording_all<T, E: Into<ConfigError>>(
    mut read: impl FnMut() -> Result<T, E>,
    errors: &mut Vec<ConfigError>,
) -> Option<T> {
    let mut before = None;
    loop {
        match read() {
            Ok(value) => return before.is_none().then_some(value),
            Err(error) => {
                let error = error.into();
                let text = error.to_string();
                if before.as_ref() == Some(&text) {
                    return None;
                }
                before = Some(text);
                errors.push(error);
            }
        }
    }
}
