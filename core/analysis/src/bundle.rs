//! Several documents in one text: a configuration file, the ConfigMap, and `RAMIdentityMapping` objects.

use std::fmt;

use ack_ram_config::document::{self, ConfigMapData};
use ack_ram_config::object::ObjectSpec;
use ack_ram_config::yaml::{self, Node};
use ack_ram_config::{
    ClusterlessConfig, ConfigFile, ConfigSources, Diagnostic, DiagnosticCode, ExternalMappings,
    Located, Location, Overrides, ParsedMappings, PartialConfig, Position, Severity,
};
use ack_ram_core::rules::{Backend, Mapping, Precedence, SessionArnMode, WildcardMode};
use serde_json::{Map, Value};

use crate::compiled_config::CompiledConfig;
use crate::findings::{error_finding, lint_config, warning_finding};

/// The configuration and the findings of a text with several documents.
#[derive(Debug)]
pub struct Bundle {
    /// The configuration, or why it cannot be used.
    pub compiled: Result<CompiledConfig, Diagnostic>,
    /// The findings of `lint` about the configuration and the other documents.
    pub findings: Vec<Diagnostic>,
    /// Backends that have a document in the text but are not in `server.backendMode`.
    pub unused_backends: Vec<Backend>,
}

/// Reads the YAML or JSON documents in `text`, which are separated by `---`. Messages call the text `name`.
///
/// A document without a `kind` is the configuration file. If there is no configuration file, the backends are the ones
/// that the other documents belong to.
///
/// # Errors
/// When a document is not valid YAML or has an unsupported kind, or when there are two configuration files or two
/// ConfigMaps.
pub fn read_bundle(name: &str, text: &str) -> Result<Bundle, Diagnostic> {
    let mut parts = BundleParts::default();
    for document in split_documents(text) {
        parts.add_document(name, document)?;
    }
    let overrides = parts.overrides();
    let file = parts.file.take().unwrap_or_else(|| "{}".to_owned());
    let sources = ConfigSources {
        file: Some(ConfigFile::Text { name, text: &file }),
        overrides: &overrides,
        variables: &|_| None,
    };
    let partial = PartialConfig::read_without_cluster(&sources);
    let is_usable = |config: &PartialConfig<_>| config.diagnostics.errors.is_empty();
    let globs = match &partial {
        Ok(config) if is_usable(config) => config.wildcards(),
        Ok(_) | Err(_) => WildcardMode::Disabled,
    };
    let (external, warnings) = parts.mappings(name, globs);
    let mut all = match &partial {
        Ok(config) => lint_config(name, config, &external),
        Err(error) => vec![error_finding(error.clone(), &Location::file(name))],
    };
    all.extend(warnings.iter().map(warning_finding));
    let loaded = partial.and_then(PartialConfig::complete);
    let is_enabled =
        |config: &ClusterlessConfig, backend: &Backend| config.backends.contains(backend);
    Ok(Bundle {
        unused_backends: external
            .keys()
            .filter(|backend| {
                loaded
                    .as_ref()
                    .is_ok_and(|config| !is_enabled(config, backend))
            })
            .copied()
            .collect(),
        findings: all,
        compiled: loaded.map(|config| CompiledConfig::new(config, external)),
    })
}

/// Returns whether `text` has a document with a `kind`, such as an object or the ConfigMap. A configuration file has no
/// `kind`.
#[must_use]
pub fn contains_kinds(text: &str) -> bool {
    let has_kind = |document: &String| {
        let root = yaml::parse(document);
        root.is_ok_and(|root| member(&root, "kind").is_some())
    };
    split_documents(text).iter().any(has_kind)
}

