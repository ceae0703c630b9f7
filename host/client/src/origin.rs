//! Where a setting comes from, for messages.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a setting comes from. `Display` names the place in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An option of the command line, such as `--role-arn`.
    Option(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A member of a profile in the file of the Alibaba Cloud CLI.
    Member(Arc<Profile>, &'static str),
    /// A key of a section in an INI file.
    Key(Arc<Profile>, &'static str),
    /// A member of the profile that a process printed.
    Output(&'static str),
    /// `current` in the file of the Alibaba Cloud CLI.
    Current,
    /// `defaultRole` in the configuration file of this program.
    DefaultRole,
    /// The setting is not given anywhere.
    Default,
}

/// A profile of the Alibaba Cloud CLI, or a section of an INI file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Path of the file.
    pub file: PathBuf,
    /// Name of the profile or section.
    pub name: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) | Self::Variable(name) => write!(f, "`{name}`"),
            Self::Member(profile, name) => write!(f, "`{name}` of {profile}"),
            Self::Key(section, name) => write!(
                f,
                "`{name}` in the section `{}` of `{}`",
                section.name.escape_debug(),
                section.file.display()
            ),
            Self::Output(name) => write!(f, "`{name}` in the output of the process"),
            Self::Current => f.write_str("`current` in the file"),
            Self::DefaultRole => f.write_str("`defaultRole` in the configuration file"),
            Self::Default => f.write_str("the default"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the profile `{}` in `{}`",
            self.name.escape_debug(),
            self.file.display()
        )
    }
}

/// A setting, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where the value comes from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// Creates a setting.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}
