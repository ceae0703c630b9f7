//! Requests of all kinds: what a client sends, and what the service receives.

use ack_ram_tests::envoy::{Module, Protocol, ReceivedRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{EnvoyFixture, MAIN, bearer};

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];
/// Spoofed identity headers, in spellings that some servers accept.
const SPOOFED: [(&str, &str); 12] = [
    ("x-remote-user", "root"),
    ("X-Remote-User", "root2"),
    ("x_remote_user", "root"),
    ("x-remote_user", "root"),
    ("x-remote-group", "system:masters"),
    ("X_REMOTE_GROUP", "system:masters"),
    ("x-remote-uid", "0"),
    ("x_remote_uid", "0"),
    ("x-remote-extra-arn", "acs:ram::1:root"),
    ("x-remote-extra-scopes", "all"),
    ("x_remote_extra_scopes", "all"),
    ("x.remote.user", "root"),
];

/// Returns the identity headers of a request.
fn identity(received: &ReceivedRequest) -> Vec<(String, String)> {
    let headers = received.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    let is_identity = |(name, _): &(String, String)| {
        let name = name.replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
        name.starts_with("x-remote-")
    };
    headers.filter(is_identity).collect()
}

#[tokio::test]
async fn client_identity_headers_are_removed() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["bypass"] = json!(["/healthz"]);
        settings["allowPreflight"] = json!(true);
    });
    let token = bearer(&fixture.token());
    for protocol in BOTH {
        let client = fixture.client(protocol);
        client.get("/", &[("authorization", &token)]).await.unwrap();
        let honest = identity(&fixture.only_request());
        assert_eq!(honest.len(), 6, "{honest:?}");

        let mut all = SPOOFED.to_vec();
        all.push(("authorization", &token));
        let answer = client.get("/", &all).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(identity(&fixture.only_request()), honest, "{protocol:?}");

        // The same without a login, with and without a token.
        for headers in [&SPOOFED[..], &all] {
            let answer = client.get("/healthz", headers).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            let received = fixture.only_request();
            assert_eq!(identity(&received), [], "{protocol:?}");
            assert!(received.all("authorization").is_empty(), "{received:?}");

            let mut preflight = Request::options("/")
                .header("origin", "https://a")
                .header("access-control-request-method", "PUT");
            for (name, value) in headers {
                preflight = preflight.header(*name, *value);
            }
            let preflight = preflight.body(Full::<Bytes>::default()).unwrap();
            assert_eq!(client.send(preflight).await.unwrap().status, 200);
            assert_eq!(identity(&fixture.only_request()), [], "{protocol:?}");
        }
        // A preflight with another method in a header is not a preflight.
        let other = Request::options("/")
            .header("origin", "https://a")
            .header("access-control-request-method", "PUT")
            .header("x-http-method-override", "DELETE");
        let other = other.body(Full::<Bytes>::default()).unwrap();
        assert_eq!(client.send(other).await.unwrap().status, 401);
        assert!(fixture.service.take().is_empty(), "{protocol:?}");
        // The filter neither removes nor checks a token of another type.
        let others = [("authorization", "Basic YTpi")];
        client.get("/healthz", &others).await.unwrap();
        let received = fixture.only_request();
        assert_eq!(received.all("authorization"), ["Basic YTpi"]);
    }
}

/// Returns whether a header, a trailer, or the URL has a token.
fn holds_token(received: &ReceivedRequest) -> bool {
    let values = received.headers.values().chain(received.trailers.values());
    let is_found = |text: &[u8]| text.windows(8).any(|part| part == b"k8s-ack-");
    values.into_iter().any(|value| is_found(value.as_bytes()))
        || is_found(received.target.as_bytes())
}

