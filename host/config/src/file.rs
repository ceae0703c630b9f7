//! The configuration file as tables of settings, each with its place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{ConfigError, Location, Problem, Warning, WarningKind};
use crate::keys::{KnownKeys, UnknownKey};
use crate::located::Located;
use crate::text;
use crate::yaml::{self, Value};

/// Room for a quarter of a million mappings.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Reads the YAML at `path`.
pub(super) fn read_yaml_file(path: &Path) -> Result<Located<Value>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit: MAX_BYTES,
        });
    }
    let text = text::decode(bytes).map_err(|source| ConfigError::NotText {
        path: path.to_owned(),
        source,
    })?;
    parse_yaml(&path.display().to_string(), &text)
}

/// Reads YAML. Messages call it `name`.
pub(super) fn parse_yaml(name: &str, text: &str) -> Result<Located<Value>, ConfigError> {
    if text.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge {
            path: name.into(),
            limit: MAX_BYTES,
        });
    }
    match yaml::parse(text) {
        Ok(root) => Ok(Located {
            value: root.value,
            location: Location::in_file(name.into(), root.position),
            setting: name.to_owned(),
        }),
        Err(error) => Err(ConfigError::Syntax {
            name: name.to_owned(),
            position: error.position,
            message: error.message,
        }),
    }
}

/// One map of the file. Each setting is taken out once.
#[derive(Debug)]
pub(super) struct Table {
    keys: KnownKeys,
    place: Location,
    entries: BTreeMap<&'static str, Located<Value>>,
    /// Keys that are not there, and the unknown ones that are nearly they.
    misspelled: BTreeMap<&'static str, MisspelledKey>,
    is_readable: bool,
}

/// A value below a key that is nearly a known one.
#[derive(Debug)]
pub(super) struct MisspelledKey {
    /// What is wrong with the key.
    pub(super) problem: Problem,
    /// The value, with the setting that the key is meant to be.
    pub(super) meant: Located<Value>,
}

impl Table {
    /// A table with nothing in it, for a map that is not there; `place` is where it would be.
    pub(super) fn empty(keys: KnownKeys, place: Location) -> Self {
        Self {
            keys,
            place,
            entries: BTreeMap::new(),
            misspelled: BTreeMap::new(),
            is_readable: true,
        }
    }

    /// Whether it is a map, and has each key once.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// The map in `given`; null is an empty one. Keys are compared without case; unknown ones become warnings.
    pub(super) fn new(
        given: Located<Value>,
        keys: KnownKeys,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let table = Self::new_lenient(given, keys, warnings, &mut problems);
        first_problem(problems).map_or(Ok(table), Err)
    }

    /// As [`Self::new`], but what is wrong is left out of the table.
    pub(super) fn new_lenient(
        given: Located<Value>,
        keys: KnownKeys,
        warnings: &mut Vec<Warning>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let (table, unknown) = Self::split_unknown_keys(given, keys, problems);
        warnings.extend(
            unknown
                .into_iter()
                .map(|(place, UnknownKey { setting, advice })| {
                    let text = format!("unknown key `{setting}` is ignored; {advice}");
                    Warning::new(WarningKind::UnknownKey, Problem::new(place, text))
                }),
        );
        table
    }

    /// The map in `given`, and the keys that it does not know.
    fn split_unknown_keys(
        given: Located<Value>,
        keys: KnownKeys,
        problems: &mut Vec<Problem>,
    ) -> (Self, Vec<(Location, UnknownKey)>) {
        let mut is_readable = true;
        let entries = match given.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            Value::Unquoted(ref unquoted) => {
                problems.push(given.problem(unquoted));
                is_readable = false;
                Vec::new()
            }
            ref other @ (Value::Bool(_)
            | Value::Text(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::ComplexMap) => {
                let kind = other.kind();
                problems.push(
                    given.problem(format_args!("is {kind}; it must be a map of `key: value`")),
                );
                is_readable = false;
                Vec::new()
            }
        };
        let mut table = Self::empty(keys, given.location);
        let mut unknown = Vec::new();
        let mut seen = BTreeMap::<String, String>::new();
        for (key, value) in entries {
            let place = table.place.in_same_file(key.position);
            if let Some(first) = seen.get(&key.name.to_ascii_lowercase()) {
                let text = format!(
                    "`{}` repeats `{first}`, since keys are compared without case; remove one of them",
                    key.name
                );
                problems.push(Problem::new(place, text));
                is_readable = false;
                continue;
            }
            seen.insert(key.name.to_ascii_lowercase(), key.name.clone());
            match keys.find(&key.name) {
                Some(known) => {
                    let place = place.in_same_file(value.position);
                    let given = Located {
                        value: value.value,
                        location: place,
                        setting: keys.setting_name(known),
                    };
                    table.entries.insert(known, given);
                }
                None if let Some(meant) = keys.misspelled_protective_key(&key.name) => {
                    let text = format!(
                        "unknown key `{}`; write `{meant}`",
                        keys.setting_name(&key.name)
                    );
                    problems.push(Problem::new(place, text));
                }
                None => {
                    if let Some(meant) = keys.misspelled_key(&key.name) {
                        let setting = keys.setting_name(meant);
                        let text = format!("`{}` is not `{setting}`; write that", key.name);
                        let problem = Problem::new(place.clone(), text);
                        let given = Located {
                            value: value.value,
                            location: place.in_same_file(value.position),
                            setting,
                        };
                        table.misspelled.insert(
                            meant,
                            MisspelledKey {
                                problem,
                                meant: given,
                            },
                        );
                    }
                    unknown.push((place, keys.describe_unknown_key(&key.name)));
                }
            }
        }
        let Self {
            entries,
            misspelled: misspelt,
            ..
        } = &mut table;
        misspelt.retain(|key, _| !entries.contains_key(key));
        table.is_readable = is_readable;
        (table, unknown)
    }

