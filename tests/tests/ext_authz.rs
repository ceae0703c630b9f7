//! What proxies are answered that ask the real binary whether they may let a request pass.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::gateway::IdentityHeaders;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use ack_ram_tests::webhook::{Reply, WebhookClient, trusting};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use hyper::{Method, Request, Version};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// What is waited for has happened long before, on any machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that proxies may ask, and its STS.
struct World {
    sts: Emulator,
    authenticator: Authenticator,
    proxy: WebhookClient,
    port: u16,
    dates: DistinctDates,
    folder: TempDir,
}

impl World {
    /// `settings` are `server.extAuthz`.
    fn start(settings: &Value) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    fn start_in(folder: TempDir, settings: &Value) -> Self {
        let sts = Emulator::builder().demo().start().unwrap();
        let port = ports::free_port();
        let ca = folder.path().join("sts-ca.pem");
        fs::write(&ca, sts.ca_pem()).unwrap();
        let role = json!({
            "roleARN": demo::ROLE_ARN,
            "username": "dev:{{SessionName}}",
            "groups": ["dev", "a,b"],
        });
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": { "endpoint": sts.url(), "caFile": ca, "connectTimeout": "2s", "timeout": "5s" },
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops team"] }],
                "mapRoles": [role],
                "extAuthz": settings,
            },
        });
        let path = folder.path().join("config.yaml");
        fs::write(&path, config.to_string()).unwrap();
        let authenticator = Authenticator::start(folder.path(), &path).unwrap();
        let ca = folder.path().join("state/cert.pem");
        Self {
            proxy: WebhookClient::new(&ca, port).unwrap(),
            dates: DistinctDates::back_from(sts.now()),
            sts,
            authenticator,
            port,
            folder,
        }
    }

    /// A token that no other of this world is equal to.
    fn token(&self, key: &AccessKey) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        sign::token_v2(key, &cluster, "test", self.dates.next()).unwrap()
    }

    /// A line with a token of Alice's.
    fn alice(&self) -> String {
        bearer(&self.token(&demo::user_key()))
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.proxy.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.proxy
            .send(request.body(Full::default()).unwrap())
            .await
            .unwrap()
    }

    async fn metrics(&self) -> Exposition {
        let reply = self.ask(Method::GET, "/metrics", &[]).await;
        Exposition::parse(std::str::from_utf8(&reply.bytes).unwrap()).unwrap()
    }
}

fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.expose())
}

/// All headers of an answer that mean something to proxies, by name.
fn told(reply: &Reply) -> Vec<String> {
    let mut lines: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    // Repeated ones keep their order.
    lines.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    lines
}

