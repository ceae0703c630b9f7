//! What is wrong with a configuration, where, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::invisible;

use crate::text::DecodeError;
use crate::yaml;

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the configuration file.
    File {
        /// The file, as it was named.
        path: Arc<str>,
        /// Counted from one.
        line: u64,
        /// Counted from one.
        column: u64,
    },
    /// On the command line.
    CommandLine,
    /// In the environment.
    Environment,
}

impl Location {
    /// In the file `path`.
    #[must_use]
    pub fn in_file(path: Arc<str>, position: yaml::Position) -> Self {
        Self::File {
            path,
            line: position.line,
            column: position.column,
        }
    }

    /// Another place in the same file.
    #[must_use]
    pub fn in_same_file(&self, position: yaml::Position) -> Self {
        match self {
            Self::File { path, .. } => Self::in_file(Arc::clone(path), position),
            Self::CommandLine | Self::Environment => self.clone(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::CommandLine => f.write_str("command line"),
            Self::Environment => f.write_str("environment"),
        }
    }
}

/// One thing that is wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Location,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Problem {
    /// What it quotes may hold any characters; logs and terminals obey control characters, so those are spelt out.
    pub fn new(place: Location, text: impl fmt::Display) -> Self {
        Self {
            place,
            text: escape_control(&text.to_string()),
        }
    }
}

/// Returns `text` with its control and invisible characters as escapes.
pub(super) fn escape_control(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || invisible::character_name(character).is_some() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Something odd that does not stop the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What kind of thing it is.
    pub kind: WarningKind,
    /// Where it stands.
    pub place: Location,
    /// The mapping that it is in, such as `server.mapRoles[2]`; empty for others.
    pub entry: String,
    /// What is odd, and what to do.
    pub text: String,
}

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A key that nobody reads.
    UnknownKey,
    /// A list that is null.
    EmptyList,
    /// A text where a list belongs.
    TextForList,
    /// An account without quotes.
    NumericAccount,
    /// An entry that is left out.
    InvalidEntry,
    /// An ARN with a path, which no identity has.
    ArnWithPath,
    /// `server.bind`, which Go ignores.
    BindWins,
    /// No `server.extAuthz.joinGroups`, so that some proxies would pass on one group of several.
    GroupsUnjoined,
}

impl Warning {
    /// What is odd in no mapping.
    #[must_use]
    pub fn new(kind: WarningKind, problem: Problem) -> Self {
        Self {
            kind,
            place: problem.place,
            entry: String::new(),
            text: problem.text,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            place,
            entry,
            text,
        } = self;
        write!(f, "{place}: ")?;
        if !entry.is_empty() {
            write!(f, "in `{entry}`: ")?;
        }
        f.write_str(text)?;
        if *kind == WarningKind::InvalidEntry {
            f.write_str("; until then the entry is left out")?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be used. All of these are the configuration's fault.
#[derive(Debug)]
pub enum ConfigError {
    /// The file is missing or cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not UTF-8 text.
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is.
        source: DecodeError,
    },
    /// The file is longer than any configuration.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The file is not YAML.
    Syntax {
        /// The file, as it was named.
        name: String,
        /// Where in it, if that is known.
        position: Option<yaml::Position>,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A setting has a value that it cannot have, or is there twice.
    Setting(Problem),
    /// No cluster id anywhere.
    NoClusterId {
        /// The file that was read, if one was.
        path: Option<PathBuf>,
    },
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::Setting(problem)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => write!(
                f,
                "cannot read the configuration file `{}`: {source}; name one that can be read",
                path.display()
            ),
            Self::NotText { path, source } => write!(
                f,
                "cannot read the configuration file `{}`: {source}",
                path.display()
            ),
            Self::TooLarge { path, limit } => write!(
                f,
                "the configuration file `{}` is longer than {limit} bytes; remove what is not configuration",
                path.display()
            ),
            Self::Syntax {
                name,
                position: Some(position),
                message,
            } => write!(f, "{name}:{}:{}: {message}", position.line, position.column),
            Self::Syntax { name, message, .. } => write!(f, "{name}: {message}"),
            Self::Setting(problem) => problem.fmt(f),
            Self::NoClusterId { path: Some(path) } => write!(
                f,
                "no cluster id: add `clusterID: <id>` to `{}`, or give --cluster-id",
                path.display()
            ),
            Self::NoClusterId { path: None } => f.write_str(
                "no cluster id: give --cluster-id, or --config with a file that has `clusterID: <id>`",
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::NotText { source, .. } => Some(source),
            Self::TooLarge { .. }
            | Self::Syntax { .. }
            | Self::Setting(_)
            | Self::NoClusterId { .. } => None,
        }
    }
}
