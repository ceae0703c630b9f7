//! What the real binary tells on `/metrics`, `/readyz` and to probes, after logins that are known.

use std::path::Path;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use ack_ram_tests::webhook::WebhookClient;
use bytes::Bytes;
use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

struct World {
    sts: Emulator,
    _authenticator: Authenticator,
    webhook: WebhookClient,
    health_port: u16,
    dates: DistinctDates,
    _folder: TempDir,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sts = Emulator::builder().demo().start().unwrap();
        let (port, health_port) = (ports::free_port(), ports::free_port());
        let config = config(folder.path(), &sts, port, health_port);
        let authenticator = Authenticator::start(folder.path(), &config).unwrap();
        let ca = folder.path().join("state/cert.pem");
        Self {
            webhook: WebhookClient::new(&ca, port).unwrap(),
            dates: DistinctDates::back_from(sts.now()),
            sts,
            _authenticator: authenticator,
            health_port,
            _folder: folder,
        }
    }

    /// Reviews a token that no other is equal to.
    async fn review(&self, key: &AccessKey) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        let token = sign::sign_token_v2(key, &cluster, "test", self.dates.next()).unwrap();
        self.webhook.review(&token).await.unwrap();
        token
    }

    /// Status and content type of a request to the webhook's port, and the body.
    async fn ask(&self, method: Method, path: &str, body: &'static str) -> (u16, String, String) {
        let request = self.webhook.request(method, path);
        let request = request.body(Bytes::from_static(body.as_bytes()).into());
        let reply = self.webhook.send(request.unwrap()).await.unwrap();
        let kind = reply.headers.get(CONTENT_TYPE);
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
        (reply.status.as_u16(), kind, text)
    }

    /// Head and body of the answer of the health port.
    async fn ask_health(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.health_port))
            .await
            .unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