/// That `reply` turns away, as every such answer does, with this status and detail.
fn check_refusal(name: &str, reply: &Reply, status: u16, error: &str, detail: &str) {
    assert_eq!(reply.status, status, "{name}: {reply:?}");
    assert_eq!(
        reply.headers["content-type"], "application/problem+json",
        "{name}"
    );
    assert_eq!(reply.headers["cache-control"], "no-store", "{name}");
    assert_eq!(reply.body["status"], status, "{name}");
    let said = reply.body["detail"].as_str().unwrap();
    assert!(said.contains(detail), "{name}: {said}");
    let challenge = reply.headers.get("www-authenticate");
    let challenge = challenge.map_or("", |challenge| challenge.to_str().unwrap());
    match error {
        "" => assert_eq!(challenge, "", "{name}"),
        "Bearer" => assert_eq!(challenge, "Bearer", "{name}"),
        error => {
            let start = format!(r#"Bearer error="{error}", error_description=""#);
            assert!(challenge.starts_with(&start), "{name}: {challenge}");
        }
    }
    let retry_after = reply.headers.get("retry-after");
    assert_eq!(retry_after.is_some(), status == 503, "{name}");
    let names = reply.headers.keys().map(|name| name.as_str());
    let told = names.filter(|name| name.starts_with("x-")).count();
    assert_eq!(told, 0, "{name}: {reply:?}");
}

#[tokio::test]
async fn whoever_passes_is_named_to_services() {
    let world = World::start(&json!({ "enabled": true }));
    let expected = [
        "cache-control: no-store",
        "x-envoy-auth-headers-to-remove: authorization,x-remote-extra-sessionname",
        "x-remote-extra-arn: acs:ram::1234567890123456:user/alice",
        "x-remote-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
        "x-remote-group: dev",
        "x-remote-group: ops team",
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
        "x-remote-user: alice",
    ];
    for (method, path) in [
        (Method::GET, "/ext-authz"),
        (Method::GET, "/ext-authz/"),
        (Method::GET, "/ext-authz/some/path?query=/x"),
        (Method::GET, "/ext-authz/%2e%2e/authenticate"),
        (Method::HEAD, "/ext-authz/some/path"),
        (Method::POST, "/ext-authz/some/path"),
        (Method::OPTIONS, "/ext-authz/some/path"),
        (Method::DELETE, "/ext-authz"),
        (
            Method::from_bytes(b"PROPFIND").unwrap(),
            "/ext-authz/some/path",
        ),
    ] {
        let authorization = world.alice();
        // As nginx and Traefik send on what they were asked.
        let headers = [
            ("authorization", &*authorization),
            ("x-original-uri", "/some/path"),
            ("x-forwarded-method", "DELETE"),
            ("x-forwarded-uri", "/some/path"),
        ];
        let reply = world.ask(method.clone(), path, &headers).await;
        assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
        assert_eq!(told(&reply), expected, "{method} {path}");
        assert!(reply.bytes.is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn whoever_does_not_pass_is_told_why() {
    let world = World::start(&json!({ "enabled": true }));
    let (good, other) = (world.alice(), world.alice());
    let stranger = bearer(&world.token(&demo::stranger_key()));
    let comma = bearer(&world.token(&demo::session_key()));
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&str, Headers<'_>, u16, &str, &str)] = &[
        ("no token", &[], 401, "Bearer", "there is no token"),
        (
            "another scheme",
            &[("authorization", "Basic YTpi")],
            401,
            "Bearer",
            "there is no token",
        ),
        (
            "another header",
            &[("x-ram-token", &good)],
            401,
            "Bearer",
            "there is no token",
        ),
        (
            "two",
            &[("authorization", &good), ("authorization", &other)],
            401,
            "invalid_token",
            "more than one token",
        ),
        (
            "two, joined by a proxy",
            &[("authorization", &format!("{good},{other}"))],
            401,
            "invalid_token",
            "",
        ),
        (
            "not ours",
            &[("authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln")],
            401,
            "invalid_token",
            "of a kind that is not taken here",
        ),
        (
            "nobody mapped",
            &[("authorization", &stranger)],
            401,
            "invalid_token",
            "`acs:ram::1234567890123456:user/mallory` is not mapped",
        ),
        (
            "a group that no header can tell",
            &[("authorization", &comma)],
            403,
            "insufficient_scope",
            "has a comma",
        ),
        (
            "a name of its own",
            &[("authorization", &good), ("x-remote-user", "root")],
            403,
            "insufficient_scope",
            "by which services are told who comes",
        ),
        (
            "a name of its own, spelt as some services read it",
            &[("authorization", &good), ("X_Remote.Extra-Scopes", "all")],
            403,
            "insufficient_scope",
            "by which services are told who comes",
        ),
    ];
    for (name, headers, status, error, detail) in cases {
        let reply = world
            .ask(Method::GET, "/ext-authz/some/path", headers)
            .await;
        check_refusal(name, &reply, *status, error, detail);
    }
    let head = world.ask(Method::HEAD, "/ext-authz", &[]).await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (401, 0));

    // None of the refused ones used up a good token.
    let headers = [("authorization", &*good)];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for path in ["/ext-authzx", "/ext-authz*", "/EXT-AUTHZ", "/x/ext-authz"] {
        let reply = world.ask(Method::GET, path, &headers).await;
        assert_eq!(reply.status, 404, "{path}");
    }
}

#[tokio::test]
async fn when_sts_cannot_tell_clients_are_told_to_come_again() {
    let world = World::start(&json!({ "enabled": true }));
    for fault in [
        Fault::CloseOnAccept,
        Fault::ServiceUnavailable,
        Fault::Garbage,
        Fault::ThrottleUser,
    ] {
        world.sts.set_fault(Some(fault.clone()));
        let authorization = world.alice();
        let headers = [("authorization", &*authorization)];
        let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
        check_refusal(&format!("{fault:?}"), &reply, 503, "", "");
        assert_eq!(reply.headers["retry-after"], "1");
        world.sts.set_fault(None);
    }
    let authorization = world.alice();
    let headers = [("authorization", &*authorization)];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn nobody_passes_without_a_group_that_is_required_and_headers_have_their_names() {
    let mut world = World::start(&json!({
        "enabled": true,
        "requiredGroups": ["admins", "ops team"],
        "tokenHeader": "X-Ram-Token",
        "userHeader": "X-User",
        "groupHeader": "X-Group",
        "uidHeader": "X-Id",
        "extraHeaderPrefix": "X-Extra-",
        "joinGroups": true,
    }));
    let token = world.token(&demo::user_key());
    // Names that are not ours any more mean nothing, and `Authorization` is the service's.
    let headers = [
        ("x-ram-token", token.expose()),
        ("authorization", "Basic YTpi"),
        ("x-remote-user", "root"),
    ];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        told(&reply),
        [
            "cache-control: no-store",
            "x-envoy-auth-headers-to-remove: x-ram-token,x-extra-sessionname",
            "x-extra-arn: acs:ram::1234567890123456:user/alice",
            "x-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
            "x-group: dev,ops team",
            "x-id: ack-ram-authenticator:1234567890123456:200000000000000001",
            "x-user: alice",
        ]
    );
    let session = world.token(&demo::session_key());
    let headers = [("x-ram-token", session.expose())];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    let detail = "in none of the groups that may come here";
    check_refusal("group", &reply, 403, "insufficient_scope", detail);
    let reference = Fingerprint::of(session.expose()).to_string();
    assert_eq!(reply.body["reference"], reference);
    for text in ["access granted", detail] {
        let is_it = |line: &str| line.contains(&reference) && line.contains(text);
        world.authenticator.wait_for_log(is_it, LIMIT).unwrap();
    }
}

#[tokio::test]
async fn in_both_versions_of_http_nobody_waits_for_the_body() {
    let world = World::start(&json!({ "enabled": true }));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let tls = trusting(&world.folder.path().join("state/cert.pem")).unwrap();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only();
        let connector = match version {
            Version::HTTP_2 => connector.enable_http2().build(),
            _ => connector.enable_http1().build(),
        };
        let client = Client::builder(TokioExecutor::new()).build::<_, EndlessBody>(connector);
        for (authorization, status) in [
            (world.alice(), 200),
            ("Bearer x".to_owned(), 401),
            (world.alice(), 200),
        ] {
            for whole in [None, Some(0), Some(100_000), Some(4_000_000_000_u64)] {
                let mut request =
                    Request::post(format!("https://localhost:{}/ext-authz/a", world.port))
                        .header("authorization", &authorization);
                if let Some(whole) = whole {
                    request = request.header("content-length", whole);
                }
                let body = EndlessBody {
                    has_begun: false,
                    is_empty: whole == Some(0),
                };
                let asked = client.request(request.body(body).unwrap());
                let reply = tokio::time::timeout(LIMIT, asked).await.unwrap().unwrap();
                assert_eq!(
                    (reply.version(), reply.status().as_u16()),
                    (version, status),
                    "{whole:?}"
                );
                let groups = reply.headers().get_all("x-remote-group").iter().count();
                assert_eq!(groups, if status == 200 { 2 } else { 0 });
                reply.into_body().collect().await.unwrap();
            }
        }
    }
}

/// A body that begins and does not go on.
struct EndlessBody {
    has_begun: bool,
    is_empty: bool,
}

impl Body for EndlessBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_empty {
            return Poll::Ready(None);
        }
        if self.has_begun {
            return Poll::Pending;
        }
        self.has_begun = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16_384])))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty
    }
}

