use ack_ram_core::access_key::AccessKeyId;

use super::*;

const SETTINGS: BreakerSettings = BreakerSettings {
    failures: 3,
    pause: Duration::from_secs(5),
    max_pause: Duration::from_secs(30),
};

fn breaker() -> Breaker {
    breaker_with(SETTINGS)
}

fn breaker_with(settings: BreakerSettings) -> Breaker {
    let state_gauge = IntGauge::new("state", "state").unwrap();
    Breaker::new("sts.example", settings, state_gauge)
}

fn call_of(name: &str, standing: CredentialStanding) -> FailureScope {
    FailureScope::Caller(Caller {
        credential: CredentialId::from_key(&AccessKeyId::parse(name).unwrap(), None),
        standing,
    })
}

fn granted(name: &str) -> FailureScope {
    call_of(name, CredentialStanding::Granted)
}

fn unproven(name: &str) -> FailureScope {
    call_of(name, CredentialStanding::Unproven)
}

/// Returns whether the breaker is open after these failures.
fn opens_breaker(breaker: &Breaker, failures: &[FailureScope]) -> bool {
    for failure in failures {
        let _ = breaker.note_failure(*failure);
    }
    breaker.admit().is_err()
}

#[tokio::test(start_paused = true)]
async fn consecutive_connect_failures_open_breaker() {
    let breaker = breaker();
    assert!(!opens_breaker(&breaker, &[FailureScope::Endpoint; 2]));
    breaker.note_success();
    assert!(!opens_breaker(&breaker, &[FailureScope::Endpoint; 2]));
    tokio::time::sleep(MAX_STREAK_GAP + Duration::from_secs(1)).await;
    assert!(!opens_breaker(&breaker, &[FailureScope::Endpoint; 2]));
    assert_eq!(breaker.state_gauge.get(), CLOSED);
    assert!(opens_breaker(&breaker, &[FailureScope::Endpoint]));
    assert_eq!(breaker.state_gauge.get(), OPEN);
}

