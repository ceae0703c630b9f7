//! Which endpoint is asked, how often, and when it is left alone.

use std::time::Duration;

use ack_ram_tests::sts::{Fault, SeenRequest};
use futures_util::future::join_all;

use super::*;

/// How many requests the two endpoints got.
fn requests(world: &World) -> (usize, usize) {
    (world.sts.requests().len(), world.other.requests().len())
}

fn calls(server: &Server, emulator: &Emulator) -> crate::metrics::StsCalls {
    server.metrics.endpoint(&emulator.endpoint())
}

#[tokio::test]
async fn what_may_be_sent_again_is_and_nothing_else() {
    let failing = "sts_failing";
    let cases = [
        (None, false, "granted", (1, 0)),
        (None, true, "granted", (1, 0)),
        // A token v2 is good any number of times.
        (Some(Fault::CloseBeforeHeaders), false, "granted", (2, 1)),
        (Some(Fault::CloseInBody), false, "granted", (2, 1)),
        (Some(Fault::InternalError), false, "granted", (1, 1)),
        (Some(Fault::ServiceUnavailable), false, "granted", (1, 1)),
        (Some(Fault::Hang), false, "granted", (1, 1)),
        // STS may have spent the nonce of a token v1.
        (
            Some(Fault::CloseBeforeHeaders),
            true,
            "sts_unreachable",
            (1, 0),
        ),
        (Some(Fault::CloseInBody), true, "sts_unreachable", (1, 0)),
        (Some(Fault::InternalError), true, failing, (1, 0)),
        (Some(Fault::Hang), true, "sts_timed_out", (1, 0)),
        // Nothing was sent.
        (Some(Fault::CloseOnAccept), false, "granted", (0, 1)),
        (Some(Fault::CloseOnAccept), true, "granted", (0, 1)),
        (Some(Fault::StallOnAccept), true, "granted", (0, 1)),
        // The endpoint answers: another would say the same.
        (Some(Fault::ThrottleUser), false, "sts_throttled", (1, 0)),
        (Some(Fault::Garbage), false, "sts_odd_answer", (1, 0)),
        (Some(Fault::EndlessBody), false, "sts_odd_answer", (1, 0)),
    ];
    // Together, since some wait: so long that the other endpoint is in time on any machine.
    join_all(cases.map(async |(fault, is_v1, result, expected)| {
        let world = World::new();
        let mut settings = json!({ "fallbackEndpoints": [world.other.url()] });
        if matches!(fault, Some(Fault::Hang | Fault::StallOnAccept)) {
            settings["connectTimeout"] = "5s".into();
            settings["timeout"] = "10s".into();
        }
        let server = world.server(&settings);
        world.sts.set_fault(fault.clone());
        let token = if is_v1 {
            world.v1_token()
        } else {
            world.token()
        };
        let (told, _) = server.login(&token).await;
        let case = format!("{fault:?}, v1: {is_v1}");
        assert_eq!((told, requests(&world)), (result, expected), "{case}");
        let fallbacks = calls(&server, &world.other).fallbacks.get();
        assert_eq!(fallbacks, u64::from(expected.1 > 0), "{case}");
    }))
    .await;
}

#[tokio::test]
async fn no_other_endpoint_is_asked_unless_it_is_named() {
    let world = World::new();
    let server = world.server(&json!({}));
    world.sts.set_fault(Some(Fault::InternalError));
    let (told, _) = server.login(&world.token()).await;
    assert_eq!((told, requests(&world)), ("sts_failing", (1, 0)));
}

/// Three credentials, of which the rules grant logins of the first one.
fn three_keys() -> [AccessKey; 3] {
    [demo::user_key(), demo::stranger_key(), demo::session_key()]
}

