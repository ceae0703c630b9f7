//! Placeholder identities, for when only the ARN of an identity is known.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::{Arn, Resource};
use ack_ram_core::identity::Identity;

/// The placeholder has an `@`, so that the result shows whether a template replaces it.
const SESSION: &str = "<session@name>";
const USER_ID: &str = "<user-id>";
const ACCESS_KEY_ID: &str = "ACCESS-KEY-ID";

/// Returns an identity with `arn` and placeholders for the other values. For a role, the identity is a session with a
/// placeholder name. The result is never `None` in practice: the placeholders are valid.
#[must_use]
pub fn identity_for_arn(arn: Arn) -> Option<Identity> {
    Some(Identity {
        arn: with_placeholder_session(arn)?,
        user_id: USER_ID.into(),
        access_key_id: AccessKeyId::parse(ACCESS_KEY_ID)?,
    })
}

/// Returns the ARN in the form that STS returns: for a role, STS returns the ARN of a session.
fn with_placeholder_session(arn: Arn) -> Option<Arn> {
    match arn.resource() {
        Resource::Role(role) => {
            let account = arn.account();
            Arn::parse(&format!("acs:ram::{account}:assumed-role/{role}/{SESSION}")).ok()
        }
        Resource::Root | Resource::User(_) | Resource::AssumedRole { .. } => Some(arn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arn_becomes_session_with_placeholder_name() {
        let longest = format!("acs:ram::1:role/{}", "r".repeat(64));
        for (arn, expected) in [
            ("acs:ram::1:root", "acs:ram::1:root"),
            ("acs:ram::1:user/a", "acs:ram::1:user/a"),
            (
                "acs:ram::1:role/p/r",
                "acs:ram::1:assumed-role/p/r/<session@name>",
            ),
            ("acs:ram::1:assumed-role/r/s", "acs:ram::1:assumed-role/r/s"),
        ] {
            let identity = identity_for_arn(Arn::parse(arn).unwrap()).unwrap();
            assert_eq!(identity.arn.to_string(), expected);
        }
        assert!(identity_for_arn(Arn::parse(&longest).unwrap()).is_some());
    }
}
