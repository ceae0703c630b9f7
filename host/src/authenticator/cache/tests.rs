use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::login::{self, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::sign;
use ack_ram_core::sts::StsReply;
use ack_ram_tests::sts::demo;
use serde_json::json;

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn cache(size: usize, refusals: usize) -> IdentityCache {
    let metrics = StsMetrics::disabled().unwrap();
    let settings = |size, seconds| CacheSettings {
        size,
        ttl: Duration::from_secs(seconds),
    };
    IdentityCache::new(settings(size, 300), settings(refusals, 10), &metrics)
}

fn unproven() -> Caller {
    Caller {
        credential: CredentialId::from_key(&demo::user_key().id, None),
        standing: CredentialStanding::Unproven,
    }
}

/// Returns the identity that STS reports for a token dated `date`.
fn identity(date: UnixTime) -> Arc<VerifiedIdentity> {
    let cluster = ClusterId::parse("c").unwrap();
    let token = sign::sign_token_v2(&demo::user_key(), &cluster, "test", date).unwrap();
    let Step::CallSts(awaiting) = login::begin(token.expose(), &TokenPolicy::new(cluster), date)
    else {
        panic!("the token was not accepted");
    };
    let body = json!({
        "IdentityType": "RAMUser",
        "AccountId": demo::ACCOUNT,
        "PrincipalId": demo::USER_ID,
        "UserId": demo::USER_ID,
        "Arn": demo::USER_ARN,
        "RequestId": "1",
    });
    let body = body.to_string();
    let reply = StsReply::Response {
        status: 200,
        body: body.as_bytes(),
    };
    Arc::new(awaiting.resume(reply, date).unwrap())
}

fn refusal(code: &str) -> Arc<StsRefusal> {
    Arc::new(StsRefusal {
        code: code.into(),
        request_id: "1".into(),
        status: 403,
    })
}

#[tokio::test(start_paused = true)]
async fn identity_expires_by_either_clock_and_with_its_token() {
    for (age, is_single_use, system, machine, is_known) in [
        (0, false, 299, 299, true),
        (0, false, 300, 300, false),
        // The system clock is set forward, stops, and is set back.
        (0, false, 300, 0, false),
        (0, false, 0, 299, true),
        (0, false, 0, 300, false),
        (0, false, -1_000, 299, true),
        (0, false, -1_000, 300, false),
        // The token expires before the cache entry would.
        (800, false, 99, 99, true),
        (800, false, 100, 100, false),
        (800, false, 0, 100, false),
        (900, false, 0, 0, false),
        (1_000, false, 0, 0, false),
        // A single-use token is cached until it expires, because STS would not accept it again.
        (0, true, 899, 899, true),
        (0, true, 900, 900, false),
        (0, true, -1_000, 900, false),
    ] {
        let cache = cache(10, 10);
        let verified = identity(NOW.plus_seconds(-age));
        cache.insert_identity(&verified, unproven(), is_single_use, NOW);
        tokio::time::advance(Duration::from_secs(machine)).await;
        let now = NOW.plus_seconds(system);
        let known = cache.look_up(verified.fingerprint(), now);
        let case = format!("{age} {is_single_use} {system} {machine}");
        assert_eq!(known.is_some(), is_known, "{case}");
        if !is_known {
            // An expired entry is removed and does not come back.
            assert!(
                cache.look_up(verified.fingerprint(), NOW).is_none(),
                "{case}"
            );
            assert_eq!(cache.unproven.metrics.entries.get(), 0, "{case}");
        }
    }
}

/// The cache is looked up before `core` checks the date of the token.
#[test]
fn cached_identity_is_never_valid_when_its_token_is_not() {
    let cluster = ClusterId::parse("c").unwrap();
    let token = sign::sign_token_v2(&demo::user_key(), &cluster, "test", NOW).unwrap();
    let verified = identity(NOW);
    let cache = cache(10, 10);
    cache.insert_identity(&verified, unproven(), false, NOW);
    for seconds in [0, -1_199, -1_200, -1_201, -72_000] {
        let now = NOW.plus_seconds(seconds);
        let policy = TokenPolicy::new(cluster.clone());
        let is_good = matches!(login::begin(token.expose(), &policy, now), Step::CallSts(_));
        let is_known = cache.look_up(verified.fingerprint(), now).is_some();
        assert_eq!(is_known, is_good, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_that_may_become_grants_are_not_cached() {
    // The age of the token is by the local clock.
    for (code, age, is_kept) in [
        ("SignatureDoesNotMatch", 0, true),
        ("SignatureDoesNotMatch", -1_200, true),
        ("SignatureNonceUsed", 0, true),
        ("InvalidTimeStamp.Expired", 1_200, true),
        ("InvalidTimeStamp.Expired", 0, true),
        // The token is dated in the future.
        ("InvalidTimeStamp.Expired", -1, false),
        ("InvalidTimeStamp.Expired", -1_200, false),
        ("InvalidSecurityToken.Expired", 0, true),
        ("InvalidSecurityToken.Malformed", 0, true),
        ("InvalidSecurityToken.MismatchWithAccessKey", 0, true),
        ("InvalidAccessKeyId.NotFound", 0, false),
        ("InvalidAccessKeyId.Inactive", 0, false),
        ("MissingSecurityToken", 0, false),
        ("NoPermission", 0, false),
        ("Whatever", 0, false),
    ] {
        let cache = cache(10, 10);
        let token = Fingerprint::from_text(code);
        let case = format!("{code} {age}");
        let keep = || {
            let expires = NOW.plus_seconds(STS_WINDOW_SECONDS - age);
            cache.insert_refusal(token, &refusal(code), expires, NOW);
        };
        keep();
        let known = cache.look_up(token, NOW.plus_seconds(9));
        assert_eq!(
            matches!(known, Some(CachedOutcome::Refused(_))),
            is_kept,
            "{case}"
        );
        assert!(cache.look_up(token, NOW.plus_seconds(10)).is_none());
        keep();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(cache.look_up(token, NOW).is_none(), "{case}");
    }
}

/// A single cache for all identities would fail this test.
#[test]
fn unmapped_identities_evict_no_granted_identity() {
    let cache = cache(100, 10);
    // A few identities of each kind, fewer than each shard has room for.
    let mut dates = (0..).map(|age| NOW.plus_seconds(-age));
    let by_standing: Vec<_> = dates.by_ref().take(10).map(identity).collect();
    let granted = Caller {
        standing: CredentialStanding::Granted,
        ..unproven()
    };
    for verified in &by_standing {
        cache.insert_identity(verified, granted, false, NOW);
    }
    let by_decision: Vec<_> = dates.by_ref().take(10).map(identity).collect();
    for verified in &by_decision {
        cache.insert_identity(verified, unproven(), false, NOW);
        cache.promote(verified.fingerprint());
    }
    for date in dates.take(700) {
        cache.insert_identity(&identity(date), unproven(), false, NOW);
    }
    for verified in by_standing.iter().chain(&by_decision) {
        let found = cache.look_up(verified.fingerprint(), NOW);
        assert!(matches!(found, Some(CachedOutcome::Identity(..))));
    }
    assert_eq!(cache.granted.metrics.entries.get(), 20);
    assert_ne!(cache.unproven.metrics.evictions.get(), 0);
}

#[test]
fn flood_of_bad_tokens_stays_bounded_and_evicts_no_identity() {
    let cache = cache(200, 1_000);
    let known: Vec<_> = (0..50)
        .map(|age| identity(NOW.plus_seconds(-age)))
        .collect();
    for verified in &known {
        cache.insert_identity(verified, unproven(), false, NOW);
    }
    let refusal = refusal("SignatureDoesNotMatch");
    for token in 0..100_000 {
        let token = Fingerprint::from_text(&token.to_string());
        cache.insert_refusal(token, &refusal, NOW, NOW);
    }
    for verified in &known {
        let found = cache.look_up(verified.fingerprint(), NOW);
        assert!(matches!(found, Some(CachedOutcome::Identity(..))));
    }
    let refusals = &cache.refusals.metrics;
    // Shards of equal size may exceed the limit by this much.
    assert!((900..=1_100).contains(&refusals.entries.get()));
    // Only cache entries still hold the refusal.
    let held = i64::try_from(Arc::strong_count(&refusal)).unwrap() - 1;
    assert_eq!(held, refusals.entries.get());
    let evicted = i64::try_from(refusals.evictions.get()).unwrap();
    assert_eq!(evicted + held, 100_000);
}

#[test]
fn zero_size_caches_nothing() {
    let cache = cache(0, 0);
    let verified = identity(NOW);
    cache.insert_identity(&verified, unproven(), false, NOW);
    let token = Fingerprint::from_text("bad");
    cache.insert_refusal(token, &refusal("SignatureDoesNotMatch"), NOW, NOW);
    assert!(cache.look_up(verified.fingerprint(), NOW).is_none());
    assert!(cache.look_up(token, NOW).is_none());
}