/// Splits `text` into its documents. Each document is padded with empty lines, so that its positions are positions in
/// the whole text.
fn split_documents(text: &str) -> Vec<String> {
    let mut documents = Vec::new();
    let mut document = String::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.trim_end() == "---" {
            documents.push(std::mem::replace(&mut document, "\n".repeat(index + 1)));
        } else {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.push(document);
    documents.retain(|document| !document.trim().is_empty());
    documents
}

#[derive(Default)]
struct BundleParts {
    file: Option<String>,
    config_map: Option<ConfigMapData>,
    objects: Vec<ParsedObject>,
}

struct ParsedObject {
    name: String,
    spec: Value,
    /// The position of a value in `spec` that needs quotes, and the reason. kubectl refuses such a file.
    unquoted: Option<(Position, String)>,
    position: Position,
}

impl BundleParts {
    fn add_document(&mut self, name: &str, text: String) -> Result<(), Diagnostic> {
        let root = yaml::parse(&text).map_err(|error| error.into_diagnostic(name))?;
        if let Some(kind) = member_node(&root, "kind") {
            refuse_unquoted(name, "kind", kind)?;
        }
        let location = Location::in_file(name, root.position);
        let refuse = &|text: String| Diagnostic::invalid_setting(location.clone(), text);
        match member(&root, "kind").and_then(as_text) {
            None if self.file.is_some() => Err(refuse(
                "second configuration file in this text; keep only one".to_owned(),
            )),
            None => {
                self.file = Some(text);
                Ok(())
            }
            Some("ConfigMap" | "RAMIdentityMapping") => self.add_object(name, &root, refuse),
            Some("List" | "RAMIdentityMappingList") => match member(&root, "items") {
                Some(yaml::Value::List(items)) => {
                    let mut items = items.iter();
                    items.try_for_each(|item| self.add_object(name, item, refuse))
                }
                _ => Ok(()),
            },
            Some(other) => Err(refuse(format!(
                "unsupported kind `{other}`; use a configuration file, a ConfigMap or RAMIdentityMapping objects"
            ))),
        }
    }

    /// Adds the ConfigMap or an object. The items of a list of objects may lack a `kind`.
    fn add_object(
        &mut self,
        name: &str,
        root: &Node,
        refuse: impl Fn(String) -> Diagnostic,
    ) -> Result<(), Diagnostic> {
        if let yaml::Value::Map(entries) = &root.value {
            // An unquoted value in `spec` invalidates only its own object.
            for (key, node) in entries.iter().filter(|(key, _)| key.name != "spec") {
                refuse_unquoted(name, &key.name, node)?;
            }
        }
        if member(root, "kind").and_then(as_text) != Some("ConfigMap") {
            self.objects.push(parse_object(root));
            return Ok(());
        }
        match self.config_map.replace(parse_config_map_data(root)) {
            None => Ok(()),
            Some(_) => Err(refuse(
                "second ConfigMap in this text; keep only one".to_owned(),
            )),
        }
    }

    fn overrides(&self) -> Overrides {
        let backends = [
            ("ConfigMap", self.config_map.is_some()),
            ("CRD", !self.objects.is_empty()),
        ];
        let backends: Vec<String> = backends
            .into_iter()
            .filter(|(_, is_present)| *is_present)
            .map(|(backend, _)| backend.to_owned())
            .collect();
        Overrides {
            backend_mode: Some(backends).filter(|all| self.file.is_none() && !all.is_empty()),
            ..Overrides::default()
        }
    }

    fn mappings(self, name: &str, globs: WildcardMode) -> (ExternalMappings, Vec<Diagnostic>) {
        let mut external = ExternalMappings::new();
        let mut warnings = Vec::new();
        if let Some(data) = &self.config_map {
            let document = document::parse_config_map(name, data, globs);
            warnings.extend(document.warnings);
            external.insert(Backend::ConfigMap, document.mappings);
        }
        if !self.objects.is_empty() {
            let mut read = ParsedMappings::default();
            for (index, object) in self.objects.into_iter().enumerate() {
                let location = Location::in_file(name, object.position);
                let setting = object.name.clone();
                if let Some((position, reason)) = object.unquoted {
                    let location = location.in_same_file(position);
                    warnings.push(invalid_object(location, setting, reason));
                    continue;
                }
                let mapping = ObjectSpec::parse(object.spec)
                    .and_then(|spec| spec.to_mapping(&object.name, Precedence::ListIndex(index)))
                    // A server accepts such an object if it is already in the cluster, as the Go implementation does.
                    // `lint` reports it.
                    .map(|mapping| Mapping {
                        session_arn_mode: SessionArnMode::AsRole,
                        ..mapping
                    });
                match mapping {
                    Ok(value) => read.mappings.push(Located {
                        value,
                        location,
                        setting,
                    }),
                    Err(error) => warnings.push(invalid_object(location, setting, error)),
                }
            }
            external.insert(Backend::Crd, read);
        }
        (external, warnings)
    }
}

fn invalid_object(location: Location, name: String, reason: impl fmt::Display) -> Diagnostic {
    Diagnostic::new(
        DiagnosticCode::InvalidEntry,
        Severity::Error,
        location.with_entry(name),
        reason,
    )
}

fn parse_config_map_data(root: &Node) -> ConfigMapData {
    let mut data = ConfigMapData::default();
    if let Some(yaml::Value::Map(entries)) = member(root, "data") {
        let texts = entries.iter().filter_map(|(key, node)| {
            let text = as_text(&node.value)?;
            Some((key.name.clone(), text.to_owned()))
        });
        data.texts.extend(texts);
    }
    if let Some(yaml::Value::Map(entries)) = member(root, "binaryData") {
        data.binary_keys
            .extend(entries.iter().map(|(key, _)| key.name.clone()));
    }
    data
}

fn parse_object(root: &Node) -> ParsedObject {
    let name = member_node(root, "metadata")
        .and_then(|metadata| member(metadata, "name"))
        .and_then(as_text);
    ParsedObject {
        name: name.unwrap_or("(an object without a name)").to_owned(),
        unquoted: member_node(root, "spec").and_then(|node| find_unquoted(node, "spec")),
        spec: member(root, "spec").map_or(Value::Null, as_json),
        position: root.position,
    }
}

fn member<'a>(node: &'a Node, name: &str) -> Option<&'a yaml::Value> {
    member_node(node, name).map(|node| &node.value)
}