#[tokio::test]
async fn without_being_enabled_there_is_nothing() {
    for settings in [json!({}), json!({ "enabled": false }), Value::Null] {
        let world = World::start(&settings);
        let authorization = world.alice();
        let headers = [("authorization", &*authorization)];
        for (method, path) in [
            (Method::GET, "/ext-authz"),
            (Method::POST, "/ext-authz/some/path"),
        ] {
            let reply = world.ask(method, path, &headers).await;
            assert_eq!(reply.status, 404, "{reply:?}");
            assert_eq!(reply.body["kind"], "Status");
        }
        assert!(world.sts.requests().is_empty());
    }
}

#[tokio::test]
async fn where_clients_need_a_certificate_proxies_do_too() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let init = authenticator::command(&state, &["init", "--client-cert"])
        .output()
        .unwrap();
    assert!(init.status.success(), "{init:?}");
    let [certificate, key] = client_of(&state.join("ack-ram-authenticator.kubeconfig"));
    let world = World::start_in(folder, &json!({ "enabled": true }));
    let authorization = world.alice();
    let headers = [("authorization", &*authorization)];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(!reply.headers.contains_key("x-remote-user"));
    let refusals = "ack_ram_authenticator_client_refusals_total";
    let metrics = world.metrics().await;
    assert_eq!(metrics.value(refusals, &[("reason", "missing")]), Some(1.0));
    assert!(world.sts.requests().is_empty());

    let ca = world.folder.path().join("state/cert.pem");
    let proxy = WebhookClient::with_certificate(&ca, world.port, &certificate, &key).unwrap();
    let request = proxy.request(Method::GET, "/ext-authz");
    let request = request.header("authorization", authorization);
    let reply = proxy.send(request.body(Full::default()).unwrap()).await;
    let reply = reply.unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.headers["x-remote-user"], "alice");
}

