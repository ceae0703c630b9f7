//! The configuration as far as it can be read, with everything that is wrong in it: for those who mend it.

use std::collections::BTreeMap;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::Policy;
use ack_ram_core::rules::{Backend, Globs, ReservedPrefixes, Validation};

use crate::config::error::{ConfigError, Warning};
use crate::config::layers::{Layers, Sources};
use crate::config::mapping::{self, FileMappings};
use crate::config::{limits, listen, rules, sources, sts, tls};

/// In place of a cluster id that is missing, so that the rest is looked at, too.
const NO_CLUSTER: &str = "-";

/// A configuration as far as it can be read.
#[derive(Debug)]
pub struct Survey {
    /// Who maps identities to users, in the order they are asked; none when that cannot be read.
    pub backends: Option<Vec<Backend>>,
    /// The mappings of the file itself; none when they cannot be read.
    pub mappings: Option<FileMappings>,
    /// What names of a backend may not start with.
    pub reserved: BTreeMap<Backend, ReservedPrefixes>,
    /// What every user must meet.
    pub validations: Vec<Validation>,
    /// Why the server would not start, the reason that [`load`](super::load) gives first.
    pub errors: Vec<ConfigError>,
    /// What is odd but no reason to stop.
    pub warnings: Vec<Warning>,
}

/// Reads what can be read of a configuration.
///
/// # Errors
/// The file cannot be read, or is not YAML.
pub fn survey(from: &Sources<'_>) -> Result<Survey, ConfigError> {
    let (mut layers, problems) = Layers::gather(from)?;
    let mut errors: Vec<ConfigError> = problems.into_iter().map(ConfigError::from).collect();
    let backends = keep(mapping::backends(&mut layers), &mut errors);
    let file = [Backend::MountedFile];
    let asked = backends.as_deref().unwrap_or(&file);
    let cluster_id = keep(layers.cluster_id(), &mut errors);
    if let Some(cluster_id) = cluster_id.or_else(|| ClusterId::parse(NO_CLUSTER)) {
        keep(
            rules::policy(&mut layers, Policy::new(cluster_id)),
            &mut errors,
        );
    }
    keep(listen::read(&mut layers), &mut errors);
    keep(limits::read(&mut layers), &mut errors);
    keep(layers.state_dir(), &mut errors);
    let kubeconfig = keep(layers.generate_kubeconfig(), &mut errors);
    keep(
        tls::read(&mut layers, kubeconfig.flatten().is_some()),
        &mut errors,
    );
    keep(sts::read(&mut layers), &mut errors);
    let globs = keep(rules::globs(&mut layers), &mut errors);
    let reserved = keep(rules::reserved(&mut layers), &mut errors);
    keep(rules::protected(&mut layers, asked), &mut errors);
    let validations = keep(rules::validations(&mut layers), &mut errors);
    let globs = globs.unwrap_or(Globs::Literal);
    let mappings = keep(mapping::read(&mut layers, globs), &mut errors);
    keep(sources::read(&mut layers, asked), &mut errors);
    keep(mapping::scrubbed_accounts(&mut layers), &mut errors);
    Ok(Survey {
        backends,
        mappings,
        reserved: reserved.unwrap_or_default(),
        validations: validations.unwrap_or_default(),
        errors,
        warnings: layers.warnings,
    })
}

/// What was read; otherwise, why not is added to `errors`.
fn keep<T>(read: Result<T, impl Into<ConfigError>>, errors: &mut Vec<ConfigError>) -> Option<T> {
    read.map_err(|error| errors.push(error.into())).ok()
}
