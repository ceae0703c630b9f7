//! Where mappings that are not in the configuration file come from.

use std::fmt;
use std::path::PathBuf;

use ack_ram_core::rules::Backend;

use crate::diagnostic::Diagnostic;
use crate::keys;
use crate::layers::{self, Layers};
use crate::located::Located;

/// Where mappings that are not in the configuration file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingSources {
    /// `server.kubeconfig`: how to reach the API server. None: from inside the cluster.
    pub kubeconfig: Option<PathBuf>,
    /// `server.master`: the URL of the API server, in place of the kubeconfig's.
    pub master: Option<String>,
    /// `server.configMap`.
    pub config_map: ConfigMapName,
    /// `server.dynamicFilePath`; there is one when the backend DynamicFile is asked.
    pub dynamic_file: Option<PathBuf>,
    /// `--install-crd` or `server.installCRD`: make the CustomResourceDefinition, or bring it up to date.
    pub install_crd: bool,
}

/// Which ConfigMap holds mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ConfigMapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigMap {}/{}", self.namespace, self.name)
    }
}

/// Go's.
impl Default for ConfigMapName {
    fn default() -> Self {
        Self {
            namespace: "kube-system".to_owned(),
            name: "alibabacloud-auth".to_owned(),
        }
    }
}

pub(super) fn read_mapping_sources(
    layers: &mut Layers<'_>,
    backends: &[Backend],
) -> Result<MappingSources, Diagnostic> {
    let dynamic_file = layers::read_path(&mut layers.server, "dynamicFilePath")?;
    if dynamic_file.is_none() && backends.contains(&Backend::DynamicFile) {
        return Err(Diagnostic::invalid_setting(
            layers.server.location().clone(),
            "the backend DynamicFile needs a file; name it in `server.dynamicFilePath`",
        ));
    }
    let master = layers.server.text("master")?;
    Ok(MappingSources {
        kubeconfig: layers::read_path(&mut layers.server, "kubeconfig")?,
        master: master
            .map(|given| given.value)
            .filter(|master| !master.is_empty()),
        config_map: read_config_map_name(layers)?,
        dynamic_file,
        install_crd: read_install_crd(layers)?,
    })
}

fn read_install_crd(layers: &mut Layers<'_>) -> Result<bool, Diagnostic> {
    let in_file = layers.server.take("installCRD");
    let in_file = in_file
        .map(|given| layers::parse_bool(&given))
        .transpose()?;
    Ok(layers.overrides.install_crd.or(in_file).unwrap_or(false))
}

fn read_config_map_name(layers: &mut Layers<'_>) -> Result<ConfigMapName, Diagnostic> {
    let mut table = layers.server.table(
        "configMap",
        keys::CONFIG_MAP,
        &mut layers.diagnostics.warnings,
    )?;
    let standard = ConfigMapName::default();
    let mut name = |key, standard| match table.text(key)? {
        Some(given) => parse_object_name(given),
        None => Ok(standard),
    };
    Ok(ConfigMapName {
        namespace: name("namespace", standard.namespace)?,
        name: name("name", standard.name)?,
    })
}

/// A name that Kubernetes gives objects (RFC 1123, as a DNS subdomain).
fn parse_object_name(given: Located<String>) -> Result<String, Diagnostic> {
    let is_name = |text: &str| {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        text.len() <= 253
            && text.split('.').all(|label| {
                label.bytes().all(|b| alphanumeric(b) || b == b'-')
                    && label.bytes().next().is_some_and(alphanumeric)
                    && label.bytes().next_back().is_some_and(alphanumeric)
            })
    };
    if is_name(&given.value) {
        return Ok(given.value);
    }
    Err(given.diagnostic(format_args!(
        "is `{}`, which no object is called; write small letters, digits, `-` and `.`",
        given.value
    )))
}
