//! The server as its users run it: the real binary, real TLS, and an STS that misbehaves in every way.

use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, Fault, GET_CALLER_IDENTITY_HEADERS, demo};
use ack_ram_tests::webhook::{Reply, WebhookClient};
use bytes::Bytes;
use futures_util::future::join_all;
use hyper::Method;
use hyper::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";

/// A server, its STS and a client.
struct World {
    sts: Emulator,
    authenticator: Authenticator,
    webhook: WebhookClient,
    dates: DistinctDates,
    _folder: TempDir,
}

impl World {
    /// However slow the machine is, no call to STS runs out of its time.
    fn start() -> Self {
        Self::with_deadlines("30s", "30s")
    }

    /// STS has to be connected to within `connect`, and to have answered within `answer`.
    fn with_deadlines(connect: &str, answer: &str) -> Self {
        Self::with_backends(connect, answer, &["MountedFile"])
    }

    /// The file of DynamicFile is broken.
    fn with_backends(connect: &str, answer: &str, backends: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sts = Emulator::builder().demo().start().unwrap();
        let port = ports::free_port();
        let config = config(&folder, &sts, port, [connect, answer], backends);
        let authenticator = Authenticator::start(folder.path(), &config).unwrap();
        let ca = folder.path().join("state/cert.pem");
        Self {
            webhook: WebhookClient::new(&ca, port).unwrap(),
            dates: DistinctDates::back_from(sts.now()),
            sts,
            authenticator,
            _folder: folder,
        }
    }

    async fn review(&self, token: &Secret) -> Reply {
        self.webhook.review(token).await.unwrap()
    }
}

