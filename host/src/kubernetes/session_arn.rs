//! Objects whose `spec.arn` names one session of a role.
//!
//! Go maps every session of the role by such an object. One that was there before this server goes on as in Go, so that
//! nobody is locked out. One that is created or edited from then on is refused: its author means one session. The
//! definition refuses it, too, where it is not still that of Go or of an earlier version.
//!
//! The status keeps that decision over a restart. Who may write statuses can forge it: a refusal only takes away, and a
//! grant only lets an object stay that its author could as well have written with the ARN of the role.

use super::mapping::ACCEPTED;
use super::object::MappingObject;
use super::objects::KnownObject;

/// The reason of `Accepted` for an object that goes on as in Go.
pub(super) const EVERY_SESSION: &str = "MapsEverySession";
/// The reason of `Accepted` for an object that is refused.
pub(super) const ONE_SESSION: &str = "NamesOneSession";

/// What becomes of an object whose `spec.arn` names one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionArn {
    /// The object maps every session of the role, as in Go.
    AsInGo,
    /// The object maps nobody.
    Refused,
}

impl SessionArn {
    /// Decides about an object that is read for the first time, by the first list.
    pub(super) fn decide_in_first_list(object: &MappingObject) -> Self {
        if is_refused_in_status(object) {
            Self::Refused
        } else {
            Self::AsInGo
        }
    }

    /// Decides about an object of which `before` was known under the same name, if anything. `now` is what is known now.
    pub(super) fn decide_later(
        before: Option<&KnownObject>,
        now: &KnownObject,
        object: &MappingObject,
    ) -> Self {
        // After a restore of etcd, a generation may be smaller. A larger one is an edit, even one that has been undone.
        let is_unedited = before.is_some_and(|before| {
            before.session_arn == Some(Self::AsInGo)
                && before.uid() == now.uid()
                && before.spec == now.spec
                && before.generation >= now.generation
        });
        if is_unedited && !is_refused_in_status(object) {
            Self::AsInGo
        } else {
            Self::Refused
        }
    }
}

/// Whether a server has refused `object` by this rule; or has decided about it, and its `spec` was edited since.
fn is_refused_in_status(object: &MappingObject) -> bool {
    let status = object.status();
    let mut conditions = status.conditions.iter();
    let Some(accepted) = conditions.find(|condition| condition.type_ == ACCEPTED) else {
        return false;
    };
    match accepted.reason.as_str() {
        ONE_SESSION => accepted.status == "False",
        _ => status.observed_generation != object.generation(),
    }
}

#[cfg(test)]
mod tests;