/// The client certificate of a kubeconfig and its key, in PEM.
fn client_of(kubeconfig: &Path) -> [Vec<u8>; 2] {
    let text = fs::read_to_string(kubeconfig).unwrap();
    ["client-certificate-data", "client-key-data"].map(|field| {
        let line = text.lines().find(|line| line.contains(field)).unwrap();
        let value = line.rsplit(' ').next().unwrap().trim_matches('"');
        STANDARD.decode(value).unwrap()
    })
}

#[tokio::test]
async fn what_is_answered_is_counted_and_told_without_the_token() {
    let mut world = World::start(&json!({ "enabled": true, "requiredGroups": ["dev"] }));
    let tokens = [
        world.token(&demo::user_key()),
        world.token(&demo::stranger_key()),
        world.token(&demo::session_key()),
    ];
    for token in &tokens {
        let headers = [("authorization", &*bearer(token))];
        let _counted = world.ask(Method::GET, "/ext-authz", &headers).await;
    }
    let _counted = world.ask(Method::GET, "/ext-authz", &[]).await;
    world.sts.set_fault(Some(Fault::ServiceUnavailable));
    let unable = world.token(&demo::user_key());
    let headers = [("authorization", &*bearer(&unable))];
    let _counted = world.ask(Method::GET, "/ext-authz", &headers).await;

    let metrics = world.metrics().await;
    for (name, labels, value) in [
        ("ext_authz_answers_total", ("answer", "passed"), 1.0),
        ("ext_authz_answers_total", ("answer", "no_token"), 1.0),
        ("ext_authz_answers_total", ("answer", "invalid_token"), 1.0),
        ("ext_authz_answers_total", ("answer", "forbidden"), 1.0),
        ("ext_authz_answers_total", ("answer", "unavailable"), 1.0),
        ("decisions_total", ("decision", "granted"), 2.0),
        ("decisions_total", ("decision", "denied"), 1.0),
        ("decisions_total", ("decision", "unable"), 1.0),
        (
            "authenticate_latency_seconds_count",
            ("result", "malformed_request"),
            1.0,
        ),
        (
            "authenticate_latency_seconds_count",
            ("result", "success"),
            2.0,
        ),
    ] {
        let found = metrics.value(&format!("ack_ram_authenticator_{name}"), &[labels]);
        assert_eq!(found, Some(value), "{name} {labels:?}");
    }
    let in_flight = "ack_ram_authenticator_authentications_in_flight";
    assert_eq!(metrics.value(in_flight, &[]), Some(0.0));

    for token in tokens.iter().chain([&unable]) {
        let reference = Fingerprint::of(token.expose()).to_string();
        let is_it = |line: &str| line.contains(&reference);
        world.authenticator.wait_for_log(is_it, LIMIT).unwrap();
        let log = world.authenticator.log();
        assert!(!log.contains(token.expose()), "{log}");
    }
}

