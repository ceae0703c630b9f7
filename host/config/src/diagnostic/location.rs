//! Where a diagnostic points: in a file, on the command line, or in the environment.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// A line and a column of a text, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl Position {
    /// The start of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// What holds a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration as a whole. Also a file that the message names itself.
    #[default]
    Unnamed,
    /// The command line.
    CommandLine,
    /// The environment.
    Environment,
    /// A file, or another text, by its name.
    File(Arc<str>),
}

/// The location of a setting, of a mapping or of an object. Locations sort as a person reads the file; what is in no file
/// comes first, by its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// What holds it.
    pub origin: Origin,
    /// The position in the file, if that is known.
    pub position: Option<Position>,
    /// The setting or object, such as `server.mapRoles[2]`. Empty if the message names it.
    pub entry: Box<str>,
}

impl Location {
    /// Returns the location of the whole file `name`.
    #[must_use]
    pub fn file(name: impl Into<Arc<str>>) -> Self {
        Self::from_origin(Origin::File(name.into()))
    }

    /// Returns the location `position` of the file `name`.
    #[must_use]
    pub fn in_file(name: impl Into<Arc<str>>, position: Position) -> Self {
        Self {
            position: Some(position),
            ..Self::file(name)
        }
    }

    /// Returns the location of a setting whose origin is `origin`.
    #[must_use]
    pub fn from_origin(origin: Origin) -> Self {
        Self {
            origin,
            ..Self::default()
        }
    }

    /// Returns the location `position` of the same file. What is in no file has no positions.
    #[must_use]
    pub fn in_same_file(&self, position: Position) -> Self {
        match self.origin {
            Origin::File(_) => Self {
                position: Some(position),
                ..self.clone()
            },
            Origin::Unnamed | Origin::CommandLine | Origin::Environment => self.clone(),
        }
    }

    /// Returns the location of the setting or object `entry` at the same place.
    #[must_use]
    pub fn with_entry(self, entry: impl Into<Box<str>>) -> Self {
        Self {
            entry: entry.into(),
            ..self
        }
    }

    /// Returns how messages call the origin; empty if they do not.
    fn origin_name(&self) -> &str {
        match &self.origin {
            Origin::Unnamed => "",
            Origin::CommandLine => "command line",
            Origin::Environment => "environment",
            Origin::File(name) => name,
        }
    }

    /// Returns the entry, after the origin if that is no file.
    fn entry_text(&self) -> Cow<'_, str> {
        match &self.origin {
            Origin::File(_) | Origin::Unnamed => Cow::Borrowed(&self.entry),
            Origin::CommandLine | Origin::Environment => Cow::Owned(self.to_string()),
        }
    }

    /// Returns the origin and the position, without the entry.
    pub(super) fn place(&self) -> String {
        let name = self.origin_name();
        match (&self.origin, self.position) {
            (Origin::File(_), Some(Position { line, column })) => format!("{name}:{line}:{column}"),
            _ => name.to_owned(),
        }
    }
}

impl Ord for Location {
    fn cmp(&self, other: &Self) -> Ordering {
        let file = |location: &Self| match &location.origin {
            Origin::File(name) => Some(Arc::clone(name)),
            Origin::Unnamed | Origin::CommandLine | Origin::Environment => None,
        };
        (file(self), self.position)
            .cmp(&(file(other), other.position))
            .then_with(|| self.entry_text().cmp(&other.entry_text()))
            .then_with(|| self.origin.cmp(&other.origin))
    }
}

impl PartialOrd for Location {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `file:line:column entry`, as far as it is known.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        let space = if place.is_empty() || self.entry.is_empty() {
            ""
        } else {
            " "
        };
        write!(f, "{place}{space}{}", self.entry)
    }
}

/// `file`, `line`, `column` and `entry`, as far as they are known. What is in no file is a part of `entry`.
impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        if let Origin::File(name) = &self.origin {
            members.serialize_entry("file", &**name)?;
        }
        if let Some(Position { line, column }) = self.position {
            members.serialize_entry("line", &line)?;
            members.serialize_entry("column", &column)?;
        }
        let entry = self.entry_text();
        if !entry.is_empty() {
            members.serialize_entry("entry", &entry)?;
        }
        members.end()
    }
}
