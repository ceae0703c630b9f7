//! An STS that fails, is slow, or is missing, and many concurrent requests.

use std::time::Duration;

use ack_ram_tests::envoy::{
    Envoy, Listener, Module, Protocol, Upstream, service_cluster, sts_cluster,
};
use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire};
use ack_ram_tests::usage::Usage;
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

fn with_short_timeout(settings: &mut Value) {
    settings["sts"]["timeoutMilliseconds"] = json!(500);
}

#[tokio::test]
async fn unavailable_sts_is_neither_grant_nor_denial() {
    let fixture = EnvoyFixture::start(Module::Small, with_short_timeout);
    let reply = |status, body: &'static str| Fault::Reply {
        status,
        body: Bytes::from_static(body.as_bytes()),
    };
    for (fault, status, said) in [
        (Fault::CloseOnAccept, 503, "not be reached"),
        (Fault::StallOnAccept, 503, "STS"),
        (Fault::ResetOnAccept, 503, "not be reached"),
        (
            Fault::InHandshake(Handshake::OtherAuthority),
            503,
            "not be reached",
        ),
        (Fault::Hang, 503, "not answer in time"),
        (Fault::CloseBeforeHeaders, 503, "not be reached"),
        (Fault::CloseInBody, 503, "STS"),
        (Fault::ContentLengthTooLong, 503, "STS"),
        (Fault::ContentLengthTooShort, 503, "malformed reply"),
        (Fault::HugeHeaders, 503, "STS"),
        (Fault::EndlessBody, 503, "STS"),
        (Fault::Garbage, 503, "malformed reply"),
        (Fault::InHandshake(Handshake::Stall), 503, "STS"),
        (Fault::InHandshake(Handshake::Close), 503, "STS"),
        (Fault::InHandshake(Handshake::Alert), 503, "STS"),
        (Fault::InHandshake(Handshake::PlainText), 503, "STS"),
        (Fault::InHandshake(Handshake::OtherName), 503, "STS"),
        (Fault::InHandshake(Handshake::Expired), 503, "STS"),
        (Fault::OnWire(Wire::ResetBeforeHead), 503, "STS"),
        (Fault::OnWire(Wire::EndlessHead), 503, "STS"),
        (Fault::OnWire(Wire::NoHttp), 503, "STS"),
        (Fault::OnWire(Wire::Http10), 200, ""),
        (Fault::OnWire(Wire::EarlyHints), 200, ""),
        (Fault::OnWire(Wire::EndlessHints), 503, "STS"),
        (Fault::OnWire(Wire::SwitchingProtocols), 503, "STS"),
        (Fault::OnWire(Wire::TwoLengths), 503, "STS"),
        (Fault::OnWire(Wire::ResetInBody), 503, "STS"),
        (Fault::OnWire(Wire::SlowBody), 503, "STS"),
        (Fault::OnWire(Wire::BrokenChunk), 503, "STS"),
        (Fault::ThrottleUser, 503, "in a minute"),
        (Fault::ThrottleApi, 503, "in a minute"),
        (Fault::InternalError, 503, "HTTP status"),
        (Fault::ServiceUnavailable, 503, "HTTP status"),
        (
            Fault::Redirect("https://example.com/".to_owned()),
            503,
            "malformed reply",
        ),
        (reply(200, ""), 503, "malformed reply"),
        (reply(200, "{}"), 503, "malformed reply"),
        (reply(503, "busy"), 503, "not be reached"),
        (reply(404, "nothing here"), 503, "malformed reply"),
        (
            reply(400, r#"{"Code":"SignatureDoesNotMatch"}"#),
            401,
            "Signature",
        ),
        (Fault::ContentType("text/plain"), 200, ""),
        (Fault::Delay(Duration::from_millis(50)), 200, ""),
    ] {
        fixture.set_sts_fault(Some(fault.clone()));
        let token = fixture.token();
        let answer = tokio::time::timeout(LIMIT, fixture.get("/", &token)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{fault:?}: no answer"));
        assert_eq!(
            answer.status,
            status,
            "{fault:?}: {answer:?}\n{}",
            fixture.envoy.log()
        );
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(said), "{fault:?}: {detail}");
        let retry_after = match (status, detail.contains("in a minute")) {
            (503, true) => "60",
            (503, false) => "1",
            _ => "",
        };
        assert_eq!(
            answer.header("retry-after"),
            retry_after,
            "{fault:?}: {answer:?}"
        );
        let passed = usize::from(status == 200);
        assert_eq!(fixture.service.take().len(), passed, "{fault:?}");

        // The same token is granted once STS works again. The failure is not cached.
        fixture.set_sts_fault(None);
        let answer = fixture.get("/", &token).await;
        assert_eq!(answer.status, 200, "after {fault:?}: {answer:?}");
        assert_eq!(fixture.only_request().all("x-remote-user"), ["alice"]);
    }
    let usage = Usage::read_process(fixture.envoy.pid()).unwrap();
    assert!(usage.peak_kib < 600_000, "{usage:?}");
}

