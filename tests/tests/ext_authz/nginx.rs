//! The documented configuration in a real nginx, and what a service behind it gets.

use std::process::Command;

use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::demo;
use ack_ram_tests::tools::NGINX;
use serde_json::json;
use tempfile::TempDir;

use crate::documented::documented;
use crate::proxied::{Proxy, identity, lines, service};
use crate::world::{World, bearer};

/// nginx before a service, asking the server of a world.
struct Nginx {
    proxy: Proxy,
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    async fn start(world: &World) -> Self {
        Self::start_with(world, &[]).await
    }

    /// With these lines in the place of documented ones.
    async fn start_with(world: &World, changes: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = ports::free_port();
        let ca = world.folder.path().join("state/cert.pem");
        let service = service().await;
        let mut documented = documented("nginx").remove(0);
        for (from, to) in changes {
            assert!(documented.contains(from), "{from}");
            documented = documented.replace(from, to);
        }
        let servers = documented
            .replace("127.0.0.1:21362", &format!("127.0.0.1:{}", world.port))
            .replace("127.0.0.1:8081", &service.to_string())
            .replace("/var/ack-ram-authenticator/cert.pem", &ca.to_string_lossy())
            .replace(
                "server {",
                &format!("server {{\n    listen 127.0.0.1:{port};"),
            );
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
             http {{ access_log off; client_body_temp_path 1; proxy_temp_path 2; fastcgi_temp_path 3;\n\
             uwsgi_temp_path 4; scgi_temp_path 5;\n{servers}}}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(NGINX.path());
        command.arg("-p").arg(folder.path()).arg("-c").arg(path);
        command.args(["-e", "stderr"]);
        let mut process = Process::spawn("nginx", command).unwrap();
        Self {
            proxy: Proxy::started(port, &mut process).await,
            _process: process,
            _folder: folder,
        }
    }
}

#[tokio::test]
async fn services_behind_nginx_get_who_comes_and_nothing_else() {
    let world = World::start(&json!({ "enabled": true, "joinGroups": true }));
    let nginx = Nginx::start(&world).await;
    let good = format!("authorization: {}", world.alice());
    let stranger = bearer(&world.token(&demo::stranger_key()));
    let stranger = format!("authorization: {stranger}");
    let of = lines;
    let alice = of(&[
        "x-remote-group: dev,ops team",
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
        "x-remote-user: alice",
    ]);
    let hidden = format!(
        "cookie: theme=dark; token={}",
        good.rsplit(' ').next().unwrap()
    );
    for (name, method, lines, status) in [
        ("good", "GET", of(&[&good]), 200),
        ("a body", "POST", of(&[&good, "content-length: 0"]), 200),
        ("another method", "DELETE", of(&[&good]), 200),
        (
            "other spellings",
            "GET",
            of(&[&good, "x_remote_user: root", "x.remote.group: root"]),
            200,
        ),
        ("no token", "GET", of(&[]), 401),
        (
            "another scheme",
            "GET",
            of(&["authorization: Basic YTpi"]),
            401,
        ),
        ("nobody mapped", "GET", of(&[&stranger]), 401),
        ("two tokens", "GET", of(&[&good, &good]), 400),
        ("a user", "GET", of(&[&good, "x-remote-user: root"]), 403),
        (
            "a group",
            "GET",
            of(&[&good, "x-remote-group: system:masters"]),
            403,
        ),
        ("a uid", "GET", of(&[&good, "x-remote-uid: 0"]), 403),
        (
            "an extra value",
            "GET",
            of(&[&good, "x-remote-extra-scopes: all"]),
            403,
        ),
        (
            "another extra value",
            "GET",
            of(&[&good, "X-Remote-Extra-SessionName: root"]),
            403,
        ),
        // nginx sends its own `Connection` on, to the server and to the service.
        (
            "a header that ends here",
            "GET",
            of(&[&good, "connection: close, x-remote-group, X_Remote_User"]),
            200,
        ),
        (
            "headers between two hops",
            "GET",
            of(&[
                &good,
                "proxy-connection: x-remote-group",
                "keep-alive: x-remote-group",
                "te: x-remote-group",
            ]),
            200,
        ),
        (
            "an upgrade",
            "GET",
            of(&[
                &good,
                "connection: upgrade, x-remote-group",
                "upgrade: websocket",
            ]),
            200,
        ),
        ("a token elsewhere", "GET", of(&[&good, &hidden]), 403),
        (
            "no token, but a user",
            "GET",
            of(&["x-remote-user: root"]),
            403,
        ),
    ] {
        let (head, body) = nginx.proxy.ask(method, "/a/b?c=d", &lines).await;
        let expected = format!("http/1.1 {status} ");
        assert!(head.starts_with(&expected), "{name}: {head}");
        if status == 200 {
            assert!(
                body.starts_with(&format!("{method} /a/b?c=d HTTP/1.")),
                "{name}: {body}"
            );
            assert_eq!(identity(&body), alice, "{name}");
        } else {
            assert_eq!(identity(&body), [""; 0], "{name}");
        }
        assert_eq!(
            head.contains("www-authenticate: bearer"),
            status == 401,
            "{name}: {head}"
        );
    }
    let (head, _) = nginx.proxy.ask("GET", "/_ram", &[good]).await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}

