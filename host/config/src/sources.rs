//! Sources of mappings outside the configuration file.

use std::fmt;
use std::path::PathBuf;

use ack_ram_core::rules::Backend;

use crate::diagnostic::Diagnostic;
use crate::keys;
use crate::layers::{self, Layers};
use crate::located::Located;

/// Sources of mappings outside the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingSources {
    /// `server.kubeconfig`: kubeconfig for the API server; `None` to use the in-cluster configuration.
    pub kubeconfig: Option<PathBuf>,
    /// `server.master`: URL of the API server, which overrides the URL in the kubeconfig.
    pub master: Option<String>,
    /// `server.configMap`.
    pub config_map: ConfigMapName,
    /// `server.dynamicFilePath`. It is set if DynamicFile is a backend.
    pub dynamic_file: Option<PathBuf>,
    /// `--install-crd` or `server.installCRD`: whether to create or update the CustomResourceDefinition.
    pub install_crd: bool,
}

/// Namespace and name of the ConfigMap that holds mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapName {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Name of the ConfigMap.
    pub name: String,
}

impl fmt::Display for ConfigMapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigMap {}/{}", self.namespace, self.name)
    }
}

/// The default is the ConfigMap that the Go server reads.
impl Default for ConfigMapName {
    fn default() -> Self {
        Self {
            namespace: "kube-system".to_owned(),
            name: "alibabacloud-auth".to_owned(),
        }
    }
}

/// Reads the sources of mappings for `backends`.
pub(super) fn read_mapping_sources(
    layers: &mut Layers<'_>,
    backends: &[Backend],
) -> Result<MappingSources, Diagnostic> {
    let dynamic_file = layers::read_path(&mut layers.server, "dynamicFilePath")?;
    if dynamic_file.is_none() && backends.contains(&Backend::DynamicFile) {
        return Err(Diagnostic::invalid_setting(
            layers.server.location().clone(),
            "the backend `DynamicFile` needs a file; set `server.dynamicFilePath`",
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

/// Parses the name of a Kubernetes object (a DNS subdomain, RFC 1123).
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
        "is `{}`, which is not a valid object name; write only lowercase letters, digits, `-` and `.`",
        given.value
    )))
}
