//! Invalid configurations, and new configurations under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_tests::envoy::{Envoy, Module, Protocol, Upstream, service_cluster};
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::sts::{Fault, demo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

/// Changes that make a configuration invalid, with a part of Envoy's log.
const BAD: [(&str, &str); 6] = [
    (r#"{ "clusterID": "" }"#, "not a valid cluster ID"),
    (r#"{ "mapUsers": [] }"#, "no identity could log in"),
    (
        r#"{ "requiredGroup": ["ops"] }"#,
        "`requiredGroup` is an unknown key",
    ),
    (r#"{ "bypass": ["/a/../b"] }"#, "`bypass` has"),
    (
        r#"{ "token": { "header": "cookie" } }"#,
        "cannot carry a token",
    ),
    (
        r#"{ "mapRules": [{ "match": "true", "username": "x" }] }"#,
        "mapRules[0]",
    ),
];

fn change(settings: &mut Value, changes: &str) {
    let changes: Value = serde_json::from_str(changes).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        settings[key] = value.clone();
    }
    if changes["mapUsers"].is_array() {
        settings["mapRoles"] = json!([]);
    }
}

#[tokio::test]
async fn invalid_configuration_fails_start() {
    let service = Upstream::start().unwrap();
    for (changes, said) in BAD {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("envoy.json");
        let listener = listener(MAIN, Module::Small, |settings| change(settings, changes));
        let mut resource = listener.resource();
        // Static listeners have no `@type`.
        resource.as_object_mut().unwrap().remove("@type");
        let bootstrap = json!({
            "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 }}},
            "static_resources": {
                "clusters": [service_cluster(service.address())],
                "listeners": [resource],
            },
        });
        std::fs::write(&file, bootstrap.to_string()).unwrap();
        let Err(refused) = Envoy::run(&file, folder) else {
            panic!("Envoy has started with {changes}");
        };
        let log = refused.log();
        assert!(log.contains("configuration refused: "), "{changes}: {log}");
        assert!(log.contains(said), "{changes}: {log}");
    }
}

#[tokio::test]
async fn invalid_update_keeps_last_good() {
    let mut fixture = EnvoyFixture::start(Module::Small, |_| ());
    for (changes, said) in BAD {
        let bad = listener(MAIN, Module::Small, |settings| change(settings, changes));
        fixture.envoy.forget_log();
        fixture.envoy.update(&[bad]).expect_err(changes);
        fixture
            .envoy
            .wait_for_log(said)
            .unwrap_or_else(|error| panic!("{changes}: {error}"));
        assert_eq!(
            fixture.get("/", &fixture.token()).await.status,
            200,
            "{changes}"
        );
        assert_eq!(fixture.only_request().all("x-remote-user"), ["alice"]);
        let answer = fixture.client(Protocol::Http1).get("/", &[]).await.unwrap();
        assert_eq!(answer.status, 401, "{changes}");
    }
}

/// Sets a timeout of calls to STS that is long enough for a slow machine.
fn with_long_timeout(settings: &mut Value) {
    settings["sts"]["timeoutMilliseconds"] = json!(30_000);
}

/// Waits until STS receives a request with the signature in `token`.
async fn wait_for_call(fixture: &EnvoyFixture, token: &Secret) {
    let payload = token.expose().trim_start_matches("k8s-ack-v2.");
    let payload = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
    eventually("a call", async || {
        let requests = fixture.sts.requests();
        let mut signed = requests
            .iter()
            .map(|request| &request.headers["authorization"]);
        signed.any(|signed| payload.contains(signed.to_str().unwrap()))
    })
    .await;
}

/// Returns the number of answered requests of each kind.
fn loads(counts: &[AtomicUsize; 3]) -> [usize; 3] {
    counts.each_ref().map(|count| count.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_under_load_neither_drop_nor_bypass_requests() {
    let mut fixture =
        EnvoyFixture::with_workers(2, &[listener(MAIN, Module::Small, with_long_timeout)]);
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicUsize; 3]> = Arc::default();
    let alice = bearer(&fixture.token());
    let stranger = bearer(&fixture.token_of(&demo::stranger_key()));
    let mut tasks = Vec::new();
    for (kind, token, expected) in [
        (0, Some(alice), 200),
        (1, Some(stranger), 401),
        (2, None, 401),
    ] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let client = fixture.client(protocol);
            let (stop, counts, token) = (Arc::clone(&stop), Arc::clone(&counts), token.clone());
            tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let headers = token.as_deref().map(|token| ("authorization", token));
                    let answer = client.get("/load", headers.as_slice()).await;
                    let answer = answer.unwrap_or_else(|error| panic!("{protocol:?}: {error:?}"));
                    assert_eq!(answer.status, expected, "{protocol:?} {kind}: {answer:?}");
                    counts[kind].fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
    }
    let mut updates = 0;
    for round in 0..12 {
        let before = loads(&counts);
        // A request waits for STS while the configuration changes. The configuration at its arrival decides.
        fixture.sts.set_fault(Some(Fault::Hold));
        let (client, token) = (fixture.client(Protocol::Http1), fixture.token());
        let (path, bearer) = (format!("/waiting/{round}"), bearer(&token));
        let waiting = tokio::spawn(async move {
            let answer = client.get(&path, &[("authorization", &bearer)]).await;
            answer.unwrap_or_else(|error| panic!("{error:?}"))
        });
        wait_for_call(&fixture, &token).await;
        let new = listener(MAIN, Module::Small, |settings| {
            with_long_timeout(settings);
            settings["mapUsers"][0]["groups"] = json!([format!("round-{round}")]);
        });
        tokio::task::block_in_place(|| fixture.envoy.update(&[new])).unwrap();
        updates += 1;
        if round % 3 == 0 {
            let bad = listener(MAIN, Module::Small, |settings| change(settings, BAD[1].0));
            tokio::task::block_in_place(|| fixture.envoy.update(&[bad])).unwrap_err();
        }
        fixture.sts.set_fault(None);
        let answer = waiting.await.unwrap();
        assert_eq!(answer.status, 200, "{round}: {answer:?}");
        // The new configuration takes effect soon.
        let wanted = format!("round-{round}");
        let mut tries = 0;
        loop {
            let answer = fixture.get("/after", &fixture.token()).await;
            assert_eq!(answer.status, 200);
            let received = fixture.service.take();
            let waited = format!("/waiting/{round}");
            for request in &received {
                assert_eq!(request.all("x-remote-user"), ["alice"], "{request:?}");
                let groups = request.all("x-remote-group");
                if request.target == waited && round > 0 {
                    assert_eq!(groups, [format!("round-{}", round - 1)], "{request:?}");
                }
            }
            let after = received.iter().find(|request| request.target == "/after");
            if after.is_some_and(|request| request.all("x-remote-group") == [&*wanted]) {
                break;
            }
            tries += 1;
            assert!(
                tries < 1_000,
                "{wanted} is not in effect: {}",
                fixture.envoy.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Each update happens under requests of every kind, even on a slow machine.
        eventually("requests of every kind", async || {
            let mut grown = loads(&counts).into_iter().zip(before);
            grown.all(|(now, before)| now > before + 8)
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let [granted, strangers, without] = loads(&counts);
    println!(
        "{updates} updates; {granted} requests with a login, {strangers} of a stranger, {without} without"
    );
    assert!(granted > 100 && strangers > 100 && without > 100);
}

#[tokio::test]
async fn removed_mapping_denies_cached_identity() {
    let mut fixture = EnvoyFixture::start(Module::Small, |_| ());
    let token = fixture.token();
    assert_eq!(fixture.get("/", &token).await.status, 200);
    let without_alice = listener(MAIN, Module::Small, |settings| {
        settings["mapUsers"] = json!([]);
    });
    fixture.envoy.update(&[without_alice]).unwrap();
    let mut tries = 0;
    while fixture.get("/", &token).await.status != 401 {
        tries += 1;
        assert!(tries < 1_000, "{}", fixture.envoy.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..20 {
        assert_eq!(fixture.get("/", &token).await.status, 401);
    }
}
