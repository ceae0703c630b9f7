//! Whom an example believes, and what holds when parts of it fail.

use ack_ram_tests::envoy::Protocol;
use ack_ram_tests::sts::{Emulator, Fault, GET_CALLER_IDENTITY_HEADERS, Handshake, demo};

use super::started::{Example, Started};

/// That Alice, with a token that was not seen before, gets 503 and comes no further.
async fn check_that_nobody_can_tell(started: &Started, what: &str) {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let bearer = started.bearer(&demo::user_key());
        let client = started.client(protocol);
        let answer = client.get("/", &[("authorization", &bearer)]).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status, 503, "{what}: {answer:?}");
        assert!(started.service.take().is_empty(), "{what}");
    }
}

async fn check_that_alice_comes_in(started: &Started, what: &str) {
    let bearer = started.bearer(&demo::user_key());
    let answer = started.get("/", &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    assert_eq!(started.only_request(what).all("x-remote-user"), ["alice"]);
}

#[tokio::test]
async fn only_sts_is_believed() {
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
        check_that_nobody_can_tell(&started, &what).await;
        assert!(started.sts.requests().is_empty(), "{what}");
        started.set_sts_fault(None);
        check_that_alice_comes_in(&started, &what).await;
    }
}

#[tokio::test]
async fn sts_gets_what_was_signed_and_no_more() {
    let started = Example::Filter.start();
    check_that_alice_comes_in(&started, "").await;
    let [request] = &*started.sts.requests() else {
        panic!("{:?}", started.sts.requests());
    };
    assert_eq!(request.header_names(), GET_CALLER_IDENTITY_HEADERS);
    assert_eq!(request.headers["host"], "sts.aliyuncs.com");
}

#[tokio::test]
async fn only_the_server_is_believed() {
    let elsewhere = Emulator::builder().start().unwrap();
    let started = Example::ExtAuthz.start_with(&[], Some(elsewhere.ca_pem()));
    check_that_nobody_can_tell(&started, "another authority").await;

    let name = (
        "matcher: { exact: localhost }",
        "matcher: { exact: another.test }",
    );
    let started = Example::ExtAuthz.start_with(&[name], None);
    check_that_nobody_can_tell(&started, "another name").await;

    let mut started = Example::ExtAuthz.start();
    check_that_alice_comes_in(&started, "the right one").await;
    started.authenticator.take().unwrap().kill();
    check_that_nobody_can_tell(&started, "none").await;
}

#[tokio::test]
async fn where_a_route_turns_the_filter_off_nobody_says_who_they_are() {
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
    let seen = started.only_request("off");
    let names = seen.headers.keys().map(|name| name.as_str());
    let told: Vec<_> = names.filter(|name| name.contains("remote")).collect();
    assert_eq!(told, [""; 0]);
}
