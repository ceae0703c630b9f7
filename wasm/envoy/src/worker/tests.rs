use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::gateway::RefusalKind;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, token_v2};

mod calls;

use super::*;
use crate::config::tests::config;

/// 2026-11-24T12:00:00Z.
const NOW: Duration = Duration::from_secs(1_795_521_600);

const ALICE: &str = r#"{"IdentityType":"RAMUser","AccountId":"1","RequestId":"r","PrincipalId":"2","UserId":"2","Arn":"acs:ram::1:user/alice"}"#;
const MALLORY: &str = r#"{"IdentityType":"RAMUser","AccountId":"1","RequestId":"r","PrincipalId":"3","UserId":"3","Arn":"acs:ram::1:user/mallory"}"#;

fn worker(more: &str) -> Worker {
    Worker::new(Settings::parse(config(more).as_bytes()).unwrap())
}

fn token(key: &str) -> String {
    let key = AccessKey {
        id: AccessKeyId::parse(key).unwrap(),
        secret: Secret::new("secret"),
        security_token: None,
    };
    let cluster = ClusterId::parse("c1").unwrap();
    let token = token_v2(&key, &cluster, "test", unix(NOW)).unwrap();
    token.expose().to_owned()
}

fn headers(lines: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    lines.iter().map(owned).collect()
}

fn arrive(worker: &mut Worker, stream: StreamId, lines: &[(&str, &str)]) -> Arrival {
    let mut all = vec![(":method", "GET"), (":path", "/x")];
    for line in lines {
        all.retain(|(name, _)| *name != line.0 || !name.starts_with(':'));
    }
    all.extend(lines);
    worker.arrived(stream, Head(&headers(&all)), NOW)
}

fn sorted(arrival: &Arrival) -> Vec<String> {
    let mut remove = arrival.remove.clone();
    remove.sort_unstable();
    remove
}

fn log_in(worker: &mut Worker, stream: StreamId, key: &str) -> Arrival {
    let bearer = format!("Bearer {}", token(key));
    arrive(worker, stream, &[("authorization", &bearer)])
}

/// Makes the call that is wanted.
fn call(worker: &mut Worker, id: CallId) -> Call {
    let wanted = worker.next_call().expect("a call is wanted");
    let call = worker.prepare(wanted, NOW).unwrap();
    worker.sent(wanted, id, NOW);
    call
}

fn answer(worker: &mut Worker, id: CallId, status: u16, body: &str) -> Vec<Woken> {
    let body = body.as_bytes();
    worker
        .answered(id, StsReply::Response { status, body }, NOW)
        .woken
}