fn config(folder: &Path, sts: &Emulator, port: u16, health_port: u16) -> std::path::PathBuf {
    let ca = folder.join("sts-ca.pem");
    std::fs::write(&ca, sts.ca_pem()).unwrap();
    let config = json!({
        "clusterID": CLUSTER,
        "server": {
            "port": port,
            "healthPort": health_port,
            "stateDir": folder.join("state"),
            "generateKubeconfig": folder.join("webhook.kubeconfig"),
            // One call is to run out of its time, and no other, however slow the machine.
            "sts": { "endpoint": sts.url(), "caFile": ca, "connectTimeout": "10s", "timeout": "10s" },
            "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
            "mapRoles": [
                { "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" },
                { "roleARN": demo::ROLE_ARN, "username": "never" },
                { "roleARN": "no ARN", "username": "refused" },
            ],
        },
    });
    let path = folder.join("config.yaml");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

#[tokio::test]
async fn logins_and_calls_are_counted_truly_and_nobody_is_named() {
    let world = World::start();
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let mut tokens = Vec::new();
    for key in [
        demo::user_key(),
        demo::user_key(),
        demo::session_key(),
        demo::stranger_key(),
        wrong_secret,
    ] {
        tokens.push(world.review(&key).await);
    }
    for fault in [
        Fault::InternalError,
        Fault::ThrottleUser,
        Fault::EndlessBody,
        Fault::CloseOnAccept,
        Fault::CloseBeforeHeaders,
        Fault::Hang,
    ] {
        world.sts.set_fault(Some(fault));
        tokens.push(world.review(&demo::user_key()).await);
    }
    world.sts.set_fault(None);
    // A kept connection that breaks off is tried again: that is one call, and it is answered.
    tokens.push(world.review(&demo::user_key()).await);
    world.sts.fault_next(1, Fault::CloseBeforeHeaders);
    tokens.push(world.review(&demo::user_key()).await);
    // What is known already needs no call.
    world.webhook.review(&tokens[0]).await.unwrap();
    for token in ["k8s-ack-v2.CANARY", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
        world.webhook.review(&Secret::new(token)).await.unwrap();
    }
    for (method, body) in [
        (Method::POST, "no review"),
        (Method::GET, ""),
        (Method::POST, "{}"),
    ] {
        world.ask(method, "/authenticate", body).await;
    }
    world.ask(Method::GET, "/elsewhere", "").await;

    let (status, kind, text) = world.ask(Method::GET, "/metrics", "").await;
    assert_eq!((status, &*kind), (200, TEXT_FORMAT), "{text}");
    let told = Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let endpoint = world.sts.url();
    let endpoint = endpoint
        .trim_start_matches("https://")
        .trim_end_matches('/');
    let results = "authenticate_latency_seconds_count";
    let code = "ResponseCode";
    let file = ("backend", "MountedFile");
    for (name, labels, value) in [
        (results, vec![("result", "success")], Some(6.0)),
        (results, vec![("result", "uknown_user")], Some(1.0)),
        (results, vec![("result", "sts_error")], Some(7.0)),
        (results, vec![("result", "invalid_token")], Some(2.0)),
        (results, vec![("result", "malformed_request")], Some(3.0)),
        ("authentications_in_flight", vec![], Some(0.0)),
        // Three that were answered in full, and `EndlessBody`, which began well.
        ("sts_responses_total", vec![(code, "200")], Some(7.0)),
        ("sts_responses_total", vec![(code, "500")], Some(1.0)),
        ("sts_connection_failures_total", vec![], Some(3.0)),
        (
            "sts_latency_seconds_count",
            vec![("endpoint", endpoint)],
            Some(13.0),
        ),
        ("sts_calls_in_flight", vec![], Some(0.0)),
        ("sts_queue_waiting", vec![], Some(0.0)),
        ("sts_queue_refused_total", vec![], Some(0.0)),
        ("sts_breaker_state", vec![("endpoint", endpoint)], Some(0.0)),
        ("identity_lookups_total", vec![("result", "hit")], Some(1.0)),
        (
            "identity_lookups_total",
            vec![("result", "miss")],
            Some(13.0),
        ),
        (
            "identity_cache_entries",
            vec![("kind", "identity")],
            Some(5.0),
        ),
        (
            "identity_cache_entries",
            vec![("kind", "unproven_identity")],
            Some(1.0),
        ),
        (
            "identity_cache_entries",
            vec![("kind", "refusal")],
            Some(1.0),
        ),
        ("rules", vec![file, ("state", "in_effect")], Some(2.0)),
        ("rules", vec![file, ("state", "conflicted")], Some(1.0)),
        ("backend_read", vec![file], Some(1.0)),
        ("backend_trouble", vec![file], Some(0.0)),
        ("backend_broken", vec![file], Some(0.0)),
        ("configmap_watch_failures_total", vec![], Some(0.0)),
        (
            "build_info",
            vec![("version", env!("CARGO_PKG_VERSION"))],
            Some(1.0),
        ),
    ] {
        let series = format!("ack_ram_authenticator_{name}");
        assert_eq!(
            told.value(&series, &labels),
            value,
            "{series} {labels:?}:\n{text}"
        );
    }
    let responses = &told.families["ack_ram_authenticator_sts_responses_total"];
    let responses: f64 = responses.samples.iter().map(|sample| sample.value).sum();
    assert_eq!(
        responses, 10.0,
        "13 calls, 3 of which had no answer:\n{text}"
    );
    for gauge in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
        "process_virtual_memory_bytes",
        "process_virtual_memory_max_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ] {
        assert!(
            told.value(gauge, &[]).is_some_and(|value| value > 0.0),
            "{gauge}:\n{text}"
        );
    }

    for told in [
        "acs:",
        "LTAI",
        "alice",
        "mallory",
        "dev",
        "CANARY",
        "k8s-ack",
        demo::ACCOUNT,
        CLUSTER,
    ] {
        assert!(!text.contains(told), "{told} is in the metrics:\n{text}");
    }
    for token in tokens {
        let payload = token.expose().trim_start_matches("k8s-ack-v2.");
        assert!(
            !text.contains(&payload[..12]),
            "a token is in the metrics:\n{text}"
        );
    }
}

#[tokio::test]
async fn probes_and_scrapers_have_their_paths() {
    let world = World::start();
    for (path, status, body) in [
        ("/", 200, "ok"),
        ("/healthz", 200, "ok"),
        ("/livez", 200, "ok"),
        ("/whatever/a/probe?asks", 200, "ok"),
        ("/readyz", 200, "ok"),
        (
            "/readyz?verbose",
            200,
            "[+]ping ok\n[+]certificate ok\n[+]backend MountedFile ok\nreadyz check passed\n",
        ),
    ] {
        let (head, text) = world.ask_health(path).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {head}"
        );
        assert_eq!(text, body, "{path}");
    }
    let (head, text) = world.ask_health("/metrics").await;
    assert!(head.contains(TEXT_FORMAT), "{head}");
    Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));

    for (method, path, status) in [
        (Method::GET, "/healthz", 200),
        (Method::HEAD, "/metrics", 200),
        (Method::POST, "/metrics", 404),
        (Method::GET, "/readyz", 404),
    ] {
        let (answered, _, _) = world.ask(method.clone(), path, "").await;
        assert_eq!(answered, status, "{method} {path}");
    }
}
