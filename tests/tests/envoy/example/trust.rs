//! The peers that an example trusts, and its answers when parts of it fail.

use ack_ram_tests::envoy::Protocol;
use ack_ram_tests::sts::{Emulator, Fault, GET_CALLER_IDENTITY_HEADERS, Handshake, demo};

use super::started::{Example, ExampleEnvoy};

/// Checks that a new token of Alice gets 503 and does not reach the service.
async fn check_unavailable(started: &ExampleEnvoy, what: &str) {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let bearer = started.bearer(&demo::user_key());
        let client = started.client(protocol);
        let answer = client.get("/", &[("authorization", &bearer)]).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status, 503, "{what}: {answer:?}");
        assert!(started.service.take().is_empty(), "{what}");
    }
}

async fn check_alice_is_granted(started: &ExampleEnvoy, what: &str) {
    let bearer = started.bearer(&demo::user_key());
    let answer = started.get("/", &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    assert_eq!(started.only_request(what).all("x-remote-user"), ["alice"]);
}

#[tokio::test]
async fn forged_sts_is_rejected() {
    let started = Example::Filter.start();
    for handshake in [
        Handshake::OtherAuthority,
        Handshake::OtherName,
        Handshake::Expired,
        Handshake::PlainText,
        Handshake::Close,
    ] {
        let what = format!("{handshake:?}");
        started.set_sts_fault(Some(Fault::InHandshake(handshake)));
        started.sts.clear_requests();
        check_unavailable(&started, &what).await;
        assert!(started.sts.requests().is_empty(), "{what}");
        started.set_sts_fault(None);
        check_alice_is_granted(&started, &what).await;
    }
}

#[tokio::test]
async fn sts_receives_signed_headers_only() {
    let started = Example::Filter.start();
    check_alice_is_granted(&started, "").await;
    let [request] = &*started.sts.requests() else {
        panic!("{:?}", started.sts.requests());
    };
    assert_eq!(request.header_names(), GET_CALLER_IDENTITY_HEADERS);
    assert_eq!(request.headers["host"], "sts.aliyuncs.com");
}

#[tokio::test]
async fn forged_server_is_rejected() {
    let elsewhere = Emulator::builder().start().unwrap();
    let started = Example::ExtAuthz.start_with(&[], Some(elsewhere.ca_pem()));
    check_unavailable(&started, "another authority").await;

    let name = (
        "matcher: { exact: localhost }",
        "matcher: { exact: another.test }",
    );
    let started = Example::ExtAuthz.start_with(&[name], None);
    check_unavailable(&started, "another name").await;

    let mut started = Example::ExtAuthz.start();
    check_alice_is_granted(&started, "the right one").await;
    started.authenticator.take().unwrap().kill();
    check_unavailable(&started, "none").await;
}

#[tokio::test]
async fn route_without_filter_passes_no_identity_headers() {
    let off = r#"route: { cluster: service, timeout: 60s }
                typed_per_filter_config:
                  ack_ram:
                    "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig
                    disabled: true"#;
    let route = "route: { cluster: service, timeout: 60s }";
    let started = Example::Filter.start_with(&[(route, off)], None);
    let answer = started
        .get("/", &[("x-remote-user", "root"), ("x.remote.group", "ops")])
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = started.only_request("off");
    let names = received.headers.keys().map(|name| name.as_str());
    let identity_headers: Vec<_> = names.filter(|name| name.contains("remote")).collect();
    assert_eq!(identity_headers, [""; 0]);
}
