//! The observed status of an object in the cluster, reduced to the data for comparisons.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use ack_ram_core::time::UnixTime;

use crate::kubernetes::crd::mapping::{ACCEPTED, CONFLICTED, RamIdentityMappingStatus};

/// The status of an object in the cluster. Texts are stored as digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::kubernetes) struct ObservedStatus {
    /// The digest of the canonical ARN; 0 if there is none.
    pub(in crate::kubernetes) canonical_arn: u64,
    /// The digest of the user ID; 0 if there is none.
    pub(in crate::kubernetes) user_id: u64,
    pub(in crate::kubernetes) generation: i64,
    pub(in crate::kubernetes) accepted: Option<ObservedCondition>,
    pub(in crate::kubernetes) conflicted: Option<ObservedCondition>,
}

/// A condition in the status of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::kubernetes) struct ObservedCondition {
    pub(in crate::kubernetes) is_true: bool,
    /// The time of the last transition.
    pub(in crate::kubernetes) since: UnixTime,
    /// The digest of the reason and the message.
    pub(in crate::kubernetes) text: u64,
}

impl ObservedStatus {
    /// Builds the observed form of `status`, which any program may have written.
    pub(in crate::kubernetes) fn from_status(status: &RamIdentityMappingStatus) -> Self {
        Self {
            canonical_arn: status.canonical_arn.as_deref().map_or(0, text_digest),
            user_id: status.user_id.as_deref().map_or(0, text_digest),
            generation: status.observed_generation.unwrap_or_default(),
            accepted: ObservedCondition::from_status(status, ACCEPTED),
            conflicted: ObservedCondition::from_status(status, CONFLICTED),
        }
    }

    /// Returns whether both are equal apart from their times.
    pub(in crate::kubernetes) fn equals_ignoring_times(&self, other: &Self) -> bool {
        self.without_times() == other.without_times()
    }

    /// Returns a fingerprint that ignores times.
    pub(in crate::kubernetes) fn fingerprint(&self) -> u64 {
        digest(&self.without_times())
    }

    fn without_times(&self) -> Self {
        Self {
            accepted: self.accepted.map(ObservedCondition::without_times),
            conflicted: self.conflicted.map(ObservedCondition::without_times),
            ..*self
        }
    }

    pub(in crate::kubernetes) fn is_conflicted(&self) -> bool {
        self.conflicted.is_some_and(|observed| observed.is_true)
    }
}

impl ObservedCondition {
    fn from_status(status: &RamIdentityMappingStatus, kind: &str) -> Option<Self> {
        let mut conditions = status.conditions.iter();
        let condition = conditions.find(|condition| condition.type_ == kind)?;
        Some(Self {
            is_true: match condition.status.as_str() {
                "True" => true,
                "False" => false,
                _ => return None,
            },
            since: UnixTime::from_seconds(condition.last_transition_time.0.as_second()),
            text: condition_digest(&condition.reason, &condition.message),
        })
    }

    fn without_times(self) -> Self {
        Self {
            since: UnixTime::from_seconds(0),
            ..self
        }
    }
}

/// Returns the digest of `text`: 0 only for an empty text.
pub(in crate::kubernetes) fn text_digest(text: &str) -> u64 {
    if text.is_empty() {
        0
    } else {
        digest(text).max(1)
    }
}

/// Returns the digest of a condition's reason and message.
pub(in crate::kubernetes) fn condition_digest(reason: &str, message: &str) -> u64 {
    digest(&(reason, message))
}

/// Returns the digest of `value`, for comparison within this process.
pub(in crate::kubernetes) fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
