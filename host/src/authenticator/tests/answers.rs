//! Caching, single flight and the limits of waiting logins.

use std::time::Duration;

use ack_ram_core::rules::{Backend, BackendRules};
use ack_ram_tests::sts::Fault;
use ack_ram_tests::vectors;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::*;
use crate::backends::live::BackendNotes;

#[tokio::test]
async fn cache_hit_makes_no_call_and_uses_current_rules() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({}));
    for token in [fixture.token(), fixture.v1_token()] {
        fixture.sts.clear_requests();
        assert_eq!(server.login(&token).await, ("granted", "miss"));
        assert_eq!(server.login(&token).await, ("granted", "hit"));
        assert_eq!(fixture.sts.requests().len(), 1);
    }
    let token = fixture.token();
    assert_eq!(server.login(&token).await, ("granted", "miss"));
    let rules = &server.authenticator.rules;
    rules.change(Backend::MountedFile, |edit| {
        let none = BackendRules::new(Backend::MountedFile);
        edit.replace(none, BackendNotes::default());
    });
    assert_eq!(server.login(&token).await, ("not_mapped", "hit"));
    assert_eq!(fixture.sts.requests().len(), 2);
}

#[tokio::test]
async fn expired_token_in_cache_is_not_granted() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "cacheTTL": "15m" }));
    let token = token_v2(&demo::user_key(), clock().plus_seconds(-14 * 60));
    assert_eq!(server.login(&token).await, ("granted", "miss"));
    assert_eq!(server.login(&token).await, ("granted", "hit"));
    CLOCK_OFFSET.set(61);
    // STS's clock is behind, so it accepts the token; the answer is not cached.
    for _ in 0..2 {
        assert_eq!(server.login(&token).await, ("granted", "miss"));
    }
    fixture.sts.advance(61);
    assert_eq!(server.login(&token).await, ("sts_refused", "miss"));
    assert_eq!(fixture.sts.requests().len(), 4);
}

#[tokio::test]
async fn final_refusals_are_cached() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "refusalCacheTTL": "5m" }));
    let wrong = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let wrong = fixture.token_of(&wrong);
    assert_eq!(server.login(&wrong).await, ("sts_refused", "miss"));
    assert_eq!(server.login(&wrong).await, ("sts_refused", "hit"));
    CLOCK_OFFSET.set(5 * 60);
    assert_eq!(server.login(&wrong).await, ("sts_refused", "miss"));
    fixture.sts.disable_key(&demo::user_key().id);
    let inactive = fixture.token();
    assert_eq!(server.login(&inactive).await, ("sts_refused", "miss"));
    fixture.sts.enable_key(&demo::user_key().id);
    assert_eq!(server.login(&inactive).await, ("granted", "miss"));
}

#[tokio::test]
async fn simultaneous_equal_tokens_make_one_call() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({}));
    for token in [fixture.token(), fixture.v1_token()] {
        fixture.sts.clear_requests();
        let logins = join_all((0..50).map(|_| server.login(&token))).await;
        let of = |expected| logins.iter().filter(|login| **login == expected).count();
        let counts = (of(("granted", "miss")), of(("granted", "shared")));
        assert_eq!(counts, (1, 49));
        assert_eq!(fixture.sts.requests().len(), 1);
    }
    assert_eq!(server.metrics.lookups("miss").get(), 2);
    assert_eq!(server.metrics.lookups("shared").get(), 98);
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn followers_get_answer_after_first_requester_leaves() {
    let fixture = AuthenticatorFixture::new();
    let server = Arc::new(fixture.server(&json!({})));
    fixture.sts.set_fault(Some(Fault::Hold));
    let token = fixture.token();
    let login = || {
        let (server, token) = (Arc::clone(&server), token.clone());
        tokio::spawn(async move { server.login(&token).await })
    };
    let (first, second) = (login(), login());
    while fixture.sts.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    fixture.sts.set_fault(None);
    assert_eq!(second.await.unwrap(), ("granted", "shared"));
    // The answer is cached even if no login waits for it any longer.
    fixture.sts.set_fault(Some(Fault::Hold));
    let token = fixture.token();
    let only_login = tokio::spawn({
        let (server, token) = (Arc::clone(&server), token.clone());
        async move { server.login(&token).await }
    });
    while fixture.sts.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    only_login.abort();
    assert!(only_login.await.unwrap_err().is_cancelled());
    fixture.sts.set_fault(None);
    while server.calls() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.login(&token).await, ("granted", "hit"));
}

