//! A demonstration account, the same in the quickstart, the tests and the binary.
//!
//! The keys are made up and open nothing anywhere else.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;

use super::emulator::Builder;
use super::principal::Principal;

/// The account id.
pub const ACCOUNT: &str = "1234567890123456";
/// The user's name.
pub const USER: &str = "alice";
/// The user's immutable id.
pub const USER_ID: &str = "200000000000000001";
/// A second user, for whom no rule is meant to exist.
pub const STRANGER: &str = "mallory";
/// The second user's immutable id.
pub const STRANGER_ID: &str = "200000000000000002";
/// The role's name.
pub const ROLE: &str = "dev";
/// The role's immutable id.
pub const ROLE_ID: &str = "300000000000000001";
/// The session of the role that [`session_key`] belongs to. The `@` is what `{{SessionName}}` turns into `-`.
pub const SESSION: &str = "alice@example.com";

/// The ARN of the account itself.
pub const ROOT_ARN: &str = "acs:ram::1234567890123456:root";
/// The user's ARN.
pub const USER_ARN: &str = "acs:ram::1234567890123456:user/alice";
/// The second user's ARN.
pub const STRANGER_ARN: &str = "acs:ram::1234567890123456:user/mallory";
/// The role's ARN.
pub const ROLE_ARN: &str = "acs:ram::1234567890123456:role/dev";
/// The session's ARN.
pub const SESSION_ARN: &str = "acs:ram::1234567890123456:assumed-role/dev/alice@example.com";

/// The provider for `AssumeRoleWithOIDC`.
pub const OIDC_PROVIDER_ARN: &str = "acs:ram::1234567890123456:oidc-provider/demo";
/// The one token that the provider's users have.
pub const OIDC_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkZW1vIn0.";

/// When the key of the session ends: 2049, so that only a clock that is moved there sees it.
pub const SESSION_EXPIRES: UnixTime = UnixTime::from_seconds(2_500_000_000);

/// The key of the account itself.
#[must_use]
pub fn root_key() -> AccessKey {
    permanent("LTAI5tDemoRoot00000001", "DemoRootSecret000000000000001")
}

/// The user's key.
#[must_use]
pub fn user_key() -> AccessKey {
    permanent("LTAI5tDemoAlice0000001", "DemoAliceSecret00000000000001")
}

/// The second user's key.
#[must_use]
pub fn stranger_key() -> AccessKey {
    permanent("LTAI5tDemoMallory00001", "DemoMallorySecret000000000001")
}

/// The temporary key of the session.
#[must_use]
pub fn session_key() -> AccessKey {
    AccessKey {
        security_token: Some(Secret::new("CAISDemoSecurityToken+000/001==")),
        ..permanent("STS.NDemoSession000001", "DemoSessionSecret000000000001")
    }
}

/// Every key with the ARN of its owner.
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
        id: AccessKeyId::parse(id).expect("the ids above are well-formed"),
        secret: Secret::new(secret),
        security_token: None,
    }
}

pub(super) fn add_to(builder: Builder) -> Builder {
    let session = Principal::AssumedRole {
        account: ACCOUNT.to_owned(),
        role: ROLE.to_owned(),
        role_id: ROLE_ID.to_owned(),
        session: SESSION.to_owned(),
    };
    builder
        .root(ACCOUNT, root_key())
        .user(ACCOUNT, USER, USER_ID, user_key())
        .user(ACCOUNT, STRANGER, STRANGER_ID, stranger_key())
        .role(ACCOUNT, ROLE, ROLE_ID)
        .temporary_key(session, session_key(), SESSION_EXPIRES)
        .oidc_token(OIDC_PROVIDER_ARN, OIDC_TOKEN)
}
