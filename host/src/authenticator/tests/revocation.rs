//! When a login ends after its access key was disabled or its role was deleted.

use super::*;

#[tokio::test]
async fn disabled_key_and_deleted_role_are_denied_after_the_default_cache_ttl() {
    let world = World::new();
    let user = demo::user_key();
    let session = demo::session_key();
    for (key, granted) in [(&user, "granted"), (&session, "not_mapped")] {
        AHEAD.set(0);
        let server = world.server(&json!({}));
        let token = world.token_of(key);
        assert_eq!(server.login(&token).await, (granted, "miss"));
        // STS no longer knows the sessions of a role that was deleted.
        let is_gone = if key.security_token.is_some() {
            world.sts.delete_key(&key.id)
        } else {
            world.sts.disable_key(&key.id)
        };
        assert!(is_gone);
        assert_eq!(server.login(&world.token_of(key)).await.0, "sts_refused");
        for (ahead, expected) in [(119, (granted, "hit")), (120, ("sts_refused", "miss"))] {
            AHEAD.set(ahead);
            assert_eq!(server.login(&token).await, expected, "{ahead}");
        }
    }
}