    /// Where the map is, or would be.
    pub(super) fn place(&self) -> &Location {
        &self.place
    }

    /// Takes the value of `key` out, null or not.
    pub(super) fn take_with_null(&mut self, key: &'static str) -> Option<Located<Value>> {
        self.entries.remove(key)
    }

    /// Takes out what stands below a key that is nearly `key`, which is not there.
    pub(super) fn take_misspelled(&mut self, key: &'static str) -> Option<MisspelledKey> {
        self.misspelled.remove(key)
    }

    /// The problem of `key` when it is there and has nothing below it.
    pub(super) fn null_problem_at(&self, key: &'static str) -> Option<Problem> {
        let given = self.entries.get(key)?;
        matches!(given.value, Value::Null).then(|| given.null_problem())
    }

    /// Takes the value of `key` out, unless it is missing or null.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Located<Value>> {
        self.entries
            .remove(key)
            .filter(|given| !matches!(given.value, Value::Null))
    }

    /// Reads a table in which nothing may be misspelt or empty: without it, a rule would match more, or a protection
    /// would be gone. Go reads none of these, so none is more lenient there.
    pub(super) fn strict(given: Located<Value>, keys: KnownKeys) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let (table, unknown) = Self::split_unknown_keys(given, keys, &mut problems);
        problems.extend(
            unknown
                .into_iter()
                .map(|(place, UnknownKey { setting, advice })| {
                    let text = format!("unknown key `{setting}`; {advice}");
                    Problem::new(place, text)
                }),
        );
        if let Some(problem) = first_problem(problems) {
            return Err(problem);
        }
        let mut entries = table.entries.values();
        match entries.find(|given| matches!(given.value, Value::Null)) {
            Some(empty) => Err(empty.problem("has no value; write one (with quotes if it is `null` or `~`, or starts with `#`, `!` or `&`), or remove the key",
            )),
            None => Ok(table),
        }
    }

    /// Takes the table at `key` out.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        keys: KnownKeys,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let table = self.table_lenient(key, keys, warnings, &mut problems);
        first_problem(problems).map_or(Ok(table), Err)
    }

    /// As [`Self::table`], but what is wrong is left out of the table.
    pub(super) fn table_lenient(
        &mut self,
        key: &'static str,
        keys: KnownKeys,
        warnings: &mut Vec<Warning>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        match self.take(key) {
            Some(given) => Self::new_lenient(given, keys, warnings, problems),
            None => Self::empty(keys, self.place.clone()),
        }
    }

    /// Takes the text at `key` out.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<Located<String>>, Problem> {
        self.take(key).map(Located::into_text).transpose()
    }

    /// Takes the text at `key` out.
    ///
    /// It is a problem when there is none.
    pub(super) fn required_text(&mut self, key: &'static str) -> Result<String, Problem> {
        self.required_located(key).map(|given| given.value)
    }

    /// Takes the text at `key` out, and keeps where it stands.
    pub(super) fn required_located(
        &mut self,
        key: &'static str,
    ) -> Result<Located<String>, Problem> {
        if let Some(given) = self.entries.get(key)
            && matches!(given.value, Value::Null)
        {
            let text = "has nothing in it; write a value, with quotes if it is `null` or `~`, or starts with `#`, `!` or `&`";
            return Err(given.problem(text));
        }
        match self.text(key)? {
            Some(given) => Ok(given),
            None => Err(Problem::new(
                self.place.clone(),
                format_args!("`{}` is missing; add it", self.keys.setting_name(key)),
            )),
        }
    }

    /// Takes the list at `key` out. Null is an empty list with a warning; so is text, which Go splits into items.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Located<Value>>, Problem> {
        match self.take_with_null(key) {
            Some(given) => given.into_items(warnings),
            None => Ok(Vec::new()),
        }
    }

    /// Takes the list of texts at `key` out.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Located<String>>, Problem> {
        self.list(key, warnings)?
            .into_iter()
            .map(Located::into_text)
            .collect()
    }
}

fn first_problem(problems: Vec<Problem>) -> Option<Problem> {
    problems.into_iter().next()
}
