//! Mappings, as they are written.

use crate::arn::{Arn, Resource};
use crate::rules::mapping_spec::MappingSpec;
use crate::rules::pattern::Pattern;
use crate::rules::source::Source;
use crate::time::UnixTime;

/// A mapping as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The location of the mapping.
    pub source: Source,
    /// The precedence among mappings that tie.
    pub precedence: Precedence,
    /// Whether `arn` may have wildcards.
    pub wildcards: WildcardMode,
    /// How an `arn` that names one session of a role is read.
    pub session_arn_mode: SessionArnMode,
    /// The fields that the author of the mapping writes.
    pub spec: MappingSpec,
}

impl Mapping {
    /// Creates a mapping without wildcards in `arn`, which may not name one session of a role.
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
    /// could only match every session.
    #[must_use]
    pub fn role_of_session(&self) -> Option<Arn> {
        if self.wildcards == WildcardMode::Enabled && Pattern::has_wildcard(&self.spec.arn) {
            return None;
        }
        let arn = Arn::parse(&self.spec.arn).ok()?;
        matches!(arn.resource(), Resource::AssumedRole { .. }).then(|| arn.canonical())
    }
}

/// The precedence among rules that tie: the older one wins, by creation time, then by list index, then by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precedence {
    /// An object, by its creation time.
    Created(UnixTime),
    /// An entry of a file, by its index in the list.
    ListIndex(usize),
}

/// Whether `arn` may have wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WildcardMode {
    /// `*` and `?` are wildcards: in objects, and in files with `server.globs`.
    Enabled,
    /// `*` and `?` are literal, as Go reads them in files; no identity has them.
    Disabled,
}

/// How an `arn` that names one session of a role is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionArnMode {
    /// The mapping is refused: it would let every session in under a name that is meant for one.
    Refused,
    /// As the role, as Go reads it: in objects that Go's users made.
    AsRole,
}