fn config(
    folder: &TempDir,
    sts: &Emulator,
    port: u16,
    [connect, answer]: [&str; 2],
    backends: &[&str],
) -> PathBuf {
    let ca = folder.path().join("sts-ca.pem");
    std::fs::write(&ca, sts.ca_pem()).unwrap();
    let dynamic_file = folder.path().join("dynamic.json");
    std::fs::write(&dynamic_file, "{").unwrap();
    let config = json!({
        "clusterID": CLUSTER,
        "server": {
            "port": port,
            "healthPort": 0,
            "backendMode": backends,
            "dynamicFilePath": dynamic_file,
            "stateDir": folder.path().join("state"),
            "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
            "sts": { "endpoint": sts.url(), "caFile": ca, "connectTimeout": connect, "timeout": answer },
            "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
            "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
        },
    });
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn token_for(key: &AccessKey, cluster: &str, now: UnixTime) -> Secret {
    let cluster = ClusterId::parse(cluster).unwrap();
    sign::sign_token_v2(key, &cluster, "test", now).unwrap()
}

/// A token that no other of this world is equal to: STS has to be asked about it.
fn token(world: &World) -> Secret {
    token_for(&demo::user_key(), CLUSTER, world.dates.next())
}

fn error(reply: &Reply) -> &str {
    reply.body["status"]["error"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn identities_become_users_or_are_denied_with_a_reason() {
    let world = World::start();
    let now = world.sts.now();
    let session = token_for(&demo::session_key(), CLUSTER, now);
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let old = now.plus_seconds(-16 * 60);
    for (name, token, username, is_told_why) in [
        ("a user", token(&world), "alice", false),
        ("an assumed role", session, "dev:alice-example.com", false),
        (
            "nobody mapped",
            token_for(&demo::stranger_key(), CLUSTER, now),
            "",
            true,
        ),
        (
            "another cluster",
            token_for(&demo::user_key(), "other", now),
            "",
            true,
        ),
        (
            "a wrong secret",
            token_for(&wrong_secret, CLUSTER, now),
            "",
            true,
        ),
        (
            "expired for STS",
            token_for(&demo::user_key(), CLUSTER, old),
            "",
            true,
        ),
        (
            "not ours",
            Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
            "",
            false,
        ),
    ] {
        let reply = world.review(&token).await;
        assert_eq!(reply.status, 200, "{name}");
        let status = &reply.body["status"];
        assert_eq!(
            status["authenticated"],
            !username.is_empty(),
            "{name}: {status}"
        );
        assert_eq!(
            status["user"]["username"].as_str().unwrap_or_default(),
            username,
            "{name}"
        );
        assert_eq!(!error(&reply).is_empty(), is_told_why, "{name}: {status}");
    }
    world.sts.delete_key(&demo::user_key().id);
    let reply = world.review(&token(&world)).await;
    assert!(
        error(&reply).contains("`InvalidAccessKeyId.NotFound`"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn when_sts_cannot_tell_the_answer_is_503_and_the_next_login_works() {
    let world = World::start();
    for fault in [
        Fault::CloseOnAccept,
        Fault::CloseBeforeHeaders,
        Fault::CloseInBody,
        Fault::ContentLengthTooShort,
        Fault::HugeHeaders,
        Fault::EndlessBody,
        Fault::Garbage,
        Fault::ThrottleUser,
        Fault::ThrottleApi,
        Fault::InternalError,
        Fault::ServiceUnavailable,
        Fault::Redirect("https://127.0.0.1:1/".to_owned()),
        Fault::Reply {
            status: 403,
            body: Bytes::from_static(b"<html>proxy</html>"),
        },
    ] {
        cannot_tell_and_then_can(&world, fault).await;
    }
}

#[tokio::test]
async fn when_sts_takes_too_long_the_answer_is_503_and_the_next_login_works() {
    // Each waits for all of its time, which is long enough for the login after it on any machine: they wait together.
    let cases = [
        (Fault::StallOnAccept, "30s"),
        (Fault::Hang, "10s"),
        (Fault::Delay(Duration::from_secs(60)), "10s"),
        (Fault::ContentLengthTooLong, "10s"),
    ];
    join_all(cases.map(async |(fault, answer)| {
        let world = World::with_deadlines("10s", answer);
        cannot_tell_and_then_can(&world, fault).await;
    }))
    .await;
}

#[tokio::test]
async fn broken_backend_is_an_error_that_names_the_administrator() {
    let world = World::with_backends("30s", "30s", &["DynamicFile", "MountedFile"]);
    let reply = world.review(&token(&world)).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.body["kind"], "Status", "{reply:?}");
    let message = reply.body["message"].as_str().unwrap();
    let expected = "the mappings of the backend DynamicFile are broken; ask an administrator of the cluster to correct them";
    assert!(message.contains(expected), "{message}");

    let world = World::with_backends("30s", "30s", &["MountedFile", "DynamicFile"]);
    let reply = world.review(&token(&world)).await;
    assert_eq!(
        reply.body["status"]["authenticated"], true,
        "a backend before it answers: {reply:?}"
    );
}

/// Under `fault`, STS's word is not to be had; without it, it is.
async fn cannot_tell_and_then_can(world: &World, fault: Fault) {
    // A connection that is kept would hide what happens to new ones.
    world.sts.set_fault(Some(Fault::CloseBeforeHeaders));
    let _emptied = world.review(&token(world)).await;
    world.sts.set_fault(Some(fault.clone()));
    let reply = world.review(&token(world)).await;
    assert_eq!(reply.status, 503, "{fault:?}: {reply:?}");
    assert!(!reply.headers.contains_key(RETRY_AFTER), "{fault:?}");
    assert_eq!(reply.body["kind"], "Status", "{fault:?}");
    assert_eq!(reply.body["reason"], "ServiceUnavailable", "{fault:?}");

    world.sts.set_fault(None);
    let reply = world.review(&token(world)).await;
    assert_eq!(
        reply.body["status"]["authenticated"], true,
        "after {fault:?}: {reply:?}"
    );
}

#[tokio::test]
async fn the_reference_finds_the_one_line_of_a_login_in_the_log() {
    let mut world = World::start();
    let stranger = token_for(&demo::stranger_key(), CLUSTER, world.sts.now());
    let denied = world.review(&stranger).await;
    world.sts.set_fault(Some(Fault::CloseBeforeHeaders));
    let other = token_for(&demo::session_key(), CLUSTER, world.sts.now());
    let unable = world.review(&other).await;
    let message = unable.body["message"].as_str().unwrap();
    for (message, level, says) in [
        (error(&denied), " WARN ", "is not mapped"),
        (message, "ERROR ", "cause=\"the connection broke off"),
    ] {
        let (_, reference) = message.rsplit_once("(reference ").unwrap();
        let field = format!("reference={}", reference.trim_end_matches(')'));
        world
            .authenticator
            .wait_for_log(|line| line.contains(&field), Duration::from_secs(60))
            .unwrap();
        let log = world.authenticator.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&field)).collect();
        let [line] = lines[..] else {
            panic!("{field}: {log}");
        };
        assert!(line.contains(level) && line.contains(says), "{line}");
    }
    let log = world.authenticator.log();
    let reached = log
        .lines()
        .filter(|line| line.contains("could not be reached"));
    assert_eq!(reached.count(), 1, "{log}");
}

#[tokio::test]
async fn what_is_no_review_gets_its_status_and_the_server_goes_on() {
    let world = World::start();
    let json_type = Some("application/json");
    let big = format!(
        r#"{{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{{"token":"{}"}}}}"#,
        "x".repeat(64 * 1024)
    );
    for (method, path, content_type, body, status) in [
        (Method::GET, "/authenticate", None, "", 405),
        (Method::PUT, "/authenticate", json_type, "{}", 405),
        (Method::POST, "/authenticate", json_type, "", 400),
        (Method::POST, "/authenticate", json_type, "{}", 400),
        (Method::POST, "/authenticate", json_type, "[]", 400),
        (Method::POST, "/authenticate", json_type, "not json", 400),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"Pod","apiVersion":"v1","spec":{"token":"x"}}"#,
            400,
        ),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v2","spec":{"token":"x"}}"#,
            400,
        ),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{}}"#,
            400,
        ),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"x","token":"y"}}"#,
            400,
        ),
        (Method::POST, "/authenticate", json_type, &big, 413),
        (Method::POST, "/authenticate", Some("text/plain"), "{}", 415),
        (Method::POST, "/", json_type, "{}", 404),
        (Method::GET, "/healthz", None, "", 200),
    ] {
        let name = format!("{method} {path} {body:.70}");
        let mut request = world.webhook.request(method, path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request
            .body(Bytes::copy_from_slice(body.as_bytes()).into())
            .unwrap();
        let reply = world.webhook.send(request).await.unwrap();
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        assert_eq!(reply.headers.contains_key(ALLOW), status == 405, "{name}");
        if status != 200 {
            assert_eq!(reply.body["kind"], "Status", "{name}");
            assert_eq!(reply.body["code"], status, "{name}");
        }
    }
    assert!(
        world.sts.requests().is_empty(),
        "none of these is STS's affair"
    );
    let reply = world.review(&token(&world)).await;
    assert_eq!(reply.body["status"]["authenticated"], true);
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight() {
    let mut world = World::start();
    world.sts.set_fault(Some(Fault::Hold));
    let token = token(&world);
    let webhook = world.webhook.clone();
    let review = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    while world.sts.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = Pid::from_raw(world.authenticator.pid().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let stops = |line: &str| line.contains("stopping: ");
    let long = Duration::from_secs(60);
    world.authenticator.wait_for_log(stops, long).unwrap();
    world.sts.set_fault(None);
    let reply = review.await.unwrap();
    assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
    let status = world.authenticator.wait(long).unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn connections_to_sts_are_kept_and_nothing_unsigned_is_sent() {
    let world = World::start();
    for _ in 0..20 {
        let reply = world.review(&token(&world)).await;
        assert_eq!(reply.body["status"]["authenticated"], true);
    }
    assert_eq!(world.sts.connections(), 1);
    for request in world.sts.requests() {
        assert_eq!(request.header_names(), GET_CALLER_IDENTITY_HEADERS);
        assert_eq!(request.target, format!("/?ACKClusterId={CLUSTER}"));
        assert_eq!(
            request.headers["user-agent"],
            concat!("ack-ram-authenticator/v2/", env!("CARGO_PKG_VERSION"))
        );
    }
}