#[tokio::test]
async fn token_in_any_place_never_reaches_the_service() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["token"] = json!({ "header": "x-ram-token" });
        settings["bypass"] = json!(["/healthz"]);
        settings["allowPreflight"] = json!(true);
    });
    let secret = fixture.token();
    let (token, bearer) = (secret.expose(), bearer(&secret));
    let lower = bearer.replace("Bearer", "bearer ");
    let cookie = format!("theme=dark; token={token}");
    let basic = format!("Basic {}", STANDARD.encode(format!("alice:{token}")));
    let preflight = [
        ("origin", "https://a"),
        ("access-control-request-method", "PUT"),
    ];
    for protocol in BOTH {
        let client = fixture.client(protocol);
        // From STS, from the cache, without a login, and before a login.
        for (method, path, more) in [
            ("GET", "/", &[][..]),
            ("GET", "/", &[]),
            ("GET", "/healthz", &[]),
            ("OPTIONS", "/", &preflight),
        ] {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-checksum", HeaderValue::from_static("1"));
            trailers.insert("x-late", HeaderValue::from_str(&bearer).unwrap());
            let trailers = (protocol == Protocol::Http2).then_some(Ok(trailers));
            let body = Full::<Bytes>::default().with_trailers(async { trailers });
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in [
                ("x-ram-token", token),
                ("authorization", "Basic YTpi"),
                ("authorization", &*lower),
                ("proxy-authorization", &*basic),
                ("cookie", &*cookie),
                ("x-copy", token),
                ("x-other", "kept"),
            ]
            .iter()
            .chain(more)
            {
                request = request.header(*name, *value);
            }
            let answer = client.send(request.body(Box::pin(body)).unwrap()).await;
            let what = format!("{protocol:?} {method} {path}");
            assert_eq!(answer.unwrap().status, 200, "{what}");
            let received = fixture.only_request();
            assert!(!holds_token(&received), "{what}: {received:?}");
            assert!(
                received.all("proxy-authorization").is_empty(),
                "{what}: {received:?}"
            );
            assert_eq!(received.all("x-other"), ["kept"], "{what}");
            let late = received.trailers.len();
            assert_eq!(
                late,
                usize::from(protocol == Protocol::Http2),
                "{what}: {received:?}"
            );
        }
        // A token in a URL cannot be removed.
        for path in ["/?token=", "/healthz?token="] {
            let target = format!("{path}{token}");
            let headers = [("x-ram-token", token)];
            let answer = client.get(&target, &headers).await.unwrap();
            assert_eq!(answer.status, 403, "{protocol:?} {path}");
            assert!(fixture.service.take().is_empty());
        }
        let headers = [("x-ram-token", token), ("authorization", "Basic YTpi")];
        client.get("/", &headers).await.unwrap();
        assert_eq!(fixture.only_request().all("authorization"), ["Basic YTpi"]);
    }
}

#[tokio::test]
async fn bypass_matches_configured_paths_only() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["bypass"] = json!(["/healthz", "/public/*"]);
    });
    for (path, passes) in [
        ("/healthz", true),
        ("/healthz?a=/..", true),
        ("/public/a", true),
        ("/healthz/", false),
        ("/public", false),
        ("/public/../admin", false),
        ("/public/%2e%2e/admin", false),
        ("/public/%2E%2E%2Fadmin", false),
        ("/public/..%2fadmin", false),
        ("/public/..;/admin", false),
        ("/public//admin", false),
        ("//public/a", false),
        ("/public/\\..\\admin", false),
        ("/PUBLIC/a", false),
        ("/public/.", false),
    ] {
        // Written by hand, because libraries would correct some of these paths.
        let mut stream = TcpStream::connect(fixture.envoy.address(MAIN))
            .await
            .unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(status == "200", passes, "{path}: {answer}");
        assert_eq!(fixture.service.take().len(), usize::from(passes), "{path}");
    }
}

#[tokio::test]
async fn bodies_pass_unchanged() {
    let fixture = EnvoyFixture::start(Module::Small, |_| ());
    let megabyte: Bytes = (0..1_048_576_u32)
        .map(|place| place.to_le_bytes()[1])
        .collect();
    for protocol in BOTH {
        // The first body waits for STS. The second one does not, because the identity is cached.
        let token = bearer(&fixture.token());
        for from in ["STS", "the cache"] {
            let chunks: Vec<_> = (0..4)
                .map(|_| Ok::<_, std::io::Error>(Frame::data(megabyte.slice(..100_000))))
                .collect();
            let chunked = StreamBody::new(stream::iter(chunks)).boxed();
            let whole = Full::new(megabyte.slice(..900_000));
            let whole = whole.map_err(|never| match never {}).boxed();
            for (body, length) in [(whole, 900_000), (chunked, 400_000)] {
                let request = Request::post("/upload").header("authorization", &token);
                let request = request.body(body).unwrap();
                let answer = fixture.client(protocol).send(request).await.unwrap();
                assert_eq!(answer.status, 200, "{protocol:?} from {from}");
                let received = fixture.only_request();
                assert_eq!(received.body.len(), length, "{protocol:?} from {from}");
                assert_eq!(answer.body, received.body, "{protocol:?} from {from}");
            }
        }
        // The body of a refused request does not reach the service.
        let request = Request::post("/upload").body(Full::new(megabyte.clone()));
        let answer = fixture
            .client(protocol)
            .send(request.unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status, 401);
        assert!(fixture.service.take().is_empty());
    }
}

