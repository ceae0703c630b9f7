//! Documents beside the configuration file that hold mappings and nothing else: the file of DynamicFile, and the
//! ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::rules::{Backend, WildcardMode};

use crate::entry::{MappingList, Refusal};
use crate::error::{ConfigError, Location, Problem, Warning, WarningKind};
use crate::file::{self, MisspelledKey, Table};
use crate::keys::{self, MAPPING_DOCUMENT};
use crate::located::Located;
use crate::mapping::{MappingReader, ParsedMappings};
use crate::yaml::{Position, Value};

/// Why a file without any content is broken: it is what a program that was cut off leaves behind.
pub const EMPTY_DOCUMENT: &str =
    "it is empty, as if it had been cut off; write `{}` when nobody is to be mapped";

/// What was read of a document.
#[derive(Debug, Default)]
pub struct MappingDocument {
    pub mappings: ParsedMappings,
    /// What is odd, entries that cannot be used among it.
    pub warnings: Vec<Warning>,
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
) -> Result<MappingDocument, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal {
            location: name.to_owned(),
            reason: EMPTY_DOCUMENT.to_owned(),
        });
    }
    let content = file::parse_yaml(name, text).map_err(refusal_from_error)?;
    let mut warnings = Vec::new();
    if matches!(content.value, Value::Null) {
        let problem = content.problem("has nothing in it; write `{}` when nobody is to be mapped");
        warnings.push(Warning::new(WarningKind::EmptyList, problem));
    }
    let mut table = Table::new(content, MAPPING_DOCUMENT, &mut warnings)?;
    let mut reader = MappingReader::new(Backend::DynamicFile, globs);
    for list in MappingList::KNOWN_TO_GO {
        match table.take_with_null(list.key()) {
            Some(given) => read_list(&mut reader, list, given, &mut warnings),
            None => {
                if let Some(MisspelledKey {
                    problem,
                    meant: given,
                }) = table.take_misspelled(list.key())
                {
                    reader.add_inactive_list(list, problem.into(), given);
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
        let place = format!("{name} {key}");
        if let Some(text) = data.texts.get(key) {
            match file::parse_yaml(&place, text) {
                Ok(content) => {
                    let setting = key.to_owned();
                    let given = Located { setting, ..content };
                    read_list(&mut reader, list, given, &mut warnings);
                }
                Err(error) => reader.refuse_list(list, refusal_from_error(error)),
            }
        } else if data.binary_keys.contains(key) {
            let reason = format!("`{key}` is not UTF-8 text; write the file in UTF-8");
            reader.refuse_list(
                list,
                Refusal {
                    location: place,
                    reason,
                },
            );
        } else if let Some(other) = find_misspelled_key(key, data) {
            let place = name.to_owned();
            let reason = format!("`{other}` is not `{key}`; write that, with these very letters");
            let why = Refusal {
                location: place,
                reason,
            };
            match data
                .texts
                .get(other)
                .map(|text| file::parse_yaml(other, text))
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
    warnings: &mut Vec<Warning>,
) {
    let items = match given.text_for_list_problem() {
        Some(problem) => Err(problem),
        None => given.into_items(warnings),
    };
    match items {
        Ok(items) => reader.read_entries(list, items, warnings),
        Err(problem) => reader.refuse_list(list, problem),
    }
}

/// The key that stands in place of `key`, with a slip of a finger or in another case.
fn find_misspelled_key<'a>(key: &str, data: &'a ConfigMapData) -> Option<&'a String> {
    let mut keys = data.texts.keys().chain(&data.binary_keys);
    keys.find(|other| MAPPING_DOCUMENT.misspelled_key(other) == Some(key))
}

/// A word about a key that nobody reads, if it seems to be meant to be read. A ConfigMap may hold other things.
fn warn_of_unknown_key(name: &str, key: &str) -> Option<Warning> {
    let meant = keys::nearest(key, MAPPING_DOCUMENT.names).filter(|meant| *meant != key)?;
    let start = Position { line: 1, column: 1 };
    let problem = Problem::new(
        Location::in_file(format!("{name} {key}").into(), start),
        format_args!("the key `{key}` is ignored; did you mean `{meant}`?"),
    );
    Some(Warning::new(WarningKind::UnknownKey, problem))
}

fn refusal_from_error(error: ConfigError) -> Refusal {
    match error {
        ConfigError::Syntax {
            name,
            position,
            message,
        } => Refusal {
            location: match position {
                Some(position) => format!("{name}:{}:{}", position.line, position.column),
                None => name,
            },
            reason: message,
        },
        ConfigError::Setting(problem) => problem.into(),
        ConfigError::TooLarge { path, limit } => Refusal {
            location: path.display().to_string(),
            reason: format!("it is longer than {limit} bytes; remove what is not mappings"),
        },
        other @ (ConfigError::Unreadable { .. }
        | ConfigError::NotText { .. }
        | ConfigError::NoClusterId { .. }) => Refusal {
            location: String::new(),
            reason: other.to_string(),
        },
    }
}
