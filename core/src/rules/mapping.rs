//! Mappings: the input from which rules are compiled.

use crate::arn::{Arn, Resource};
use crate::rules::mapping_spec::MappingSpec;
use crate::rules::pattern::Pattern;
use crate::rules::source::Source;
use crate::time::UnixTime;

/// A mapping and the settings for its compilation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The location of the mapping.
    pub source: Source,
    /// The precedence among mappings whose subjects are equally exact.
    pub precedence: Precedence,
    /// Whether `arn` can contain wildcards.
    pub wildcards: WildcardMode,
    /// The handling of an `arn` that names one session of a role.
    pub session_arn_mode: SessionArnMode,
    /// The fields of the mapping.
    pub spec: MappingSpec,
}

impl Mapping {
    /// Creates a mapping. Its `arn` cannot contain wildcards and cannot name one session of a role.
    #[must_use]
    pub fn new(source: Source, precedence: Precedence, spec: MappingSpec) -> Self {
        Self {
            source,
            precedence,
            wildcards: WildcardMode::Disabled,
            session_arn_mode: SessionArnMode::Refused,
            spec,
        }
    }

    /// Creates a mapping of one ARN, the only kind that Go supports.
    #[must_use]
    pub fn for_arn(
        source: Source,
        precedence: Precedence,
        arn: &str,
        username: &str,
        groups: Vec<String>,
    ) -> Self {
        Self::new(
            source,
            precedence,
            MappingSpec::for_arn(arn, username, groups),
        )
    }

    /// Returns the role if `arn` names one session of a role. Identities are looked up by their role, so such a mapping
    /// matches every session of the role.
    #[must_use]
    pub fn role_of_session(&self) -> Option<Arn> {
        if self.wildcards == WildcardMode::Enabled && Pattern::has_wildcard(&self.spec.arn) {
            return None;
        }
        let arn = Arn::parse(&self.spec.arn).ok()?;
        matches!(arn.resource(), Resource::AssumedRole { .. }).then(|| arn.canonical())
    }
}

/// The precedence among rules whose subjects are equally exact. The smaller value takes precedence: the older object,
/// or the earlier entry of a file. The position of the rule breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precedence {
    /// The creation time of an object.
    Created(UnixTime),
    /// The index of an entry in a list of a file.
    ListIndex(usize),
}

/// The handling of wildcards in `arn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WildcardMode {
    /// `*` and `?` are wildcards. This is the mode for objects, and for files with `server.globs`.
    Enabled,
    /// `*` and `?` are literal characters, as in files of the Go server. No identity contains them.
    Disabled,
}

/// The handling of an `arn` that names one session of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionArnMode {
    /// The mapping is refused, because it would give every session of the role a name that is meant for one session.
    Refused,
    /// The `arn` is treated as the role, as in the Go server. This is the mode for objects that were created for the Go
    /// server.
    AsRole,
}
