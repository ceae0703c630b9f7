//! The demonstration account of the quickstart, the tests and the emulator binary.
//!
//! The keys are fictitious and valid only for the emulator.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;

use super::emulator::Builder;
use super::principal::Principal;

/// The account ID.
pub const ACCOUNT: &str = "1234567890123456";
/// The name of the user.
pub const USER: &str = "alice";
/// The immutable ID of the user.
pub const USER_ID: &str = "200000000000000001";
/// The name of a second user, which no rule should map.
pub const STRANGER: &str = "mallory";
/// The immutable ID of the second user.
pub const STRANGER_ID: &str = "200000000000000002";
/// The name of the role.
pub const ROLE: &str = "dev";
/// The immutable ID of the role.
pub const ROLE_ID: &str = "300000000000000001";
/// The name of the role session of [`session_key`]. `{{SessionName}}` replaces the `@` with `-`.
pub const SESSION: &str = "alice@example.com";

/// The ARN of the account itself.
pub const ROOT_ARN: &str = "acs:ram::1234567890123456:root";
/// The ARN of the user.
pub const USER_ARN: &str = "acs:ram::1234567890123456:user/alice";
/// The ARN of the second user.
pub const STRANGER_ARN: &str = "acs:ram::1234567890123456:user/mallory";
/// The ARN of the role.
pub const ROLE_ARN: &str = "acs:ram::1234567890123456:role/dev";
/// The ARN of the role session.
pub const SESSION_ARN: &str = "acs:ram::1234567890123456:assumed-role/dev/alice@example.com";

/// The ARN of the identity provider for `AssumeRoleWithOIDC`.
pub const OIDC_PROVIDER_ARN: &str = "acs:ram::1234567890123456:oidc-provider/demo";
/// The only token that the identity provider has issued.
pub const OIDC_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkZW1vIn0.";

/// When the key of the session expires: in 2049, so that it expires only if a test moves the clock.
pub const SESSION_EXPIRES: UnixTime = UnixTime::from_seconds(2_500_000_000);

/// Returns the key of the account itself.
#[must_use]
pub fn root_key() -> AccessKey {
    permanent("LTAI5tDemoRoot00000001", "DemoRootSecret000000000000001")
}

/// Returns the key of the user.
#[must_use]
pub fn user_key() -> AccessKey {
    permanent("LTAI5tDemoAlice0000001", "DemoAliceSecret00000000000001")
}

/// Returns the key of the second user.
#[must_use]
pub fn stranger_key() -> AccessKey {
    permanent("LTAI5tDemoMallory00001", "DemoMallorySecret000000000001")
}

/// Returns the temporary key of the session.
#[must_use]
pub fn session_key() -> AccessKey {
    AccessKey {
        security_token: Some(Secret::new("CAISDemoSecurityToken+000/001==")),
        ..permanent("STS.NDemoSession000001", "DemoSessionSecret000000000001")
    }
}

/// Returns every key with the ARN of its owner.
#[must_use]
pub fn keys() -> [(&'static str, AccessKey); 4] {
    [
        (ROOT_ARN, root_key()),
        (USER_ARN, user_key()),
        (STRANGER_ARN, stranger_key()),
        (SESSION_ARN, session_key()),
    ]
}

fn permanent(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(id).expect("the IDs above are well-formed"),
        secret: Secret::new(secret),
        security_token: None,
    }
}

/// Returns the session of [`session_key`].
#[must_use]
pub fn session() -> Principal {
    Principal::AssumedRole {
        account: ACCOUNT.to_owned(),
        role: ROLE.to_owned(),
        role_id: ROLE_ID.to_owned(),
        session: SESSION.to_owned(),
    }
}

pub(super) fn add_to(builder: Builder) -> Builder {
    builder
        .root(ACCOUNT, root_key())
        .user(ACCOUNT, USER, USER_ID, user_key())
        .user(ACCOUNT, STRANGER, STRANGER_ID, stranger_key())
        .role(ACCOUNT, ROLE, ROLE_ID)
        .temporary_key(session(), session_key(), SESSION_EXPIRES)
        .oidc_token(OIDC_PROVIDER_ARN, OIDC_TOKEN)
}
