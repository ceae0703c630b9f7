//! Replies of the webhook's port and of the health port to requests that are not valid reviews, and the log.

use ack_ram_core::secret::Secret;
use ack_ram_tests::authenticator;
use ack_ram_tests::callers::bearer;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::demo;
use ack_ram_tests::webhook::WebhookClient;
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::plan::Plan;
use crate::server::{LIMIT, Server, describe};
use crate::snapshot;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn malformed_requests_are_answered_and_logged_with_these_texts() {
    let mut server = Plan::new().start();
    server.lines_so_far(&["listening on"]).await;
    let large = vec![b'x'; 64 * 1024 + 1];
    let long = "y".repeat(20 * 1024);
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    type Case<'a> = (&'a str, Method, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);
    let cases: &[Case<'_>] = &[
        ("GET", get.clone(), "/authenticate", &[], b""),
        ("PUT", put, "/authenticate", &[JSON], b"{}"),
        ("no body", post.clone(), "/authenticate", &[JSON], b""),
        (
            "not JSON",
            post.clone(),
            "/authenticate",
            &[JSON],
            b"not json",
        ),
        (
            "not a review",
            post.clone(),
            "/authenticate",
            &[JSON],
            b"{}",
        ),
        (
            "another content type",
            post.clone(),
            "/authenticate",
            &[("content-type", "text/plain")],
            b"{}",
        ),
        ("too large", post.clone(), "/authenticate", &[JSON], &large),
        (
            "a head that is too large",
            post.clone(),
            "/authenticate",
            &[JSON, ("x-long", &long)],
            b"{}",
        ),
        ("another path", post, "/", &[JSON], b"{}"),
        ("no proxies here", get.clone(), "/ext-authz", &[], b""),
    ];
    for (name, method, path, headers, body) in cases {
        let reply = server
            .send_request(method.clone(), path, headers, body)
            .await;
        server
            .event(name, &describe(&reply), &["rejected a request"])
            .await;
    }
    let reply = server.send_request(get, "/healthz", &[], b"").await;
    server.event("a probe", &describe(&reply), &[]).await;
    snapshot::check("http_rejections", &server.finish());
}

#[tokio::test]
async fn missing_body_is_answered_and_logged_with_these_texts() {
    let mut plan = Plan::new();
    plan.config["server"]["limits"] = json!({ "bodyTimeout": "1s" });
    let mut server = plan.start();
    server.lines_so_far(&["listening on"]).await;
    let reply = server
        .ask_raw("POST /authenticate HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 10\r\nconnection: close\r\n\r\n")
        .await;
    server
        .event("a silent body", &reply, &["rejected a request"])
        .await;
    snapshot::check("http_silent_body", &server.finish());
}

#[tokio::test]
async fn health_port_answers_and_logs_these_texts() {
    let mut server = Plan::new().start();
    server.lines_so_far(&["listening on"]).await;
    for path in [
        "/livez",
        "/healthz",
        "/",
        "/readyz",
        "/readyz?verbose",
        "/readyz/?verbose=true",
    ] {
        let said = server.ask_health(path).await;
        server.event(path, &said, &[]).await;
    }
    let long = format!("/livez?{}", "y".repeat(9 * 1024));
    let said = server.ask_health(&long).await;
    server
        .event("too long", &said, &["rejected a request"])
        .await;
    snapshot::check("health_port", &server.finish());
}

