//! Protected identities, whose mappings in the mounted file take precedence over all other backends (`server.protect`).

use std::collections::BTreeSet;

use crate::arn::ArnKey;
use crate::rules::pattern::Pattern;
use crate::rules::rule;
use crate::rules::rule_error::RuleError;
use crate::rules::subject::Subject;

/// The protected identities, such as break-glass roles and nodes.
///
/// For these identities, [`Backend::MountedFile`](crate::rules::Backend::MountedFile) answers first, regardless of the
/// order of the backends, and even if other backends are not synced.
#[derive(Clone, Debug, Default)]
pub struct ProtectedIdentities {
    arns: BTreeSet<Box<str>>,
    patterns: Vec<Pattern>,
}

impl ProtectedIdentities {
    /// Protects the identities that `text` names, which is an ARN or a pattern, as in mappings.
    ///
    /// # Errors
    /// Returns the defect of `text`.
    pub fn protect(&mut self, text: &str) -> Result<(), RuleError> {
        match rule::parse_arn_or_pattern(text)? {
            Subject::Arn(arn) => {
                self.arns.insert(arn.key().as_str().into());
            }
            Subject::Pattern(pattern) => self.patterns.push(pattern),
            Subject::Id(_) | Subject::Anyone => {}
        }
        Ok(())
    }

    /// Returns whether no identity is protected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arns.is_empty() && self.patterns.is_empty()
    }

    /// Returns whether `subject` is protected. An ARN is protected if it is listed or if a listed pattern matches it; a
    /// pattern is protected if it is listed.
    #[must_use]
    pub fn protects_subject(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Arn(arn) => self.protects(&arn.key()),
            Subject::Pattern(pattern) => self.patterns.iter().any(|own| own.is_equivalent(pattern)),
            Subject::Id(_) | Subject::Anyone => false,
        }
    }

    /// Returns whether the identity with the canonical ARN `key` is protected.
    #[must_use]
    pub fn protects(&self, key: &ArnKey) -> bool {
        self.arns.contains(key.as_str()) || self.patterns.iter().any(|pattern| pattern.matches(key))
    }
}
