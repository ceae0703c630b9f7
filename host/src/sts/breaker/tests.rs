use ack_ram_core::access_key::AccessKeyId;

use super::*;

const SETTINGS: BreakerSettings = BreakerSettings {
    failures: 3,
    pause: Duration::from_secs(5),
    max_pause: Duration::from_secs(30),
};

fn breaker() -> Breaker {
    with(SETTINGS)
}

fn with(settings: BreakerSettings) -> Breaker {
    let shown = IntGauge::new("state", "state").unwrap();
    Breaker::new("sts.example", settings, shown)
}

fn call_of(name: &str, standing: Standing) -> Blame {
    Blame::Caller(Caller {
        credential: CredentialId::of(&AccessKeyId::parse(name).unwrap(), None),
        standing,
    })
}

fn granted(name: &str) -> Blame {
    call_of(name, Standing::Granted)
}

fn unproven(name: &str) -> Blame {
    call_of(name, Standing::Unproven)
}

/// Returns whether the breaker is open after these failures.
fn opens(breaker: &Breaker, failures: &[Blame]) -> bool {
    for failure in failures {
        let _ = breaker.note_failure(*failure);
    }
    breaker.admit().is_err()
}

#[tokio::test(start_paused = true)]
async fn connect_failures_in_a_row_open_it() {
    let breaker = breaker();
    assert!(!opens(&breaker, &[Blame::Endpoint; 2]));
    breaker.note_success();
    assert!(!opens(&breaker, &[Blame::Endpoint; 2]));
    tokio::time::sleep(ROW_GAP + Duration::from_secs(1)).await;
    assert!(!opens(&breaker, &[Blame::Endpoint; 2]));
    assert_eq!(breaker.shown.get(), CLOSED);
    assert!(opens(&breaker, &[Blame::Endpoint]));
    assert_eq!(breaker.shown.get(), OPEN);
}

