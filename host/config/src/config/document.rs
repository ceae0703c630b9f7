//! Documents beside the configuration file that hold mappings and nothing else: the file of DynamicFile, and the
//! ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::rules::{Backend, Globs};

use crate::config::entry::{List, Refusal};
use crate::config::error::{ConfigError, Place, Problem, Warning, WarningKind};
use crate::config::file::{self, Misspelled, Table};
use crate::config::given::Given;
use crate::config::keys::{self, DOCUMENT};
use crate::config::mapping::{FileMappings, Reader};
use crate::config::yaml::{Position, Value};

/// Why a file without any content is broken: it is what a program that was cut off leaves behind.
pub const EMPTY: &str =
    "it is empty, as if it had been cut off; write `{}` when nobody is to be mapped";

/// What was read of a document.
#[derive(Debug, Default)]
pub struct Document {
    pub mappings: FileMappings,
    /// What is odd, entries that cannot be used among it.
    pub warnings: Vec<Warning>,
}

/// Reads the file of DynamicFile: JSON, or YAML, with the lists at the top (`DynamicFile` in Go's backends). Keys are
/// compared without case.
///
/// # Errors
/// Why nothing of it can be used.
pub fn dynamic_file(name: &str, text: &str, globs: Globs) -> Result<Document, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal {
            place: name.to_owned(),
            reason: EMPTY.to_owned(),
        });
    }
    let content = file::parse(name, text).map_err(refusal)?;
    let mut warnings = Vec::new();
    if matches!(content.value, Value::Null) {
        let problem = content.problem("has nothing in it; write `{}` when nobody is to be mapped");
        warnings.push(Warning::new(WarningKind::EmptyList, problem));
    }
    let mut table = Table::new(content, DOCUMENT, &mut warnings)?;
    let mut reader = Reader::new(Backend::DynamicFile, globs);
    for list in List::GO {
        match table.take_any(list.key()) {
            Some(given) => read_list(&mut reader, list, given, &mut warnings),
            None => {
                if let Some(Misspelled { problem, given }) = table.take_misspelled(list.key()) {
                    reader.hold_back(list, problem.into(), given);
                }
            }
        }
    }
    let mappings = reader.mappings;
    Ok(Document { mappings, warnings })
}

/// What a ConfigMap holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMapData {
    /// `data`.
    pub texts: BTreeMap<String, String>,
    /// The keys of `binaryData`.
    pub binary: BTreeSet<String>,
}

/// Reads a ConfigMap: each list is YAML below its key, which is compared exactly, as in Go.
pub fn config_map(name: &str, data: &ConfigMapData, globs: Globs) -> Document {
    let mut warnings = Vec::new();
    let mut reader = Reader::new(Backend::ConfigMap, globs);
    for list in List::GO {
        let key = list.key();
        let place = format!("{name} {key}");
        if let Some(text) = data.texts.get(key) {
            match file::parse(&place, text) {
                Ok(content) => {
                    let setting = key.to_owned();
                    let given = Given { setting, ..content };
                    read_list(&mut reader, list, given, &mut warnings);
                }
                Err(error) => reader.refuse(list, refusal(error)),
            }
        } else if data.binary.contains(key) {
            let reason = format!("`{key}` is not UTF-8 text; write the file in UTF-8");
            reader.refuse(list, Refusal { place, reason });
        } else if let Some(other) = in_place_of(key, data) {
            let place = name.to_owned();
            let reason = format!("`{other}` is not `{key}`; write that, with these very letters");
            let why = Refusal { place, reason };
            match data.texts.get(other).map(|text| file::parse(other, text)) {
                Some(Ok(content)) => {
                    let setting = key.to_owned();
                    reader.hold_back(list, why, Given { setting, ..content });
                }
                Some(Err(_)) | None => reader.refuse(list, why),
            }
        }
    }
    let unknown = data.texts.keys().chain(&data.binary);
    warnings.extend(unknown.filter_map(|key| unknown_key(name, key)));
    let mappings = reader.mappings;
    Document { mappings, warnings }
}

/// The list in `given`. In these documents Go takes no text for a list.
fn read_list(reader: &mut Reader, list: List, given: Given<Value>, warnings: &mut Vec<Warning>) {
    let items = match given.is_no_list() {
        Some(problem) => Err(problem),
        None => given.into_items(warnings),
    };
    match items {
        Ok(items) => reader.entries(list, items, warnings),
        Err(problem) => reader.refuse(list, problem),
    }
}

/// The key that stands in place of `key`, with a slip of a finger or in another case.
fn in_place_of<'a>(key: &str, data: &'a ConfigMapData) -> Option<&'a String> {
    let mut keys = data.texts.keys().chain(&data.binary);
    keys.find(|other| DOCUMENT.misspelt(other) == Some(key))
}

/// A word about a key that nobody reads, if it seems to be meant to be read. A ConfigMap may hold other things.
fn unknown_key(name: &str, key: &str) -> Option<Warning> {
    let meant = keys::nearest(key, DOCUMENT.names).filter(|meant| *meant != key)?;
    let start = Position { line: 1, column: 1 };
    let problem = Problem::new(
        Place::in_file(format!("{name} {key}").into(), start),
        format_args!("the key `{key}` is ignored; did you mean `{meant}`?"),
    );
    Some(Warning::new(WarningKind::UnknownKey, problem))
}

fn refusal(error: ConfigError) -> Refusal {
    match error {
        ConfigError::Syntax {
            name,
            position,
            message,
        } => Refusal {
            place: match position {
                Some(position) => format!("{name}:{}:{}", position.line, position.column),
                None => name,
            },
            reason: message,
        },
        ConfigError::Setting(problem) => problem.into(),
        ConfigError::TooLarge { path, limit } => Refusal {
            place: path.display().to_string(),
            reason: format!("it is longer than {limit} bytes; remove what is not mappings"),
        },
        other @ (ConfigError::Unreadable { .. }
        | ConfigError::NotText { .. }
        | ConfigError::NoClusterId { .. }) => Refusal {
            place: String::new(),
            reason: other.to_string(),
        },
    }
}
