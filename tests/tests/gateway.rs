//! Handling of a request before the call to STS: `tests/vectors/gateway.json` in `core` and in the filter. The same
//! vectors test the server in `tests/tests/ext_authz/refusals.rs`.

use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::Decision;
use ack_ram_core::gateway::{Gateway, IdentityHeaders, Refusal, TokenHeader, contains_token};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign;
use ack_ram_core::time::UnixTime;
use ack_ram_envoy::request::RequestHeaders;
use ack_ram_envoy::worker::RequestAction;
use ack_ram_envoy::{Settings, Worker};
use ack_ram_tests::sts::demo;
use ack_ram_tests::vectors::{self, GatewayCase, GatewayRefusal};
use serde_json::json;

/// 2026-11-24T12:00:00Z.
const NOW: u64 = 1_795_521_600;

fn cluster() -> ClusterId {
    ClusterId::parse("c1").unwrap()
}

fn token(seconds_ago: u64) -> Secret {
    let date = UnixTime::from_seconds((NOW - seconds_ago).cast_signed());
    sign::sign_token_v2(&demo::user_key(), &cluster(), "test", date).unwrap()
}

#[track_caller]
fn check(name: &str, refusal: Option<&Refusal>, expected: Option<&GatewayRefusal>) {
    match (refusal, expected) {
        (None, None) => {}
        (Some(refusal), Some(expected)) => {
            assert_eq!(refusal.kind().code(), expected.kind, "{name}: {refusal:?}");
            let detail = refusal.detail();
            assert!(detail.contains(&expected.detail), "{name}: {detail}");
        }
        _ => panic!("{name}: {refusal:?}, not {expected:?}"),
    }
}

#[test]
fn core_refuses_vector_requests_as_expected() {
    let (token, other) = (token(0), token(1));
    for case in vectors::gateway() {
        let refusal = refusal_of(&case, token.expose(), other.expose());
        check(&case.name, refusal.as_ref(), case.refusal.as_ref());
    }
}

/// Returns why a gateway that cannot remove headers refuses the request, or `None`.
fn refusal_of(case: &GatewayCase, token: &str, other: &str) -> Option<Refusal> {
    let header = TokenHeader::new(&case.token_header).unwrap();
    let headers = case.headers(token, other);
    let identity = IdentityHeaders::default();
    let values = |wanted: &str| {
        let wanted = wanted.to_owned();
        let headers = headers.iter();
        headers.filter_map(move |(name, value)| (*name == wanted).then_some(value.as_str()))
    };
    let connection_names = values("connection")
        .flat_map(|names| names.split(','))
        .map(str::trim);
    let mut names = headers
        .iter()
        .map(|(name, _)| name.as_str())
        .chain(connection_names);
    if names.any(|name| identity.is_identity_header(name)) {
        return Some(Refusal::identity_header_present(&identity));
    }
    let found = match header.extract_token(values(header.as_str()).map(str::as_bytes)) {
        Ok(found) => found,
        Err(none) => return Some(Refusal::from_bearer_error(none, &header)),
    };
    let is_stray = |(name, value): &(String, String)| {
        name != header.as_str() && contains_token(value.as_bytes())
    };
    if contains_token(case.path(token).as_bytes()) || headers.iter().any(is_stray) {
        return Some(Refusal::stray_token(&header));
    }
    let policy = TokenPolicy::new(cluster());
    let now = UnixTime::from_seconds(NOW.cast_signed());
    let decision: Box<Decision> = match begin(found.expose(), &policy, now) {
        Step::Decided(decision) => decision.into(),
        Step::CallSts(_) => {
            assert_eq!(found.expose(), token, "{}", case.name);
            return None;
        }
    };
    Gateway::default().admit(&decision).err()
}

#[test]
fn filter_refuses_or_cleans_vector_requests_as_expected() {
    let (token, other) = (token(0), token(1));
    let (token, other) = (token.expose(), other.expose());
    for case in vectors::gateway() {
        let settings = json!({
            "clusterID": "c1",
            "sts": { "cluster": "sts" },
            "token": { "header": case.token_header },
            "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
        });
        let settings = Settings::parse(settings.to_string().as_bytes()).unwrap();
        let mut headers = vec![
            (":method".to_owned(), b"GET".to_vec()),
            (":path".to_owned(), case.path(token).into_bytes()),
        ];
        let lines = case.headers(token, other).into_iter();
        headers.extend(lines.map(|(name, value)| (name, value.into_bytes())));
        let now = Duration::from_secs(NOW);
        let arrival = Worker::new(settings).plan_request(1, RequestHeaders(&headers), now);
        let refusal = match &arrival.action {
            RequestAction::Wait => None,
            RequestAction::Refuse(refusal, record) => {
                let result = case.refusal.as_ref().map(|refusal| &*refusal.result);
                assert_eq!(Some(record.result), result, "{}", case.name);
                Some(refusal)
            }
            then => panic!("{}: {then:?}", case.name),
        };
        let expected = case.refusal_of_filter();
        check(&case.name, refusal, expected);
        if case.refusal.is_some() && expected.is_none() {
            let (name, _) = headers.last().unwrap();
            assert!(arrival.remove.contains(name), "{}: {arrival:?}", case.name);
        }
    }
}