/// The blocks of `deploy/ext-authz.md` in this language.
fn documented(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ext-authz.md");
    let text = fs::read_to_string(path).unwrap();
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_documented_settings_are_taken() {
    let yaml = documented("yaml");
    let settings: Value = serde_saphyr::from_str(&yaml[0]).unwrap();
    let world = World::start(&settings["server"]["extAuthz"]);
    let headers = [("authorization", &*world.alice())];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    let detail = "in none of the groups that may come here";
    check_refusal("alice", &reply, 403, "insufficient_scope", detail);
}

#[test]
fn the_documented_proxies_remove_what_services_could_believe() {
    let yaml = documented("yaml");
    let parts: Vec<Value> = yaml
        .iter()
        .map(|block| serde_saphyr::from_str(block).unwrap())
        .collect();
    let envoy = &parts[1];
    let expressions = [
        "/early_header_mutation_extensions/0/typed_config/mutations/0/remove_on_match/key_matcher/safe_regex/regex",
        "/http_filters/0/typed_config/allowed_headers/patterns/1/safe_regex/regex",
    ]
    .map(|pointer| envoy.pointer(pointer).unwrap().as_str().unwrap());
    let traefik = "/http/middlewares/ram/forwardAuth/authResponseHeadersRegex";
    let traefik = parts[3].pointer(traefik).unwrap().as_str().unwrap();
    // Envoy compares all of a name, in lower case.
    let whole = expressions.map(|expression| format!("^(?:{expression})$"));
    let removed = whole.iter().map(String::as_str).chain([traefik]);
    let removed: Vec<_> = removed
        .map(|expression| Regex::new(expression).unwrap())
        .collect();
    let identity = IdentityHeaders::default();
    for name in [
        IdentityHeaders::USER,
        IdentityHeaders::GROUP,
        IdentityHeaders::UID,
        "x_remote_user",
        "x.remote.group",
        "x~remote-uid",
        "x-remote-extra-",
        "x-remote-extra-arn",
        "x_remote_extra.scopes",
        "x-remote-users",
        "x-remote-extra",
        "x-remote",
        "ax-remote-user",
        "authorization",
    ] {
        let is_ours = identity.is_ours(name);
        for expression in &removed {
            assert_eq!(expression.is_match(name), is_ours, "{expression}: {name}");
        }
    }

    let nginx = &documented("nginx")[0];
    let set = Regex::new(r"auth_request_set (\$\w+) \$upstream_http_(\w+);").unwrap();
    let told: Vec<_> = set
        .captures_iter(nginx)
        .map(|set| (set[1].to_owned(), set[2].replace('_', "-")))
        .collect();
    let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
    let all = [
        IdentityHeaders::USER,
        IdentityHeaders::GROUP,
        IdentityHeaders::UID,
    ];
    assert_eq!(names, all);
    let nginx = nginx.to_ascii_lowercase();
    for (variable, name) in &told {
        let line = format!("proxy_set_header {name} {variable};");
        assert!(nginx.contains(&line), "{line}");
    }
}