/// A breaker that counts any three failures would fail this test.
#[tokio::test(start_paused = true)]
async fn failures_of_one_credential_keep_breaker_closed() {
    for failure in [granted("a"), unproven("a")] {
        let breaker = breaker();
        for _ in 0..1_000 {
            assert!(!opens_breaker(&breaker, &[failure]));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(breaker.state_gauge.get(), CLOSED);
    }
}

/// Returns whether one of these failures requests an immediate probe.
fn requests_probe(breaker: &Breaker, failures: &[FailureScope]) -> bool {
    let immediately = AfterFailure::Probe { at: Instant::now() };
    let requested = failures
        .iter()
        .filter(|failure| breaker.note_failure(**failure) == immediately)
        .count();
    assert!(
        breaker.admit().is_ok(),
        "calls go through until a probe fails"
    );
    requested > 0
}

/// Anyone who knows an access key ID can make tokens that claim it, so such failures alone do not open the breaker.
#[tokio::test(start_paused = true)]
async fn failures_of_three_credentials_with_a_grant_request_probe() {
    let (a, b, c, d) = (unproven("a"), unproven("b"), unproven("c"), granted("d"));
    for (failures, expected) in [
        (vec![a, b, c], false),
        (vec![a, b, c, a, b, c], false),
        (vec![a, d, a], false),
        (vec![a, d, d, d, a, a], false),
        (vec![a, b, d], true),
        (vec![d, granted("e"), granted("f")], true),
        // A failure to connect concerns no credential.
        (
            vec![a, d, FailureScope::Endpoint, FailureScope::Endpoint],
            false,
        ),
        (vec![a, d, FailureScope::Endpoint, c], true),
    ] {
        let case = format!("{failures:?}");
        let breaker = breaker();
        assert_eq!(requests_probe(&breaker, &failures), expected, "{case}");
        if expected {
            breaker.begin_probe();
            assert!(breaker.end_probe(false).is_some(), "{case}");
            assert!(breaker.admit().is_err(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn error_responses_of_live_endpoint_keep_breaker_closed() {
    let breaker = breaker();
    let failures = [unproven("a"), unproven("b"), granted("victim")];
    for _ in 0..10 {
        assert!(requests_probe(&breaker, &failures));
        breaker.begin_probe();
        assert_eq!(breaker.end_probe(true), None);
        assert!(breaker.admit().is_ok());
    }
    assert_eq!(breaker.state_gauge.get(), CLOSED);
}

#[tokio::test(start_paused = true)]
async fn configured_number_of_failures_requests_probe() {
    let settings = BreakerSettings {
        failures: 5,
        ..SETTINGS
    };
    let breaker = breaker_with(settings);
    let failures = [granted("a"), granted("b"), granted("c"), granted("c")];
    assert!(!requests_probe(&breaker, &failures));
    breaker.note_success();
    assert!(!requests_probe(&breaker, &failures));
    assert!(requests_probe(&breaker, &[granted("c")]));
}

#[tokio::test(start_paused = true)]
async fn long_silence_requests_probe_that_decides() {
    let immediately = || AfterFailure::Probe { at: Instant::now() };
    let breaker = breaker();
    for _ in 0..4 {
        let _ = breaker.note_failure(unproven("a"));
    }
    tokio::time::sleep(SUSPICIOUS_SILENCE - Duration::from_secs(1)).await;
    assert_eq!(breaker.note_failure(unproven("b")), AfterFailure::Nothing);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(breaker.note_failure(unproven("a")), immediately());
    // One probe is enough. Calls go through until it fails.
    assert_eq!(breaker.note_failure(unproven("b")), AfterFailure::Nothing);
    breaker.begin_probe();
    assert!(breaker.admit().is_ok());
    assert_eq!(breaker.end_probe(true), None);
    assert!(breaker.admit().is_ok());
    // The next probe needs as much silence as the first one.
    for name in ["a", "b"].repeat(10) {
        assert_eq!(breaker.note_failure(unproven(name)), AfterFailure::Nothing);
    }
    tokio::time::sleep(SUSPICIOUS_SILENCE).await;
    assert_eq!(breaker.note_failure(unproven("a")), immediately());
    assert!(breaker.end_probe(false).is_some());
    assert!(breaker.admit().is_err());
    assert_eq!(breaker.state_gauge.get(), OPEN);
}

#[tokio::test(start_paused = true)]
async fn failures_of_one_credential_request_no_probe() {
    let breaker = breaker();
    for _ in 0..100 {
        let failure = breaker.note_failure(unproven("a"));
        assert_eq!(failure, AfterFailure::Nothing);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn success_during_probe_keeps_breaker_closed() {
    let breaker = breaker();
    tokio::time::sleep(SUSPICIOUS_SILENCE).await;
    for name in ["a", "b", "a", "b", "a"] {
        let _ = breaker.note_failure(unproven(name));
    }
    breaker.note_success();
    assert_eq!(breaker.end_probe(false), None);
    assert!(breaker.admit().is_ok());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_until_probe_succeeds() {
    let breaker = breaker();
    let AfterFailure::Probe { at } = ({
        let _ = breaker.note_failure(FailureScope::Endpoint);
        let _ = breaker.note_failure(FailureScope::Endpoint);
        breaker.note_failure(FailureScope::Endpoint)
    }) else {
        panic!("the breaker is not open");
    };
    let mut next = Some(at);
    for at_least in [5, 10, 15, 15] {
        let at = next.unwrap();
        let pause = at.saturating_duration_since(Instant::now());
        let least = Duration::from_secs(at_least);
        assert!(least <= pause && pause <= 2 * least, "{pause:?}");
        assert_eq!(breaker.admit(), Err(pause));
        tokio::time::sleep_until(at).await;
        // Without a probe, no call goes through, however long it takes.
        assert_eq!(breaker.admit(), Err(Duration::ZERO));
        breaker.begin_probe();
        assert_eq!(breaker.state_gauge.get(), HALF_OPEN);
        assert_eq!(breaker.admit(), Err(Duration::ZERO));
        next = breaker.end_probe(false);
        assert_eq!(breaker.state_gauge.get(), OPEN);
    }
    breaker.begin_probe();
    assert_eq!(breaker.end_probe(true), None);
    assert_eq!(breaker.state_gauge.get(), CLOSED);
    assert!(
        !opens_breaker(&breaker, &[FailureScope::Endpoint; 2]),
        "the count starts again"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_from_before_opening_change_nothing() {
    let breaker = breaker();
    assert!(opens_breaker(&breaker, &[FailureScope::Endpoint; 3]));
    breaker.note_success();
    assert!(breaker.admit().is_err());
    breaker.begin_probe();
    assert_eq!(breaker.note_failure(granted("a")), AfterFailure::Nothing);
    breaker.note_success();
    assert_eq!(breaker.state_gauge.get(), HALF_OPEN);
}

#[tokio::test(start_paused = true)]
async fn zero_failures_disable_breaker() {
    let breaker = breaker_with(BreakerSettings {
        failures: 0,
        ..SETTINGS
    });
    tokio::time::sleep(SUSPICIOUS_SILENCE).await;
    let failures = [
        FailureScope::Endpoint,
        granted("a"),
        granted("b"),
        granted("c"),
    ]
    .repeat(50);
    assert!(!opens_breaker(&breaker, &failures));
    assert!(!opens_breaker(&breaker, &[unproven("d"); 50]));
}