/// Any three failures open the old one.
#[tokio::test(start_paused = true)]
async fn failures_of_one_credential_never_open_it() {
    for failure in [granted("a"), unproven("a")] {
        let breaker = breaker();
        for _ in 0..1_000 {
            assert!(!opens(&breaker, &[failure]));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(breaker.shown.get(), CLOSED);
    }
}

/// Returns whether one of these failures asks for a probe at once, which then decides.
fn asks_for_probe(breaker: &Breaker, failures: &[Blame]) -> bool {
    let at_once = AfterFailure::Probe { at: Instant::now() };
    let asked = failures
        .iter()
        .filter(|failure| breaker.note_failure(**failure) == at_once)
        .count();
    assert!(
        breaker.admit().is_ok(),
        "calls go through until a probe fails"
    );
    asked > 0
}

/// Whoever knows an access key id can make tokens that claim it, so such failures alone open nothing.
#[tokio::test(start_paused = true)]
async fn failures_of_three_credentials_ask_for_a_probe_if_one_was_granted_a_login() {
    let (a, b, c, d) = (unproven("a"), unproven("b"), unproven("c"), granted("d"));
    for (failures, expected) in [
        (vec![a, b, c], false),
        (vec![a, b, c, a, b, c], false),
        (vec![a, d, a], false),
        (vec![a, d, d, d, a, a], false),
        (vec![a, b, d], true),
        (vec![d, granted("e"), granted("f")], true),
        // A failure to connect speaks of no credential.
        (vec![a, d, Blame::Endpoint, Blame::Endpoint], false),
        (vec![a, d, Blame::Endpoint, c], true),
    ] {
        let case = format!("{failures:?}");
        let breaker = breaker();
        assert_eq!(asks_for_probe(&breaker, &failures), expected, "{case}");
        if expected {
            breaker.begin_probe();
            assert!(breaker.end_probe(false).is_some(), "{case}");
            assert!(breaker.admit().is_err(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_a_live_endpoint_answers_with_open_nothing() {
    let breaker = breaker();
    let failures = [unproven("a"), unproven("b"), granted("victim")];
    for _ in 0..10 {
        assert!(asks_for_probe(&breaker, &failures));
        breaker.begin_probe();
        assert_eq!(breaker.end_probe(true), None);
        assert!(breaker.admit().is_ok());
    }
    assert_eq!(breaker.shown.get(), CLOSED);
}

#[tokio::test(start_paused = true)]
async fn as_many_failures_as_configured_ask_for_a_probe() {
    let settings = BreakerSettings {
        failures: 5,
        ..SETTINGS
    };
    let breaker = with(settings);
    let failures = [granted("a"), granted("b"), granted("c"), granted("c")];
    assert!(!asks_for_probe(&breaker, &failures));
    breaker.note_success();
    assert!(!asks_for_probe(&breaker, &failures));
    assert!(asks_for_probe(&breaker, &[granted("c")]));
}

#[tokio::test(start_paused = true)]
async fn no_success_for_long_asks_for_a_probe_that_opens_it_or_not() {
    let at_once = || AfterFailure::Probe { at: Instant::now() };
    let breaker = breaker();
    for _ in 0..4 {
        let _ = breaker.note_failure(unproven("a"));
    }
    tokio::time::sleep(NO_SUCCESS - Duration::from_secs(1)).await;
    assert_eq!(breaker.note_failure(unproven("b")), AfterFailure::GoOn);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(breaker.note_failure(unproven("a")), at_once());
    // One probe is enough, and until it fails, calls go through.
    assert_eq!(breaker.note_failure(unproven("b")), AfterFailure::GoOn);
    breaker.begin_probe();
    assert!(breaker.admit().is_ok());
    assert_eq!(breaker.end_probe(true), None);
    assert!(breaker.admit().is_ok());
    // The next probe is as far away as the first one was.
    for name in ["a", "b"].repeat(10) {
        assert_eq!(breaker.note_failure(unproven(name)), AfterFailure::GoOn);
    }
    tokio::time::sleep(NO_SUCCESS).await;
    assert_eq!(breaker.note_failure(unproven("a")), at_once());
    assert!(breaker.end_probe(false).is_some());
    assert!(breaker.admit().is_err());
    assert_eq!(breaker.shown.get(), OPEN);
}

#[tokio::test(start_paused = true)]
async fn one_credential_asks_for_no_probe() {
    let breaker = breaker();
    for _ in 0..100 {
        let failure = breaker.note_failure(unproven("a"));
        assert_eq!(failure, AfterFailure::GoOn);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn success_while_a_probe_is_under_way_keeps_it_closed() {
    let breaker = breaker();
    tokio::time::sleep(NO_SUCCESS).await;
    for name in ["a", "b", "a", "b", "a"] {
        let _ = breaker.note_failure(unproven(name));
    }
    breaker.note_success();
    assert_eq!(breaker.end_probe(false), None);
    assert!(breaker.admit().is_ok());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_until_a_probe_succeeds() {
    let breaker = breaker();
    let AfterFailure::Probe { at } = ({
        let _ = breaker.note_failure(Blame::Endpoint);
        let _ = breaker.note_failure(Blame::Endpoint);
        breaker.note_failure(Blame::Endpoint)
    }) else {
        panic!("it is open");
    };
    let mut next = Some(at);
    for at_least in [5, 10, 15, 15] {
        let at = next.unwrap();
        let pause = at.saturating_duration_since(Instant::now());
        let least = Duration::from_secs(at_least);
        assert!(least <= pause && pause <= 2 * least, "{pause:?}");
        assert_eq!(breaker.admit(), Err(pause));
        tokio::time::sleep_until(at).await;
        // However long nobody probes, no call goes through.
        assert_eq!(breaker.admit(), Err(Duration::ZERO));
        breaker.begin_probe();
        assert_eq!(breaker.shown.get(), HALF_OPEN);
        assert_eq!(breaker.admit(), Err(Duration::ZERO));
        next = breaker.end_probe(false);
        assert_eq!(breaker.shown.get(), OPEN);
    }
    breaker.begin_probe();
    assert_eq!(breaker.end_probe(true), None);
    assert_eq!(breaker.shown.get(), CLOSED);
    assert!(!opens(&breaker, &[Blame::Endpoint; 2]), "it counts anew");
}

#[tokio::test(start_paused = true)]
async fn calls_from_before_it_opened_change_nothing() {
    let breaker = breaker();
    assert!(opens(&breaker, &[Blame::Endpoint; 3]));
    breaker.note_success();
    assert!(breaker.admit().is_err());
    breaker.begin_probe();
    assert_eq!(breaker.note_failure(granted("a")), AfterFailure::GoOn);
    breaker.note_success();
    assert_eq!(breaker.shown.get(), HALF_OPEN);
}

#[tokio::test(start_paused = true)]
async fn no_limit_is_no_breaker() {
    let breaker = with(BreakerSettings {
        failures: 0,
        ..SETTINGS
    });
    tokio::time::sleep(NO_SUCCESS).await;
    let failures = [Blame::Endpoint, granted("a"), granted("b"), granted("c")].repeat(50);
    assert!(!opens(&breaker, &failures));
    assert!(!opens(&breaker, &[unproven("d"); 50]));
}
