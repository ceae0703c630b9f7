//! Documents beside the configuration file that hold mappings and nothing else: the file of DynamicFile, and the
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

/// Why a file without any content is broken: it is what a program that was cut off leaves behind.
pub const EMPTY_DOCUMENT: &str =
    "it is empty, as if it had been cut off; write `{}` when nobody is to be mapped";

/// What was read of a document.
#[derive(Debug, Default)]
pub struct MappingDocument {
    pub mappings: ParsedMappings,
    /// What is odd, entries that cannot be used among it.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the file of DynamicFile: JSON, or YAML, with the lists at the top (`DynamicFile` in Go's backends). Keys are
/// compared without case.
///
/// # Errors
/// Why nothing of it can be used.
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
        let diagnostic =
            content.diagnostic("has nothing in it; write `{}` when nobody is to be mapped");
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

/// What a ConfigMap holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMapData {
    /// `data`.
    pub texts: BTreeMap<String, String>,
    /// The keys of `binaryData`.
    pub binary_keys: BTreeSet<String>,
}

/// Reads a ConfigMap: each list is YAML below its key, which is compared exactly, as in Go.
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
            let reason = format!("`{key}` is not UTF-8 text; write the file in UTF-8");
            reader.refuse_list(list, Diagnostic::unreadable(Location::file(place), reason));
        } else if let Some(other) = find_misspelled_key(key, data) {
            let reason = format!("`{other}` is not `{key}`; write that, with these very letters");
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

/// The list in `given`. In these documents Go takes no text for a list.
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

/// The key that stands in place of `key`, with a slip of a finger or in another case.
fn find_misspelled_key<'a>(key: &str, data: &'a ConfigMapData) -> Option<&'a String> {
    let mut keys = data.texts.keys().chain(&data.binary_keys);
    keys.find(|other| MAPPING_DOCUMENT.misspelled_key(other) == Some(key))
}

/// A word about a key that nobody reads, if it seems to be meant to be read. A ConfigMap may hold other things.
fn warn_of_unknown_key(name: &str, key: &str) -> Option<Diagnostic> {
    let meant = keys::nearest(key, MAPPING_DOCUMENT.names).filter(|meant| *meant != key)?;
    let diagnostic = Diagnostic::invalid_setting(
        Location::in_file(name_of_key(name, key), Position::START),
        format_args!("the key `{key}` is ignored; did you mean `{meant}`?"),
    );
    Some(diagnostic.into_warning(DiagnosticCode::UnknownKey))
}

/// How messages call the text below `key` of the ConfigMap `name`, which may be empty.
fn name_of_key(name: &str, key: &str) -> String {
    format!("{name} {key}").trim_start().to_owned()
}
