//! Documents outside the configuration file that contain only mappings: the file of the DynamicFile backend, and the
//! ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::rules::{Backend, WildcardMode};

use crate::diagnostic::{Diagnostic, DiagnosticCode, Location, Position};
use crate::entry::MappingList;
use crate::file::{self, MisspelledKey, Table};
use crate::keys::{self, MAPPING_DOCUMENT};
use crate::located::Located;
use crate::mapping::{MappingReader, ParsedMappings};
use crate::yaml::Value;

/// Error text for a file without any content. A program that is interrupted while it writes leaves such a file behind.
pub const EMPTY_DOCUMENT: &str =
    "the file is empty and may be truncated; write `{}` to map no identities";

/// The parsed content of a document.
#[derive(Debug, Default)]
pub struct MappingDocument {
    /// Mappings of the document.
    pub mappings: ParsedMappings,
    /// Warnings about the document, including its invalid entries.
    pub warnings: Vec<Diagnostic>,
}

/// Parses the file of the DynamicFile backend: JSON or YAML with the lists at the top level, as in the Go server. Keys
/// are case-insensitive.
///
/// # Errors
/// Returns an error if no part of the document can be used.
pub fn parse_dynamic_file(
    name: &str,
    text: &str,
    globs: WildcardMode,
) -> Result<MappingDocument, Diagnostic> {
    if text.trim().is_empty() {
        return Err(Diagnostic::unreadable(Location::file(name), EMPTY_DOCUMENT));
    }
    let content = file::parse_mappings_yaml(name, text)?;
    let mut warnings = Vec::new();
    if matches!(content.value, Value::Null) {
        let diagnostic = content.diagnostic("has no content; write `{}` to map no identities");
        warnings.push(diagnostic.into_warning(DiagnosticCode::EmptyList));
    }
    let mut table = Table::new(content, MAPPING_DOCUMENT, &mut warnings)?;
    let mut reader = MappingReader::new(Backend::DynamicFile, globs);
    for list in MappingList::KNOWN_TO_GO {
        match table.take_with_null(list.key()) {
            Some(given) => read_list(&mut reader, list, given, &mut warnings),
            None => {
                if let Some(MisspelledKey {
                    diagnostic,
                    meant: given,
                }) = table.take_misspelled(list.key())
                {
                    reader.add_inactive_list(list, diagnostic, given);
                }
            }
        }
    }
    let mappings = reader.mappings;
    Ok(MappingDocument { mappings, warnings })
}

/// The content of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMapData {
    /// Entries of `data`.
    pub texts: BTreeMap<String, String>,
    /// Keys of `binaryData`.
    pub binary_keys: BTreeSet<String>,
}

/// Parses a ConfigMap. Each key holds one list as YAML. Keys are case-sensitive, as in the Go server.
pub fn parse_config_map(name: &str, data: &ConfigMapData, globs: WildcardMode) -> MappingDocument {
    let mut warnings = Vec::new();
    let mut reader = MappingReader::new(Backend::ConfigMap, globs);
    for list in MappingList::KNOWN_TO_GO {
        let key = list.key();
        let place = name_of_key(name, key);
        if let Some(text) = data.texts.get(key) {
            match file::parse_mappings_yaml(&place, text) {
                Ok(content) => {
                    let setting = key.to_owned();
                    let given = Located { setting, ..content };
                    read_list(&mut reader, list, given, &mut warnings);
                }
                Err(error) => reader.refuse_list(list, error),
            }
        } else if data.binary_keys.contains(key) {
            let reason = format!("`{key}` is not UTF-8 text; save the file as UTF-8");
            reader.refuse_list(list, Diagnostic::unreadable(Location::file(place), reason));
        } else if let Some(other) = find_misspelled_key(key, data) {
            let reason = format!("unknown key `{other}`; write `{key}` (keys are case-sensitive)");
            let why = Diagnostic::unreadable(Location::file(name), reason);
            match data
                .texts
                .get(other)
                .map(|text| file::parse_mappings_yaml(other, text))
            {
                Some(Ok(content)) => {
                    let setting = key.to_owned();
                    reader.add_inactive_list(list, why, Located { setting, ..content });
                }
                Some(Err(_)) | None => reader.refuse_list(list, why),
            }
        }
    }
    let unknown = data.texts.keys().chain(&data.binary_keys);
    warnings.extend(unknown.filter_map(|key| warn_of_unknown_key(name, key)));
    let mappings = reader.mappings;
    MappingDocument { mappings, warnings }
}

/// Reads the list in `given`. Unlike in the configuration file, the Go server does not accept text as a list here.
fn read_list(
    reader: &mut MappingReader,
    list: MappingList,
    given: Located<Value>,
    warnings: &mut Vec<Diagnostic>,
) {
    let items = match given.text_for_list_diagnostic() {
        Some(diagnostic) => Err(diagnostic),
        None => given.into_items(warnings),
    };
    match items {
        Ok(items) => reader.read_entries(list, items, warnings),
        Err(diagnostic) => reader.refuse_list(list, diagnostic),
    }
}

/// Returns a key of the ConfigMap that is `key` with a typo or in another case.
fn find_misspelled_key<'a>(key: &str, data: &'a ConfigMapData) -> Option<&'a String> {
    let mut keys = data.texts.keys().chain(&data.binary_keys);
    keys.find(|other| MAPPING_DOCUMENT.misspelled_key(other) == Some(key))
}

/// Returns a warning about the unknown `key` if it resembles a known key. Other unknown keys are fine in a ConfigMap.
fn warn_of_unknown_key(name: &str, key: &str) -> Option<Diagnostic> {
    let meant = keys::nearest(key, MAPPING_DOCUMENT.names).filter(|meant| *meant != key)?;
    let diagnostic = Diagnostic::invalid_setting(
        Location::in_file(name_of_key(name, key), Position::START),
        format_args!("unknown key `{key}` is ignored; did you mean `{meant}`?"),
    );
    Some(diagnostic.into_warning(DiagnosticCode::UnknownKey))
}

/// Returns the name, in messages, of the text at `key` in the ConfigMap `name`. `name` may be empty.
fn name_of_key(name: &str, key: &str) -> String {
    format!("{name} {key}").trim_start().to_owned()
}
