//! Placeholder identities, for an ARN of which nothing else is known.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::{Arn, Resource};
use ack_ram_core::identity::Identity;

/// With `@`, so that a template that replaces it shows that it does.
const SESSION: &str = "<session@name>";
const USER_ID: &str = "<user-id>";
const ACCESS_KEY_ID: &str = "ACCESS-KEY-ID";

/// Returns an identity with `arn` and placeholders for the rest; for a role, of a session with a placeholder name.
/// `None` never happens.
#[must_use]
pub fn identity_for_arn(arn: Arn) -> Option<Identity> {
    Some(Identity {
        arn: with_placeholder_session(arn)?,
        user_id: USER_ID.into(),
        access_key_id: AccessKeyId::parse(ACCESS_KEY_ID)?,
    })
}

/// Returns the ARN as STS returns it: STS knows roles only by their sessions.
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
            let sample = identity_for_arn(Arn::parse(arn).unwrap()).unwrap();
            assert_eq!(sample.arn.to_string(), expected);
        }
        assert!(identity_for_arn(Arn::parse(&longest).unwrap()).is_some());
    }
}