#[tokio::test]
async fn proxies_are_answered_and_logged_with_these_texts() {
    let mut plan = Plan::new();
    plan.log = "ack_ram_authenticator=debug";
    plan.config["server"]["extAuthz"] = json!({
        "enabled": true,
        "joinGroups": false,
        "requiredGroups": ["dev"],
        "allowPreflight": true,
    });
    plan.config["server"]["mapRoles"] =
        json!([{ "roleARN": demo::ROLE_ARN, "username": "dev", "groups": ["dev", "a,b"] }]);
    plan.config["server"]["mapUsers"] = json!([
        { "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops team"] },
        { "userARN": demo::STRANGER_ARN, "username": "mallory" },
    ]);
    let mut server = plan.start();
    server.lines_so_far(&["listening on"]).await;
    let token = server.token(&demo::user_key());
    let (good, other) = (bearer(&token), bearer(&server.token(&demo::user_key())));
    let groupless = bearer(&server.token(&demo::stranger_key()));
    let comma = bearer(&server.token(&demo::session_key()));
    let cookie = format!("token={}", token.expose());
    let long = "y".repeat(70 * 1024);
    let preflight = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "PUT"),
    ];
    type Case<'a> = (&'a str, Method, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let (get, options) = (Method::GET, Method::OPTIONS);
    let away = &["refused a request of a proxy"][..];
    let cases: &[Case<'_>] = &[
        (
            "a user",
            get.clone(),
            &[("authorization", &good)],
            &["access granted"],
        ),
        ("no token", get.clone(), &[], away),
        (
            "another scheme",
            get.clone(),
            &[("authorization", "Basic YTpi")],
            away,
        ),
        (
            "two tokens",
            get.clone(),
            &[("authorization", &good), ("authorization", &other)],
            away,
        ),
        (
            "not ours",
            get.clone(),
            &[("authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln")],
            &["unrecognized token"],
        ),
        (
            "garbage",
            get.clone(),
            &[("authorization", "Bearer k8s-ack-v2.garbage")],
            &["access denied"],
        ),
        (
            "not in a group",
            get.clone(),
            &[("authorization", &groupless)],
            away,
        ),
        (
            "a group that no header can contain",
            get.clone(),
            &[("authorization", &comma)],
            away,
        ),
        (
            "an identity header",
            get.clone(),
            &[("authorization", &good), ("x-remote-user", "root")],
            away,
        ),
        (
            "a token in a cookie",
            get.clone(),
            &[("authorization", &good), ("cookie", &cookie)],
            away,
        ),
        (
            "a head that is too large",
            get,
            &[("x-long", &long)],
            &["rejected a request"],
        ),
        ("a preflight", options.clone(), &preflight, &[]),
        (
            "a preflight with an identity header",
            options,
            &[preflight[0], preflight[1], ("x-remote-user", "root")],
            &["refused a preflight"],
        ),
    ];
    for (name, method, headers, parts) in cases {
        let reply = server
            .send_request(method.clone(), "/ext-authz/a", headers, b"")
            .await;
        let lines = server.lines_of(parts).await;
        server.section(name, &format!("{}\n{lines}", describe(&reply)));
    }
    snapshot::check("ext_authz", &server.finish());
}

#[tokio::test]
async fn clients_without_the_right_certificate_are_answered_with_these_texts() {
    let plan = Plan::new();
    for name in ["state", "other"] {
        let folder = plan.path(name);
        std::fs::create_dir(&folder).unwrap();
        let init = authenticator::command(&folder, &["init", "--client-cert"]);
        let mut init = Process::spawn("init", init).unwrap();
        assert!(init.wait(LIMIT).unwrap().success(), "{}", init.log());
    }
    let foreign = client_of(&plan.path("other/ack-ram-authenticator.kubeconfig"));
    let mut server = plan.start();
    server.event("start", "", &["listening on"]).await;
    let not_ours = Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
    let reply = server.review(&not_ours).await;
    server
        .event("no certificate", &describe(&reply), &["rejected a request"])
        .await;
    let ca = server.path("state/cert.pem");
    let client =
        WebhookClient::with_certificate(&ca, server.port(), &foreign[0], &foreign[1]).unwrap();
    let reply = client.review(&not_ours).await.unwrap();
    server
        .event("another CA's", &describe(&reply), &["rejected a request"])
        .await;
    let said = server.ask_health("/readyz?verbose").await;
    server.event("ready", &said, &[]).await;
    snapshot::check("client_certificates", &server.finish());
}

/// Returns the client certificate of a kubeconfig and its key, in PEM.
fn client_of(kubeconfig: &std::path::Path) -> [Vec<u8>; 2] {
    use base64::Engine as _;
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let user = &file["users"][0]["user"];
    ["client-certificate-data", "client-key-data"].map(|key| {
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(user[key].as_str().unwrap()).unwrap()
    })
}

#[tokio::test]
async fn metrics_have_these_names_helps_types_and_labels() {
    let server = Plan::new().start();
    for key in [demo::user_key(), demo::stranger_key()] {
        let _reply = server.review(&server.token(&key)).await;
    }
    let page = server.ask_health("/metrics").await;
    let (_, page) = page.split_once("\n\n").unwrap();
    let page = snapshot::stable(page, server.plan.folder.path());
    let lines = page.lines().map(|line| match line.starts_with('#') {
        true => line,
        // The value follows the last space.
        false => line.rsplit_once(' ').unwrap().0,
    });
    let _no_sections = server.finish();
    snapshot::check("metrics", &lines.collect::<Vec<_>>().join("\n"));
}

impl Server {
    /// Sends an HTTP/1.1 request to the webhook's port. Returns the complete reply without the date.
    async fn ask_raw(&self, request: &str) -> String {
        let tls = ack_ram_tests::webhook::trusting(&self.path("state/cert.pem")).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", self.port()))
            .await
            .unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let lines = answer.lines().filter(|line| !line.starts_with("date: "));
        lines.collect::<Vec<_>>().join("\n")
    }
}