fn member_node<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.value {
        yaml::Value::Map(entries) => entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node),
        _ => None,
    }
}

/// Checks that no value of `field`, whose value is `node`, needs quotes.
///
/// # Errors
/// When a value needs quotes: kubectl refuses such a file. The error calls the text `name`.
fn refuse_unquoted(name: &str, field: &str, node: &Node) -> Result<(), Diagnostic> {
    match find_unquoted(node, field) {
        Some((position, message)) => Err(Diagnostic::unreadable(
            Location::in_file(name, position),
            message,
        )),
        None => Ok(()),
    }
}

/// Returns the position of the first value of `field` that needs quotes, and the reason. `node` is the value of
/// `field`.
fn find_unquoted(node: &Node, field: &str) -> Option<(Position, String)> {
    match &node.value {
        yaml::Value::Unquoted(unquoted) => Some((node.position, format!("`{field}` {unquoted}"))),
        yaml::Value::ComplexMap => {
            let reason = format!("`{field}` is {}", node.value.kind());
            Some((node.position, reason))
        }
        yaml::Value::Map(entries) => entries
            .iter()
            .find_map(|(key, node)| find_unquoted(node, &format!("{field}.{}", key.name))),
        yaml::Value::List(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, node)| find_unquoted(node, &format!("{field}[{index}]")))
        }
        yaml::Value::Null
        | yaml::Value::Bool(_)
        | yaml::Value::Text(_)
        | yaml::Value::Number(_) => None,
    }
}

fn as_text(value: &yaml::Value) -> Option<&str> {
    match value {
        yaml::Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Converts `value` to the JSON that kubectl would send.
fn as_json(value: &yaml::Value) -> Value {
    match value {
        // Unreachable for these two: an object with such a value is refused earlier.
        yaml::Value::Null | yaml::Value::Unquoted(_) | yaml::Value::ComplexMap => Value::Null,
        yaml::Value::Bool(value) => Value::Bool(*value),
        yaml::Value::Text(text) => Value::String(text.clone()),
        yaml::Value::Number(number) => serde_json::from_str(number).unwrap_or(Value::from(0)),
        yaml::Value::List(items) => items.iter().map(|item| as_json(&item.value)).collect(),
        yaml::Value::Map(entries) => {
            let members = entries
                .iter()
                .map(|(key, node)| (key.name.clone(), as_json(&node.value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests;