#[tokio::test]
async fn grpc_calls_pass_with_trailers() {
    let fixture = EnvoyFixture::start(Module::Small, |_| ());
    for grpc in ["application/grpc", "application/grpc+proto"] {
        let message = Bytes::from_static(b"\0\0\0\0\x03abc");
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("1"));
        // Services may read these trailers as headers.
        for name in ["x-remote-user", "x_remote_group", "authorization"] {
            trailers.insert(name, HeaderValue::from_static("k8s-ack-v2."));
        }
        let body = Full::new(message.clone()).with_trailers(async { Some(Ok(trailers)) });
        let request = Request::post("/package.Service/Method")
            .header("authorization", bearer(&fixture.token()))
            .header("content-type", grpc)
            .header("te", "trailers")
            .body(Box::pin(body));
        let client = fixture.client(Protocol::Http2);
        let answer = client.send(request.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, message);
        assert_eq!(answer.trailers["grpc-status"], "0", "{answer:?}");
        let received = fixture.only_request();
        assert_eq!(received.body, message);
        assert_eq!(received.trailers["x-checksum"], "1", "{received:?}");
        assert_eq!(received.trailers.len(), 1, "{received:?}");
        assert_eq!(received.all("x-remote-user"), ["alice"]);
    }
}

#[tokio::test]
async fn websocket_opens_and_carries_bytes() {
    let fixture = EnvoyFixture::start(Module::Small, |_| ());
    let upgrade_request = |authorization: Option<String>| {
        let mut request = Request::get("/socket")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", STANDARD.encode("0123456789abcdef"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.body(Full::<Bytes>::default()).unwrap()
    };
    let client = fixture.client(Protocol::Http1);
    let refused = client.begin(upgrade_request(None)).await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(fixture.service.take().is_empty());
    // Envoy forwards `Connection` with an upgrade, and the next proxy would remove the headers that it names.
    let mut hiding = upgrade_request(Some(bearer(&fixture.token())));
    let connection = HeaderValue::from_static("upgrade, X_Remote-Group");
    hiding.headers_mut().insert("connection", connection);
    let refused = client.begin(hiding).await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(fixture.service.take().is_empty());

    let token = bearer(&fixture.token());
    for _ in ["STS", "the cache"] {
        let response = client
            .begin(upgrade_request(Some(token.clone())))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut socket = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        for size in [1, 100, 60_000] {
            let sent = vec![0xa5; size];
            socket.write_all(&sent).await.unwrap();
            let mut got = vec![0; size];
            socket.read_exact(&mut got).await.unwrap();
            assert_eq!(got, sent);
        }
        assert_eq!(fixture.only_request().all("x-remote-user"), ["alice"]);
    }
}

#[tokio::test]
async fn configured_header_names_are_used() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["token"] = json!({ "header": "X-Ram-Token", "keep": true });
        settings["upstream"] = json!({
            "userHeader": "X-Forwarded-User",
            "groupHeader": "X-Forwarded-Groups",
            "uidHeader": "X-Forwarded-Uid",
            "extraHeaderPrefix": "X-Forwarded-Extra-",
        });
    });
    let token = fixture.token();
    for protocol in BOTH {
        for value in [token.expose().to_owned(), bearer(&token)] {
            let headers = [
                ("x-ram-token", &*value),
                ("authorization", "Basic YTpi"),
                ("x-forwarded-user", "root"),
                ("x-forwarded-groups", "system:masters"),
                ("x-forwarded-extra-scopes", "all"),
                ("x-remote-user", "the service's own affair"),
            ];
            let answer = fixture.client(protocol).get("/", &headers).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            let received = fixture.only_request();
            for (name, values) in [
                ("x-forwarded-user", &["alice"][..]),
                ("x-forwarded-groups", &["dev", "ops"]),
                ("x-forwarded-extra-scopes", &[]),
                ("x-remote-user", &["the service's own affair"]),
                ("x-ram-token", &[&value]),
                ("authorization", &["Basic YTpi"]),
            ] {
                assert_eq!(received.all(name), values, "{protocol:?}: {name}");
            }
        }
        let headers = [("authorization", &*bearer(&token))];
        let answer = fixture.client(protocol).get("/", &headers).await.unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("`x-ram-token: <token>`"), "{detail}");
    }
    assert!(fixture.service.take().is_empty());
}
