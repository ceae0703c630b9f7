//! Objects whose `spec.arn` names one session of a role.
//!
//! The Go server maps every session of the role with such an object. An object that existed before this server stays in
//! effect as in the Go server, so that no user loses access. An object that is created or edited later is refused,
//! because its author means one session. The CustomResourceDefinition also refuses such an object, unless it is the
//! definition of the Go server or of an earlier version.
//!
//! The status stores the decision across restarts. A user who may write statuses can forge it. That is acceptable: a
//! forged refusal only removes access, and a forged acceptance only keeps an object whose author could have used the
//! ARN of the role instead.

use crate::kubernetes::crd::mapping::ACCEPTED;
use crate::kubernetes::crd::object::MappingObject;
use crate::kubernetes::watch::objects::KnownObject;

/// The reason of `Accepted` for an object that stays in effect as in the Go server.
pub(in crate::kubernetes) const EVERY_SESSION: &str = "MapsEverySession";
/// The reason of `Accepted` for an object that is refused.
pub(in crate::kubernetes) const ONE_SESSION: &str = "NamesOneSession";

/// How an object is handled whose `spec.arn` names one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kubernetes) enum SessionArn {
    /// The object maps every session of the role, as in the Go server.
    AsInGo,
    /// The object maps no identity.
    Refused,
}

impl SessionArn {
    /// Decides about an object in the first list.
    pub(in crate::kubernetes) fn decide_in_first_list(object: &MappingObject) -> Self {
        if is_refused_in_status(object) {
            Self::Refused
        } else {
            Self::AsInGo
        }
    }

    /// Decides about an object after the first list. `before` is the earlier state of the object with this name, if
    /// there was one, and `now` is the new state.
    pub(in crate::kubernetes) fn decide_later(
        before: Option<&KnownObject>,
        now: &KnownObject,
        object: &MappingObject,
    ) -> Self {
        // After a restore of etcd, the generation may be smaller. A larger one means an edit, even if it was undone.
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

/// Returns whether the status says that a server refused `object` because of the session, or that `spec` was edited
/// after a server decided.
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