#[tokio::test]
async fn unavailable_answer_is_shared_and_never_cached() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "breakerFailures": 0 }));
    for fault in [
        Fault::InternalError,
        Fault::ThrottleUser,
        Fault::Garbage,
        Fault::CloseInBody,
    ] {
        let token = fixture.token();
        fixture.sts.set_fault(Some(fault.clone()));
        for (result, _) in join_all((0..5).map(|_| server.login(&token))).await {
            assert!(result.starts_with("sts_"), "{fault:?}: {result}");
            assert_ne!(result, "sts_refused", "{fault:?}");
        }
        fixture.sts.set_fault(None);
        let login = server.login(&token).await;
        assert_eq!(login, ("granted", "miss"), "{fault:?}");
    }
    // Two calls for each token; the connection that closes in the body is retried.
    assert_eq!(fixture.sts.requests().len(), 9);
}

#[tokio::test]
async fn sts_error_vectors_get_expected_decisions() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "breakerFailures": 0 }));
    let mut count = 0;
    // An HTTP server does not send other statuses as final ones.
    let errors = vectors::sts_errors().into_iter();
    for error in errors.filter(|error| (200..600).contains(&error.status)) {
        fixture.sts.set_fault(Some(Fault::Reply {
            status: error.status,
            body: error.body.into(),
        }));
        let login = server.login(&fixture.token()).await;
        assert_eq!(login, (&*error.code, "miss"), "{}", error.name);
        count += 1;
    }
    assert!(count >= 44, "{count}");
}

#[tokio::test]
async fn full_queue_answers_immediately_and_serves_cache_hits() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "maxCalls": 1, "maxWaiting": 1 }));
    let known = fixture.token();
    assert_eq!(server.login(&known).await, ("granted", "miss"));
    let tokens = [fixture.token(), fixture.token(), fixture.token(), known];
    let logins = join_all(tokens.iter().map(|token| server.login(token))).await;
    assert_eq!(logins[0], ("granted", "miss"));
    // One of the two other logins waits for the call, and one finds the queue full.
    let mut others = [logins[1].0, logins[2].0];
    others.sort_unstable();
    assert_eq!(others, ["granted", "overloaded"]);
    assert_eq!(logins[3], ("granted", "hit"));
    assert_eq!(server.metrics.queue().refused.get(), 1);
    assert_eq!(server.login(&tokens[2]).await.0, "granted");
}

#[tokio::test]
async fn waiting_for_permit_ends_with_call_timeout() {
    let fixture = AuthenticatorFixture::new();
    // The timeout is long enough for the last login on any machine.
    let server = fixture.server(&json!({ "maxCalls": 1, "timeout": "10s" }));
    fixture.sts.set_fault(Some(Fault::Hang));
    let tokens = [fixture.token(), fixture.token()];
    let logins = join_all(tokens.iter().map(|token| server.login(token))).await;
    assert_eq!(logins[0], ("sts_timed_out", "miss"));
    // The second login got no permit, or one with no time left.
    assert!(["overloaded", "sts_timed_out"].contains(&logins[1].0));
    assert_eq!(server.metrics.queue().waiting.get(), 0);
    fixture.sts.set_fault(None);
    assert_eq!(server.login(&tokens[1]).await, ("granted", "miss"));
}

#[tokio::test]
async fn disabled_cache_makes_one_call_per_login() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "cacheSize": 0, "refusalCacheSize": 0 }));
    let token = fixture.token();
    for _ in 0..3 {
        assert_eq!(server.login(&token).await, ("granted", "miss"));
    }
    assert_eq!(fixture.sts.requests().len(), 3);
}

#[tokio::test]
async fn flood_of_one_token_leaves_room_to_others() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "maxSharing": 8 }));
    let delay = Fault::Delay(Duration::from_millis(500));
    fixture.sts.set_fault(Some(delay));
    let (flood, other) = (fixture.token(), fixture.token_of(&demo::stranger_key()));
    let tokens = std::iter::repeat_n(&flood, 50).chain([&other, &other]);
    let logins = join_all(tokens.map(|token| server.login(token))).await;
    let of = |expected| logins.iter().filter(|login| **login == expected).count();
    let counts = (
        of(("granted", "miss")),
        of(("granted", "shared")),
        of(("overloaded", "shared")),
    );
    // Credentials without a granted login have four of eight places, and the flood makes room for the other token.
    assert_eq!(counts, (1, 3, 46));
    assert_eq!(
        logins[50..],
        [("not_mapped", "miss"), ("not_mapped", "shared")]
    );
    assert_eq!(fixture.sts.requests().len(), 2);
    let resolver = server.authenticator.resolver.load();
    assert_eq!(resolver.single_flight.followers.len(), 0);
}

