//! The configuration file as tables of settings with locations.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics, Location};
use crate::keys::{KnownKeys, UnknownKey};
use crate::located::Located;
use crate::text;
use crate::yaml::{self, Value};

/// Maximum size of a file: enough for a quarter of a million mappings.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Reads and parses the YAML file at `path`.
pub(super) fn read_yaml_file(path: &Path) -> Result<Located<Value>, Diagnostic> {
    let name = path.display().to_string();
    // The location is empty because the messages name the file.
    let unreadable = |problem: fmt::Arguments<'_>| {
        let text = format!("cannot read the configuration file `{name}`: {problem}");
        Diagnostic::unreadable(Location::default(), text)
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(format_args!("{error}; check the path and its permissions")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(&name));
    }
    let text = text::decode(bytes).map_err(|error| {
        let mut diagnostic = unreadable(format_args!("{error}"));
        diagnostic.location.position = error.position();
        diagnostic
    })?;
    parse_yaml(&name, &text)
}

fn too_large(name: &str) -> Diagnostic {
    let text =
        format!("the configuration file `{name}` is longer than {MAX_BYTES} bytes; shorten it");
    Diagnostic::unreadable(Location::default(), text)
}

/// Parses the YAML of a configuration file. `name` is its name in messages.
pub(super) fn parse_yaml(name: &str, text: &str) -> Result<Located<Value>, Diagnostic> {
    if text.len() as u64 > MAX_BYTES {
        return Err(too_large(name));
    }
    parse_short_yaml(name, text)
}

/// Parses the YAML of a document of mappings. `name` is its name in messages.
pub(super) fn parse_mappings_yaml(name: &str, text: &str) -> Result<Located<Value>, Diagnostic> {
    if text.len() as u64 > MAX_BYTES {
        let text = format!("the document is longer than {MAX_BYTES} bytes; shorten it");
        return Err(Diagnostic::unreadable(Location::file(name), text));
    }
    parse_short_yaml(name, text)
}

fn parse_short_yaml(name: &str, text: &str) -> Result<Located<Value>, Diagnostic> {
    match yaml::parse(text) {
        Ok(root) => Ok(Located {
            value: root.value,
            location: Location::in_file(name, root.position),
            setting: name.to_owned(),
        }),
        Err(error) => Err(error.into_diagnostic(name)),
    }
}

/// A map in the file. Each setting is taken out once.
#[derive(Debug)]
pub(super) struct Table {
    keys: KnownKeys,
    location: Location,
    entries: BTreeMap<&'static str, Located<Value>>,
    /// Unknown keys with a typo, by the known key that they resemble. The known key itself is missing.
    misspelled: BTreeMap<&'static str, MisspelledKey>,
    is_readable: bool,
}

/// The value of a misspelled key.
#[derive(Debug)]
pub(super) struct MisspelledKey {
    /// Diagnostic of the key.
    pub(super) diagnostic: Diagnostic,
    /// The value, under the name of the correctly spelled setting.
    pub(super) meant: Located<Value>,
}

impl Table {
    /// Creates an empty table for a missing map. `location` is where the map would be.
    pub(super) fn empty(keys: KnownKeys, location: Location) -> Self {
        Self {
            keys,
            location,
            entries: BTreeMap::new(),
            misspelled: BTreeMap::new(),
            is_readable: true,
        }
    }

    /// Returns whether the value is a map without duplicate keys.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Creates a table from the map in `given`. Null counts as an empty map. Keys are case-insensitive, and unknown
    /// keys become warnings.
    pub(super) fn new(
        given: Located<Value>,
        keys: KnownKeys,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Self, Diagnostic> {
        let mut diagnostics = Diagnostics::default();
        let table = Self::new_lenient(given, keys, &mut diagnostics);
        warnings.append(&mut diagnostics.warnings);
        diagnostics.first_error().map_or(Ok(table), Err)
    }

    /// Creates a table as [`Self::new`] does, but records errors and leaves the invalid parts out of the table.
    pub(super) fn new_lenient(
        given: Located<Value>,
        keys: KnownKeys,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let (table, unknown) = Self::split_unknown_keys(given, keys, &mut diagnostics.errors);
        diagnostics.warnings.extend(unknown.into_iter().map(
            |(location, UnknownKey { setting, advice })| {
                let text = format!("unknown key `{setting}` is ignored; {advice}");
                Diagnostic::invalid_setting(location, text).into_warning(DiagnosticCode::UnknownKey)
            },
        ));
        table
    }

    /// Splits the map in `given` into a table of its known keys and a list of its unknown keys.
    fn split_unknown_keys(
        given: Located<Value>,
        keys: KnownKeys,
        errors: &mut Vec<Diagnostic>,
    ) -> (Self, Vec<(Location, UnknownKey)>) {
        let mut is_readable = true;
        let entries = match given.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            Value::Unquoted(ref unquoted) => {
                errors.push(given.diagnostic(unquoted));
                is_readable = false;
                Vec::new()
            }
            Value::Bool(_)
            | Value::Text(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::ComplexMap => {
                errors.push(given.wrong_type_diagnostic("a map of `key: value` pairs"));
                is_readable = false;
                Vec::new()
            }
        };
        let mut table = Self::empty(keys, given.location);
        let mut unknown = Vec::new();
        let mut seen = BTreeMap::<String, String>::new();
        for (key, value) in entries {
            let location = table.location.in_same_file(key.position);
            if let Some(first) = seen.get(&key.name.to_ascii_lowercase()) {
                let text = format!(
                    "duplicate key `{}`, the same as `{first}` because keys are case-insensitive; remove one of them",
                    key.name
                );
                errors.push(Diagnostic::invalid_setting(location, text));
                is_readable = false;
                continue;
            }
            seen.insert(key.name.to_ascii_lowercase(), key.name.clone());
            match keys.find(&key.name) {
                Some(known) => {
                    let given = Located {
                        value: value.value,
                        location: location.in_same_file(value.position),
                        setting: keys.setting_name(known),
                    };
                    table.entries.insert(known, given);
                }
                None if let Some(meant) = keys.misspelled_protective_key(&key.name) => {
                    let text = format!(
                        "unknown key `{}`; write `{meant}`",
                        keys.setting_name(&key.name)
                    );
                    errors.push(Diagnostic::invalid_setting(location, text));
                }
                None => {
                    if let Some(meant) = keys.misspelled_key(&key.name) {
                        let setting = keys.setting_name(meant);
                        let text = format!("unknown key `{}`; did you mean `{setting}`?", key.name);
                        let diagnostic = Diagnostic::invalid_setting(location.clone(), text);
                        let given = Located {
                            value: value.value,
                            location: location.in_same_file(value.position),
                            setting,
                        };
                        table.misspelled.insert(
                            meant,
                            MisspelledKey {
                                diagnostic,
                                meant: given,
                            },
                        );
                    }
                    unknown.push((location, keys.describe_unknown_key(&key.name)));
                }
            }
        }
        let Self {
            entries,
            misspelled,
            ..
        } = &mut table;
        misspelled.retain(|key, _| !entries.contains_key(key));
        table.is_readable = is_readable;
        (table, unknown)
    }

    /// Returns the location of the map, or the location where it would be.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// Takes the value at `key` out, even if it is null.
    pub(super) fn take_with_null(&mut self, key: &'static str) -> Option<Located<Value>> {
        self.entries.remove(key)
    }

    /// Takes out the value of a key that resembles `key`; `None` if `key` itself is present.
    pub(super) fn take_misspelled(&mut self, key: &'static str) -> Option<MisspelledKey> {
        self.misspelled.remove(key)
    }

    /// Returns a diagnostic if `key` is present and null.
    pub(super) fn null_diagnostic_at(&self, key: &'static str) -> Option<Diagnostic> {
        let given = self.entries.get(key)?;
        matches!(given.value, Value::Null).then(|| given.null_diagnostic())
    }

    /// Takes the value at `key` out; `None` if the key is missing or null.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Located<Value>> {
        self.entries
            .remove(key)
            .filter(|given| !matches!(given.value, Value::Null))
    }