#[tokio::test]
async fn interrupted_call_is_retried_once() {
    let fixture = EnvoyFixture::start(Module::Small, |_| ());
    for fault in [
        Fault::CloseOnAccept,
        Fault::ResetOnAccept,
        Fault::InHandshake(Handshake::Close),
        Fault::CloseBeforeHeaders,
        Fault::OnWire(Wire::ResetBeforeHead),
        Fault::CloseInBody,
    ] {
        fixture.set_sts_fault(None);
        fixture.sts.clear_requests();
        fixture.sts.fault_next(1, fault.clone());
        let answer = fixture.get("/", &fixture.token()).await;
        assert_eq!(answer.status, 200, "{fault:?}: {answer:?}");
        assert_eq!(fixture.only_request().all("x-remote-user"), ["alice"]);
        // STS records one request if the fault acts on the connection.
        let tries = match fault {
            Fault::CloseOnAccept | Fault::ResetOnAccept | Fault::InHandshake(_) => 1,
            _ => 2,
        };
        assert_eq!(fixture.sts.requests().len(), tries, "{fault:?}");
    }
    // A second failure is final.
    fixture
        .sts
        .set_fault(Some(Fault::OnWire(Wire::ResetBeforeHead)));
    fixture.sts.clear_requests();
    let answer = fixture.get("/", &fixture.token()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(fixture.sts.requests().len(), 2);
}

#[tokio::test]
async fn missing_sts_cluster_grants_no_access() {
    let service = Upstream::start().unwrap();
    let fixture = listener(MAIN, Module::Small, |_| ());
    let mut envoy = Envoy::start(&[service_cluster(service.address())], &[fixture]).unwrap();
    let sts = Emulator::builder().demo().start().unwrap();
    let cluster = ack_ram_core::cluster_id::ClusterId::parse(ack_ram_tests::callers::CLUSTER);
    let key = ack_ram_tests::sts::demo::user_key();
    let token =
        ack_ram_core::sign::sign_token_v2(&key, &cluster.unwrap(), "test", sts.now()).unwrap();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let client = envoy.client(MAIN, protocol);
        let answer = client.get("/", &[("authorization", &bearer(&token))]).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after") == "1", "{answer:?}");
        assert!(service.take().is_empty());
    }
    envoy
        .wait_for_log("`sts.cluster`")
        .unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn forged_sts_grants_no_access() {
    // An STS with another name in its certificate, and an STS with another authority.
    let other_name = Emulator::builder()
        .demo()
        .name("sts.example.com")
        .start()
        .unwrap();
    let other_ca = Emulator::builder()
        .demo()
        .name("sts.aliyuncs.com")
        .start()
        .unwrap();
    for (name, forged) in [("name", &other_name), ("authority", &other_ca)] {
        let fixture = EnvoyFixture::with_sts(
            |sts| {
                let mut cluster = sts_cluster(forged);
                if name == "authority" {
                    let tls = &mut cluster["transport_socket"]["typed_config"];
                    let validation = &mut tls["common_tls_context"]["validation_context"];
                    validation["trusted_ca"]["inline_string"] = json!(sts.ca_pem());
                }
                cluster
            },
            &[listener(MAIN, Module::Small, |_| ())],
        );
        let answer = fixture.get("/", &fixture.token()).await;
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert!(forged.requests().is_empty(), "{name}");
        assert!(fixture.service.take().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn equal_tokens_share_one_call_despite_closed_streams() {
    let fixture = EnvoyFixture::start(Module::Small, |_| ());
    let token = bearer(&fixture.token());
    fixture
        .sts
        .fault_next(1, Fault::Delay(Duration::from_secs(2)));
    let client = fixture.client(Protocol::Http2);
    let headers = [("authorization", &*token)];
    // The first client disconnects before STS answers.
    let leader = tokio::time::timeout(Duration::from_millis(700), client.get("/", &headers));
    let followers = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        join_all((0..20).map(|_| client.get("/", &headers))).await
    };
    let (leader, followers) = tokio::join!(leader, followers);
    assert!(leader.is_err(), "{leader:?}");
    for answer in followers {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(fixture.sts.requests().len(), 1);
    assert_eq!(fixture.service.take().len(), 20);
}

#[tokio::test]
async fn waiting_requests_are_limited() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["sts"]["maxWaiting"] = json!(8);
        settings["sts"]["maxCalls"] = json!(2);
        settings["sts"]["timeoutMilliseconds"] = json!(3_000);
    });
    fixture
        .sts
        .set_fault(Some(Fault::Delay(Duration::from_millis(300))));
    let tokens: Vec<String> = (0..30).map(|_| bearer(&fixture.token())).collect();
    let client = fixture.client(Protocol::Http1);
    let send = async |token: &String| client.get("/", &[("authorization", token)]).await;
    let answers = join_all(tokens.iter().map(send)).await;
    let mut statuses: Vec<u16> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().status.as_u16())
        .collect();
    statuses.sort_unstable();
    let granted = statuses.iter().filter(|status| **status == 200).count();
    assert!(
        statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert!((8..30).contains(&granted), "{statuses:?}");
    // Rejected requests get `Retry-After`, and no request waits any more.
    let rejected = answers
        .iter()
        .flatten()
        .find(|answer| answer.status == 503)
        .unwrap();
    assert_eq!(rejected.header("retry-after"), "1");
    assert_eq!(fixture.envoy.stat("wasmcustom.ack_ram.waiting"), 0);
    fixture.sts.set_fault(None);
    assert_eq!(fixture.get("/", &fixture.token()).await.status, 200);
}

#[tokio::test]
async fn closed_stream_frees_waiting_slot() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["sts"]["maxWaiting"] = json!(1);
        settings["sts"]["timeoutMilliseconds"] = json!(30_000);
    });
    fixture.sts.fault_next(1, Fault::Hang);
    let (client, token) = (fixture.client(Protocol::Http2), bearer(&fixture.token()));
    let waiting =
        tokio::spawn(async move { client.get("/", &[("authorization", &token)]).await.is_ok() });
    while fixture.sts.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(fixture.get("/", &fixture.token()).await.status, 503);
    waiting.abort();
    let _cancelled = waiting.await;
    while fixture.get("/", &fixture.token()).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The call of the closed stream is still in flight.
    assert_eq!(fixture.envoy.stat("wasmcustom.ack_ram.sts.unanswered"), 0);
}

#[tokio::test]
async fn cached_identity_needs_no_call_until_it_expires() {
    let fixture = EnvoyFixture::with_listeners(&[
        listener(MAIN, Module::Small, |settings| {
            settings["cache"] = json!({ "ttlSeconds": 2, "size": 10 });
        }),
        Listener::new("none", Vec::new()),
    ]);
    let token = fixture.token();
    for _ in 0..5 {
        assert_eq!(fixture.get("/", &token).await.status, 200);
    }
    assert_eq!(fixture.sts.requests().len(), 1);
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_eq!(fixture.get("/", &token).await.status, 200);
    assert_eq!(fixture.sts.requests().len(), 2);
    // Many more tokens than the cache can hold: each gets its own identity, and the cache stays within its size.
    for _ in 0..60 {
        assert_eq!(fixture.get("/", &fixture.token()).await.status, 200);
    }
    assert!(fixture.envoy.stat("wasmcustom.ack_ram.cached") <= 10);
    let granted = fixture.envoy.stat("wasmcustom.ack_ram.logins.granted");
    assert_eq!(granted, 66);
    assert_eq!(fixture.envoy.stat("wasmcustom.ack_ram.sts.calls"), 62);
}