#[tokio::test]
async fn an_endpoint_that_fails_again_and_again_is_left_alone() {
    for fault in [
        Fault::CloseOnAccept,
        Fault::CloseBeforeHeaders,
        Fault::InternalError,
        Fault::Hang,
    ] {
        let world = World::new();
        let hangs = fault == Fault::Hang;
        let server = world.server(&json!({
            "breakerFailures": 3,
            "breakerPause": "5m",
            "breakerMaxPause": "5m",
            "timeout": if hangs { "5s" } else { "30s" },
        }));
        assert_eq!(server.login(&world.token()).await.0, "granted");
        world.sts.set_fault(Some(fault.clone()));
        world.sts.cut_connections();
        let keys = three_keys();
        let logins = keys.iter().map(async |key| {
            let (told, _) = server.login(&world.token_of(key)).await;
            assert_ne!(told, "granted", "{fault:?}");
        });
        join_all(logins).await;
        // A probe decides, and meets the same fault.
        while calls(&server, &world.sts).breaker.get() != 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.sts.set_fault(None);
        world.sts.clear_requests();
        let connections = world.sts.connections();
        let date = world.dates.next();
        let token = token_dated(&demo::user_key(), date);
        let decided = server
            .authenticator
            .decide(&token, AskedBy::ApiServer)
            .await;
        assert_eq!(decided.decision.code(), "sts_unreachable", "{fault:?}");
        let cause = decided.cause.unwrap();
        assert!(cause.contains("the next probe is in"), "{fault:?}: {cause}");
        assert_eq!(calls(&server, &world.sts).breaker.get(), 2, "{fault:?}");
        let date = date.to_string();
        let seen = world.sts.requests();
        let is_it = |seen: &SeenRequest| seen.headers["x-acs-date"] == *date;
        assert!(!seen.iter().any(is_it), "{fault:?}");
        // What was given up may arrive only now where STS was slower than the call was patient.
        if !hangs {
            assert_eq!(requests(&world), (0, 0), "{fault:?}");
            assert_eq!(world.sts.connections(), connections, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn what_one_caller_can_cause_keeps_nobody_from_the_endpoint() {
    for fault in [
        Fault::InternalError,
        Fault::CloseBeforeHeaders,
        Fault::CloseInBody,
    ] {
        let world = World::new();
        let server = world.server(&json!({ "breakerFailures": 1, "breakerPause": "5m" }));
        let attacker = demo::stranger_key();
        world.sts.set_fault_of_key(&attacker.id, fault.clone());
        for round in 0..10 {
            let (told, _) = server.login(&world.token_of(&attacker)).await;
            assert!(told.starts_with("sts_"), "{fault:?}: {told}");
            // The attacker's failures follow each other in the first rounds.
            if round > 5 {
                let victim = server.login(&world.token()).await;
                assert_eq!(victim, ("granted", "miss"), "{fault:?}");
            }
            assert_eq!(calls(&server, &world.sts).breaker.get(), 0, "{fault:?}");
        }
        assert!(world.sts.probes().is_empty());
    }
}

#[tokio::test]
async fn probe_holds_no_token_and_finds_out_that_the_endpoint_is_back() {
    let world = World::new();
    let server = world.server(&json!({
        "breakerFailures": 1, "breakerPause": "10ms", "breakerMaxPause": "20ms",
    }));
    assert_eq!(server.login(&world.token()).await.0, "granted");
    world.sts.set_fault(Some(Fault::InternalError));
    for key in three_keys() {
        server.login(&world.token_of(&key)).await;
    }
    let breaker = calls(&server, &world.sts).breaker;
    let until = async |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // Without a login, probes are sent until one is answered.
    until(&|| world.sts.probes().len() >= 3).await;
    assert_ne!(breaker.get(), 0);
    let calls = requests(&world);
    assert_eq!(server.login(&world.token()).await.0, "sts_unreachable");
    assert_eq!(requests(&world), calls);
    world.sts.set_fault(None);
    until(&|| breaker.get() == 0).await;
    assert_eq!(server.login(&world.token()).await.0, "granted");
    for probe in world.sts.probes() {
        assert_eq!((probe.method.as_str(), &*probe.target), ("GET", "/"));
        assert_eq!(probe.header_names(), ["host", "user-agent"]);
        assert!(probe.body.is_empty());
    }
}

#[tokio::test]
async fn answer_to_a_probe_leaves_the_breaker_closed_while_calls_fail() {
    let world = World::new();
    let server = world.server(&json!({
        "breakerFailures": 1, "breakerPause": "10ms", "breakerMaxPause": "20ms",
    }));
    assert_eq!(server.login(&world.token()).await.0, "granted");
    world.sts.set_fault_of_calls(Fault::InternalError);
    for key in three_keys() {
        server.login(&world.token_of(&key)).await;
    }
    let breaker = calls(&server, &world.sts).breaker;
    while world.sts.probes().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(breaker.get(), 0);
    assert_eq!(server.login(&world.token()).await.0, "sts_failing");
}

#[tokio::test]
async fn probes_end_with_the_client() {
    let world = World::new();
    let server = world.server(&json!({
        "breakerFailures": 1, "breakerPause": "1ms", "breakerMaxPause": "1ms",
    }));
    world.sts.set_fault(Some(Fault::CloseOnAccept));
    assert_eq!(server.login(&world.token()).await.0, "sts_unreachable");
    let tasks = || {
        let metrics = tokio::runtime::Handle::current().metrics();
        metrics.num_alive_tasks()
    };
    assert_ne!(tasks(), 0);
    drop(server);
    while tasks() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_callers_can_cause_leaves_the_endpoint_open() {
    let world = World::new();
    let server = world.server(&json!({ "breakerFailures": 1, "breakerPause": "5m" }));
    let unknown = AccessKey {
        id: ack_ram_core::access_key::AccessKeyId::parse("LTAINobody").unwrap(),
        ..demo::user_key()
    };
    for fault in [
        Fault::ThrottleUser,
        Fault::ThrottleApi,
        Fault::Garbage,
        Fault::EndlessBody,
        Fault::ContentLengthTooShort,
        Fault::Redirect("https://127.0.0.1:1/".to_owned()),
    ] {
        world.sts.set_fault(Some(fault));
        assert_ne!(server.login(&world.token()).await.0, "granted");
    }
    world.sts.set_fault(None);
    let refused = server.login(&world.token_of(&unknown)).await;
    assert_eq!(refused, ("sts_refused", "miss"));
    assert_eq!(server.login(&world.token()).await, ("granted", "miss"));
}

#[tokio::test]
async fn a_call_that_waited_long_for_its_place_says_nothing_of_the_endpoint() {
    let world = World::new();
    let server = world.server(&json!({ "maxCalls": 1, "timeout": "16s", "breakerFailures": 1 }));
    world.sts.set_fault(Some(Fault::Hold));
    let tokens = [world.token(), world.token()];
    // The one before it takes more than half of its time, and leaves enough to be asked in on any machine.
    let first_is_answered = async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        world.sts.set_fault(Some(Fault::Hang));
    };
    let (first, second, ()) = tokio::join!(
        server.login(&tokens[0]),
        server.login(&tokens[1]),
        first_is_answered
    );
    assert_eq!(first, ("granted", "miss"));
    assert_eq!(second, ("sts_timed_out", "miss"));
    assert_eq!(calls(&server, &world.sts).breaker.get(), 0);
}

#[tokio::test]
async fn while_one_endpoint_is_left_alone_the_next_serves_every_token() {
    let world = World::new();
    let server = world.server(&json!({
        "fallbackEndpoints": [world.other.url()],
        "breakerFailures": 1, "breakerPause": "5m", "breakerMaxPause": "5m",
    }));
    world.sts.set_fault(Some(Fault::CloseOnAccept));
    assert_eq!(server.login(&world.token()).await, ("granted", "miss"));
    assert_eq!(server.login(&world.v1_token()).await, ("granted", "miss"));
    assert_eq!(server.login(&world.token()).await, ("granted", "miss"));
    assert_eq!(requests(&world), (0, 3));
    world.other.set_fault(Some(Fault::CloseOnAccept));
    world.other.cut_connections();
    assert_eq!(server.login(&world.token()).await.0, "sts_unreachable");
    let decided = server
        .authenticator
        .decide(&world.token(), AskedBy::ApiServer)
        .await;
    let cause = decided.cause.unwrap();
    for endpoint in [&world.sts, &world.other] {
        let says = format!("{}: it failed again and again", endpoint.endpoint());
        assert!(cause.contains(&says), "{cause}");
    }
}