    /// Creates a table in which unknown keys and null values are errors.
    ///
    /// Ignoring such a key could widen a rule or remove a protection. The Go server reads none of these tables, so
    /// strictness breaks no existing configuration.
    pub(super) fn strict(given: Located<Value>, keys: KnownKeys) -> Result<Self, Diagnostic> {
        let mut errors = Vec::new();
        let (table, unknown) = Self::split_unknown_keys(given, keys, &mut errors);
        errors.extend(
            unknown
                .into_iter()
                .map(|(location, UnknownKey { setting, advice })| {
                    let text = format!("unknown key `{setting}`; {advice}");
                    Diagnostic::invalid_setting(location, text)
                }),
        );
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let mut entries = table.entries.values();
        match entries.find(|given| matches!(given.value, Value::Null)) {
            Some(empty) => Err(empty.diagnostic("has no value; add one (with quotes if it is `null` or `~`, or starts with `#`, `!` or `&`), or remove the key",
            )),
            None => Ok(table),
        }
    }

    /// Takes the table at `key` out. A missing key is an empty table.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        keys: KnownKeys,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Self, Diagnostic> {
        match self.take(key) {
            Some(given) => Self::new(given, keys, warnings),
            None => Ok(Self::empty(keys, self.location.clone())),
        }
    }

    /// Takes the table at `key` out as [`Self::table`] does, but records errors and leaves the invalid parts out.
    pub(super) fn table_lenient(
        &mut self,
        key: &'static str,
        keys: KnownKeys,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        match self.take(key) {
            Some(given) => Self::new_lenient(given, keys, diagnostics),
            None => Self::empty(keys, self.location.clone()),
        }
    }

    /// Takes the text at `key` out; `None` if the key is missing or null.
    pub(super) fn text(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Located<String>>, Diagnostic> {
        self.take(key).map(Located::into_text).transpose()
    }

    /// Takes the text at `key` out.
    ///
    /// # Errors
    /// Returns an error if the key is missing or null, or is not text.
    pub(super) fn required_text(&mut self, key: &'static str) -> Result<String, Diagnostic> {
        self.required_located(key).map(|given| given.value)
    }

    /// Takes the text at `key` out, as [`Self::required_text`] does, with its location.
    pub(super) fn required_located(
        &mut self,
        key: &'static str,
    ) -> Result<Located<String>, Diagnostic> {
        if let Some(given) = self.entries.get(key)
            && matches!(given.value, Value::Null)
        {
            let text = "has no value; add one, with quotes if it is `null` or `~`, or starts with `#`, `!` or `&`";
            return Err(given.diagnostic(text));
        }
        match self.text(key)? {
            Some(given) => Ok(given),
            None => Err(Diagnostic::invalid_setting(
                self.location.clone(),
                format_args!("`{}` is required; add it", self.keys.setting_name(key)),
            )),
        }
    }

    /// Takes the list at `key` out. Null is an empty list, and text is split at commas, as in the Go server. Both cause
    /// a warning.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Vec<Located<Value>>, Diagnostic> {
        match self.take_with_null(key) {
            Some(given) => given.into_items(warnings),
            None => Ok(Vec::new()),
        }
    }

    /// Takes the list of texts at `key` out.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Vec<Located<String>>, Diagnostic> {
        self.list(key, warnings)?
            .into_iter()
            .map(Located::into_text)
            .collect()
    }
}