#[tokio::test]
async fn flood_of_proxies_leaves_half_of_room_to_api_server() {
    let fixture = AuthenticatorFixture::new();
    let limits = json!({ "maxCalls": 4, "maxWaiting": 6, "maxSharing": 8, "timeout": "30s" });
    let server = Arc::new(fixture.server(&limits));
    let flood = |tokens: Vec<Secret>| {
        let mut logins = JoinSet::new();
        for token in tokens {
            let server = Arc::clone(&server);
            logins.spawn(async move { server.login_by(Requester::Proxy, &token).await });
        }
        logins
    };
    fixture.sts.set_fault(Some(Fault::Hang));
    // Credentials without a granted login have half of the room of proxies: one call is made, and one waits.
    let mut others = flood((0..11).map(|_| fixture.token()).collect());
    for _ in 0..9 {
        let login = others.join_next().await.unwrap();
        assert_eq!(login.unwrap(), ("overloaded", "miss"));
    }
    eventually("a call", async || !fixture.sts.requests().is_empty()).await;
    assert_eq!(server.metrics.queue().waiting.get(), 1);
    assert_eq!(server.calls(), 2);
    fixture.sts.set_fault(None);
    assert_eq!(server.login(&fixture.token()).await, ("granted", "miss"));
    assert_eq!(fixture.sts.requests().len(), 2);
}

#[tokio::test]
async fn proxy_call_moves_to_api_server_queue_when_api_server_joins() {
    let fixture = AuthenticatorFixture::new();
    let server = Arc::new(fixture.server(&json!({ "maxCalls": 4, "maxWaiting": 4 })));
    let login = |requester, token: &Secret| {
        let (server, token) = (Arc::clone(&server), token.clone());
        tokio::spawn(async move { server.login_by(requester, &token).await })
    };
    fixture.sts.set_fault(Some(Fault::Hang));
    let _hangs = login(Requester::Proxy, &fixture.token());
    eventually("a call", async || !fixture.sts.requests().is_empty()).await;
    fixture.sts.set_fault(None);
    let token = fixture.token();
    let waits = login(Requester::Proxy, &token);
    eventually("a waiting call", async || {
        server.metrics.queue().waiting.get() >= 1
    })
    .await;
    assert_eq!(server.login(&token).await, ("granted", "shared"));
    assert_eq!(waits.await.unwrap(), ("granted", "miss"));
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn proxy_followers_leave_half_of_room_to_api_server() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "maxSharing": 8, "timeout": "30s" }));
    fixture.sts.set_fault(Some(Fault::Hang));
    let token = fixture.token();
    let mut logins = Vec::new();
    let mut overloaded = |requester| {
        logins.push(Box::pin(server.login_by(requester, &token)));
        // Poll twice, since the last login may evict one of those before it.
        let answered = (0..2).flat_map(|_| {
            let answered = logins.extract_if(.., |login| match login.now_or_never() {
                None => false,
                Some(answer) => {
                    assert_eq!(answer, ("overloaded", "shared"));
                    true
                }
            });
            answered.map(drop).collect::<Vec<()>>()
        });
        let answered = answered.count();
        (logins.len(), answered)
    };
    // One login makes the call. Proxies without a granted login have two of eight places.
    for expected in [(1, 0), (2, 0), (3, 0), (3, 1), (3, 1)] {
        assert_eq!(overloaded(Requester::Proxy), expected);
    }
    assert_eq!(overloaded(Requester::ApiServer), (4, 0));
    assert_eq!(overloaded(Requester::Proxy), (4, 1));
}

#[tokio::test]
async fn panic_in_call_reaches_all_followers_and_leaks_nothing() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({}));
    fixture.sts.set_fault(Some(Fault::Hold));
    let token = fixture.token();
    let logins = join_all((0..3).map(|_| server.login(&token)));
    let panics = async {
        eventually("a call", async || !fixture.sts.requests().is_empty()).await;
        PANICS.set(true);
        fixture.sts.set_fault(None);
    };
    let (logins, ()) = tokio::join!(logins, panics);
    PANICS.set(false);
    let shared = ("internal", "shared");
    assert_eq!(logins, [("internal", "miss"), shared, shared]);
    assert_eq!(server.calls(), 0);
    assert_eq!(server.login(&token).await, ("granted", "miss"));
    assert_eq!(server.calls(), 0);
}
