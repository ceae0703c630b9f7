//! Location of a diagnostic: in a file, on the command line, or in the environment.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// Line and column in a text, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, counted from one.
    pub line: u64,
    /// Column, counted from one.
    pub column: u64,
}

impl Position {
    /// The start of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Origin of a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration as a whole, or a file that the message itself names.
    #[default]
    Unnamed,
    /// The command line.
    CommandLine,
    /// The environment.
    Environment,
    /// A file or another named text.
    File(Arc<str>),
}

/// The location of a setting, a mapping or an object.
///
/// Locations sort by file and position. Locations outside files come first and sort by their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// File, command line or environment.
    pub origin: Origin,
    /// Position in the file, if known.
    pub position: Option<Position>,
    /// Name of the setting or object, such as `server.mapRoles[2]`. Empty if the message names it.
    pub entry: Box<str>,
}

impl Location {
    /// Returns the location of the whole file `name`.
    #[must_use]
    pub fn file(name: impl Into<Arc<str>>) -> Self {
        Self::from_origin(Origin::File(name.into()))
    }

    /// Returns the location at `position` in the file `name`.
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

    /// Returns the location at `position` in the same file. Outside files, returns the location unchanged.
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

    /// Returns the same location for the setting or object `entry`.
    #[must_use]
    pub fn with_entry(self, entry: impl Into<Box<str>>) -> Self {
        Self {
            entry: entry.into(),
            ..self
        }
    }

    /// Returns the name of the origin in messages; empty for [`Origin::Unnamed`].
    fn origin_name(&self) -> &str {
        match &self.origin {
            Origin::Unnamed => "",
            Origin::CommandLine => "command line",
            Origin::Environment => "environment",
            Origin::File(name) => name,
        }
    }

    /// Returns the entry, preceded by the origin if the origin is not a file.
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

/// Formats the location as `file:line:column entry`, without its unknown parts.
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

/// Serializes the known members of `file`, `line`, `column` and `entry`. Outside files, `entry` includes the origin.
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
