//! Time until logins are denied after an access key was disabled or a role was deleted.

use super::*;

#[tokio::test]
async fn disabled_key_and_deleted_role_are_denied_after_the_default_cache_ttl() {
    let fixture = AuthenticatorFixture::new();
    let user = demo::user_key();
    let session = demo::session_key();
    for (key, granted) in [(&user, "granted"), (&session, "not_mapped")] {
        CLOCK_OFFSET.set(0);
        let server = fixture.server(&json!({}));
        let token = fixture.token_of(key);
        assert_eq!(server.login(&token).await, (granted, "miss"));
        // For a deleted role, STS no longer accepts the keys of its sessions.
        let is_gone = if key.security_token.is_some() {
            fixture.sts.delete_key(&key.id)
        } else {
            fixture.sts.disable_key(&key.id)
        };
        assert!(is_gone);
        assert_eq!(server.login(&fixture.token_of(key)).await.0, "sts_refused");
        for (ahead, expected) in [(119, (granted, "hit")), (120, ("sts_refused", "miss"))] {
            CLOCK_OFFSET.set(ahead);
            assert_eq!(server.login(&token).await, expected, "{ahead}");
        }
    }
}