fn kind(then: &Then) -> Result<&Entry, RefusalKind> {
    match then {
        Then::Enter(entry) => Ok(entry),
        Then::Refuse(refusal, _) => Err(refusal.kind()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_and_what_the_service_is_told() {
    let mut worker = worker("");
    let arrival = log_in(&mut worker, 1, "LTAI1");
    assert_eq!(arrival.remove, ["authorization"]);
    assert!(matches!(arrival.then, Then::Wait));
    assert!(worker.waits(1));
    let call = call(&mut worker, 7);
    assert_eq!(call.cluster, "sts");
    let names: Vec<_> = call.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            ":method",
            ":path",
            ":scheme",
            ":authority",
            "user-agent",
            "accept",
            "authorization",
            "x-acs-action",
            "x-acs-content-sha256",
            "x-acs-date",
            "x-acs-version",
        ]
    );
    assert_eq!(call.headers[1].1, "/?ACKClusterId=c1");
    let woken = answer(&mut worker, 7, 200, ALICE);
    assert_eq!((woken.len(), woken[0].stream), (1, 1));
    let entry = kind(&woken[0].then).unwrap();
    assert_eq!(entry.username, "alice");
    let user = ("x-remote-user".to_owned(), "alice".to_owned());
    let group = ("x-remote-group".to_owned(), "dev".to_owned());
    assert!(entry.headers.contains(&user) && entry.headers.contains(&group));
    assert!(
        entry.told.line.contains("cache=miss"),
        "{}",
        entry.told.line
    );
    assert!(!worker.waits(1));
    // Now it is known.
    let arrival = log_in(&mut worker, 2, "LTAI1");
    assert_eq!(arrival.remove, ["authorization"]);
    let entry = kind(&arrival.then).unwrap();
    assert!(entry.told.line.contains("cache=hit"), "{}", entry.told.line);
    assert!(worker.next_call().is_none());
}

#[test]
fn what_sts_says_decides() {
    for (status, body, expected) in [
        (200, MALLORY, RefusalKind::InvalidToken),
        (200, "", RefusalKind::Unavailable),
        (200, "{}", RefusalKind::Unavailable),
    ] {
        let mut worker = worker("");
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let woken = answer(&mut worker, 7, status, body);
        assert_eq!(
            kind(&woken[0].then).unwrap_err(),
            expected,
            "{status} {body}"
        );
        // Who it is may be remembered, and nothing else.
        let asks_again = matches!(log_in(&mut worker, 2, "LTAI1").then, Then::Wait);
        assert_eq!(asks_again, body != MALLORY, "{status} {body}");
    }
    for reply in [StsReply::TimedOut, StsReply::TooLarge] {
        let mut worker = worker("");
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let woken = worker.answered(7, reply, NOW).woken;
        assert_eq!(kind(&woken[0].then).unwrap_err(), RefusalKind::Unavailable);
    }
}

#[test]
fn nothing_is_remembered_past_its_end() {
    for (more, first, later, is_known) in [
        ("", 0, 119, true),
        ("", 0, 120, false),
        ("\"cache\": {\"ttlSeconds\": 900}", 0, 899, true),
        // The token's own end.
        ("\"cache\": {\"ttlSeconds\": 900}", 0, 900, false),
        ("\"cache\": {\"ttlSeconds\": 900}", 600, 899, true),
        ("\"cache\": {\"ttlSeconds\": 900}", 600, 900, false),
        ("\"cache\": {\"size\": 0}", 0, 0, false),
    ] {
        let mut worker = worker(more);
        let bearer = format!("Bearer {}", token("LTAI1"));
        let head = headers(&[(":path", "/"), ("authorization", &bearer)]);
        let first = NOW + Duration::from_secs(first);
        let _waits = worker.arrived(1, Head(&head), first);
        let wanted = worker.next_call().unwrap();
        worker.sent(wanted, 7, NOW);
        let body = ALICE.as_bytes();
        let _woken = worker.answered(7, StsReply::Response { status: 200, body }, first);
        let later = NOW + Duration::from_secs(later);
        let arrival = worker.arrived(2, Head(&head), later);
        assert_eq!(
            matches!(arrival.then, Then::Enter(_)),
            is_known,
            "{more} {first:?} {later:?}"
        );
    }
}

#[test]
fn what_clients_claim_to_be_is_removed_whatever_comes_next() {
    let claims = [
        ("x-remote-user", "root"),
        ("x-remote-group", "system:masters"),
        ("x_remote_group", "system:masters"),
        ("x-remote_uid", "0"),
        ("x-remote-extra-scopes", "all"),
        ("x-other", "kept"),
    ];
    let removed = [
        "x-remote-extra-scopes",
        "x-remote-group",
        "x-remote-user",
        "x-remote_uid",
        "x_remote_group",
    ];
    let more = r#""bypass": ["/healthz"], "allowPreflight": true"#;
    let preflight = [
        (":method", "OPTIONS"),
        ("origin", "https://a"),
        ("access-control-request-method", "GET"),
    ];
    for (lines, expected) in [
        (&[][..], "refused"),
        (&[("authorization", "Basic YTpi")], "refused"),
        (&[(":path", "/healthz")], "bypass"),
        (&[(":path", "/healthz?x=/../")], "bypass"),
        (&[(":path", "/healthz/../x")], "refused"),
        (&preflight, "bypass"),
    ] {
        let mut worker = worker(more);
        let lines: Vec<_> = claims.iter().chain(lines).copied().collect();
        let arrival = arrive(&mut worker, 1, &lines);
        assert_eq!(sorted(&arrival), removed, "{lines:?}");
        let then = match arrival.then {
            Then::Bypass => "bypass",
            Then::Refuse(..) => "refused",
            Then::Enter(_) | Then::Wait => "in",
        };
        assert_eq!(then, expected, "{lines:?}");
    }
    // Preflights are refused unless they are asked for.
    assert!(matches!(
        arrive(&mut worker(""), 1, &preflight).then,
        Then::Refuse(..)
    ));
}

#[test]
fn trailers_tell_services_nothing_either() {
    let (own, bearer) = (token("LTAI1"), format!("Bearer {}", token("LTAI1")));
    let trailers = headers(&[
        ("x-remote-user", "root"),
        ("X_Remote_Uid", "0"),
        ("authorization", "Basic YTpi"),
        ("x-sum", "1"),
        ("x-first", &own),
        ("x-second", &bearer),
    ]);
    let strays = ["x-first", "x-second"];
    for (more, removed) in [
        ("", &["x-remote-user", "X_Remote_Uid", "authorization"][..]),
        (
            "\"token\": {\"keep\": true}",
            &["x-remote-user", "X_Remote_Uid"],
        ),
        (
            "\"token\": {\"header\": \"x-sum\"}",
            &["x-remote-user", "X_Remote_Uid", "x-sum"],
        ),
    ] {
        let worker = worker(more);
        let names = worker.trailed(Head(&trailers));
        assert_eq!(names, [removed, &strays].concat(), "{more}");
    }
}

#[test]
fn the_token_is_for_the_filter_alone() {
    let own = token("LTAI1");
    let bearer = format!("Bearer {own}");
    let lower = format!("bearer {own}");
    let cookie = format!("theme=dark; token={own}");
    // A token as a password: `alice:k8s-ack-v2.eyJ...`.
    let basic = "Basic YWxpY2U6azhzLWFjay12Mi5leUp0WlhSb2IyUWlPaUpRVDFOVUlpd2k=";
    let own_header = r#""token": {"header": "X-RAM-Token"}"#;
    let bypass = r#""bypass": ["/x"], "allowPreflight": true"#;
    let both = format!("{own_header}, {bypass}");
    for (more, lines, removed) in [
        (
            "",
            vec![("authorization", &*bearer)],
            &["authorization"][..],
        ),
        (
            "\"token\": {\"keep\": true}",
            vec![("authorization", &bearer), ("x-copy", &bearer)],
            &["x-copy"],
        ),
        (
            bypass,
            vec![(":path", "/x"), ("authorization", &bearer)],
            &["authorization"],
        ),
        // Credentials for the service itself.
        (
            bypass,
            vec![(":path", "/x"), ("authorization", "Basic YTpi")],
            &[],
        ),
        (
            own_header,
            vec![("x-ram-token", &own), ("authorization", "Basic YTpi")],
            &["x-ram-token"],
        ),
        // Wherever else it stands.
        (
            own_header,
            vec![("x-ram-token", &own), ("authorization", &bearer)],
            &["authorization", "x-ram-token"],
        ),
        (
            own_header,
            vec![
                ("x-ram-token", &own),
                ("authorization", "Basic YTpi"),
                ("authorization", &lower),
                ("cookie", &cookie),
                ("0-starts-before-a-colon", &own),
                ("proxy-authorization", basic),
                ("referer", "https://k8s-ack-v2.example.com/"),
            ],
            &[
                "0-starts-before-a-colon",
                "authorization",
                "cookie",
                "proxy-authorization",
                "x-ram-token",
            ],
        ),
        (
            &both,
            vec![(":path", "/x"), ("authorization", &bearer)],
            &["authorization"],
        ),
        (
            &both,
            vec![
                (":method", "OPTIONS"),
                ("origin", "https://a"),
                ("access-control-request-method", "GET"),
                ("authorization", &bearer),
                ("x-ram-token", &own),
            ],
            &["authorization", "x-ram-token"],
        ),
    ] {
        let mut worker = worker(more);
        let arrival = arrive(&mut worker, 1, &lines);
        assert_eq!(sorted(&arrival), removed, "{more} {lines:?}");
        let is_refused = matches!(arrival.then, Then::Refuse(..));
        assert!(!is_refused, "{more} {lines:?}");
    }
}

#[test]
fn token_in_the_url_is_refused_on_every_path() {
    let own = token("LTAI1");
    let bearer = format!("Bearer {own}");
    let more = r#""bypass": ["/x"], "allowPreflight": true"#;
    for path in ["/x", "/y"] {
        let target = format!("{path}?access_token={own}");
        for method in ["GET", "OPTIONS"] {
            let lines = [
                (":method", method),
                (":path", &*target),
                ("origin", "https://a"),
                ("access-control-request-method", "GET"),
                ("authorization", &*bearer),
            ];
            let arrival = arrive(&mut worker(more), 1, &lines);
            assert_eq!(arrival.remove, ["authorization"], "{method} {target}");
            let Then::Refuse(refusal, told) = arrival.then else {
                panic!("{method} {target}: {:?}", arrival.then);
            };
            assert_eq!(refusal.kind(), RefusalKind::Forbidden);
            for text in [refusal.message(), told.line] {
                assert!(text.contains("Authorization: Bearer <token>"), "{text}");
                assert!(!text.contains("k8s-ack"), "{text}");
            }
        }
    }
}

#[test]
fn groups_that_are_required() {
    for (groups, expected) in [
        (r#"["dev"]"#, 200),
        (r#"["ops"]"#, 403),
        (r#"["ops", "dev"]"#, 200),
    ] {
        let mut worker = worker(&format!("\"requiredGroups\": {groups}"));
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let woken = answer(&mut worker, 7, 200, ALICE);
        let status = kind(&woken[0].then).map_or_else(RefusalKind::status, |_| 200);
        assert_eq!(status, expected, "{groups}");
    }
}

#[test]
fn nothing_secret_is_logged_and_nothing_of_scrubbed_accounts() {
    let token = token("LTAI1");
    let secret_part = token.trim_start_matches("k8s-ack-v2.");
    for (more, is_told) in [("", true), ("\"scrubbedAccounts\": [\"1\"]", false)] {
        for (body, result) in [(ALICE, "granted"), (MALLORY, "not_mapped")] {
            let mut worker = worker(more);
            let _waits = log_in(&mut worker, 1, "LTAI1");
            call(&mut worker, 7);
            let woken = answer(&mut worker, 7, 200, body);
            let told = match &woken[0].then {
                Then::Enter(entry) => &entry.told,
                Then::Refuse(_, told) => told,
                other => panic!("{other:?}"),
            };
            assert_eq!(told.result, result);
            assert!(Told::RESULTS.contains(&told.result));
            assert_eq!(told.line.contains("acs:ram::1:"), is_told, "{}", told.line);
            assert!(!told.line.contains(secret_part), "{}", told.line);
        }
    }
}