#[tokio::test]
async fn server_refuses_an_identity_header_that_ends_at_a_later_hop() {
    let world = World::start(&json!({ "enabled": true, "joinGroups": true }));
    // A proxy that sends its client's `Connection` on in the question.
    let passed_on = (
        r#"proxy_set_header Connection "";"#,
        "proxy_set_header Connection $http_connection;",
    );
    let nginx = Nginx::start_with(&world, &[passed_on]).await;
    let good = format!("authorization: {}", world.alice());
    for (connection, status) in [
        ("close", 200),
        ("close, authorization", 200),
        ("close, x-remote-group", 403),
        ("close,X_Remote-User ,te", 403),
        ("x.remote.extra.arn, close", 403),
    ] {
        let asked = [good.clone(), format!("connection: {connection}")];
        let (head, _) = nginx.proxy.ask("GET", "/", &asked).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{asked:?}: {head}"
        );
    }
}

#[tokio::test]
async fn user_without_groups_or_session_has_no_header_of_them_behind_nginx() {
    let settings = json!({ "enabled": true, "joinGroups": true });
    let world = World::start_with(&settings, |config| {
        config["server"]["mapUsers"][0]["groups"] = json!([]);
    });
    let nginx = Nginx::start(&world).await;
    let good = format!("authorization: {}", world.alice());
    let (head, body) = nginx.proxy.ask("GET", "/", &[good]).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let expected = [
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
        "x-remote-user: alice",
    ];
    assert_eq!(identity(&body), expected);
}

#[tokio::test]
async fn no_token_gets_past_nginx_beside_one_in_a_header_of_its_own() {
    let settings = json!({ "enabled": true, "joinGroups": true, "tokenHeader": "x-ram-token" });
    let world = World::start(&settings);
    // Where the service has credentials of its own.
    let own = (
        r#"proxy_set_header Authorization "";"#,
        r#"proxy_set_header X-Ram-Token "";"#,
    );
    let nginx = Nginx::start_with(&world, &[own]).await;
    let token = world.token(&demo::user_key());
    let token = token.expose();
    let good = format!("x-ram-token: {token}");
    for (path, more, status) in [
        ("/", "accept: */*".to_owned(), 200),
        ("/", "authorization: Basic YTpi".to_owned(), 200),
        ("/", format!("authorization: Bearer {token}"), 403),
        ("/", format!("authorization: bearer  {token}"), 403),
        ("/", format!("x-forwarded-access-token: {token}"), 403),
        ("/", format!("cookie: a=b; c={token}"), 403),
        (&format!("/a?token={token}"), "accept: */*".to_owned(), 403),
    ] {
        nginx
            .proxy
            .check_no_token_passes(path, [good.clone(), more], status)
            .await;
    }
}

#[tokio::test]
async fn when_nginx_gets_no_yes_nobody_passes() {
    let world = World::start(&json!({ "enabled": true, "joinGroups": true }));
    let nginx = Nginx::start(&world).await;
    nginx.proxy.check_only_a_yes_passes(world, 500).await;
}

#[tokio::test]
async fn large_requests_pass_nginx() {
    let world = World::start(&json!({ "enabled": true, "joinGroups": true }));
    let nginx = Nginx::start(&world).await;
    nginx.proxy.check_large_requests_pass(&world).await;
}

#[tokio::test]
async fn preflights_pass_nginx_as_documented_and_nothing_else_does() {
    let settings = json!({ "enabled": true, "joinGroups": true, "allowPreflight": true });
    let world = World::start(&settings);
    let lines = documented("nginx").remove(1);
    let (map, method) = lines.split_once("}\n").unwrap();
    let upstream = "upstream ack_ram_authenticator {";
    let body = "proxy_pass_request_body off;";
    let changes = [
        (upstream, &*format!("{map}}}\n{upstream}")),
        (body, &*format!("{body}\n{method}")),
    ];
    let nginx = Nginx::start_with(&world, &changes).await;
    nginx.proxy.check_preflights().await;
    // Without these lines, nginx asks by another method.
    let nginx = Nginx::start(&world).await;
    let asked = lines_of_preflight();
    let (head, _) = nginx.proxy.ask("OPTIONS", "/", &asked).await;
    assert!(head.starts_with("http/1.1 401 "), "{head}");
}

fn lines_of_preflight() -> Vec<String> {
    lines(&["origin: https://a", "access-control-request-method: PUT"])
}
