use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::gateway::RefusalKind;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};

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
    let token = sign_token_v2(&key, &cluster, "test", unix(NOW)).unwrap();
    token.expose().to_owned()
}

fn headers(lines: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    lines.iter().map(owned).collect()
}

fn arrive(worker: &mut Worker, stream: StreamId, lines: &[(&str, &str)]) -> RequestPlan {
    let mut all = vec![(":method", "GET"), (":path", "/x")];
    for line in lines {
        all.retain(|(name, _)| *name != line.0 || !name.starts_with(':'));
    }
    all.extend(lines);
    worker.plan_request(stream, RequestHeaders(&headers(&all)), NOW)
}

fn sorted(plan: &RequestPlan) -> Vec<String> {
    let mut remove = plan.remove.clone();
    remove.sort_unstable();
    remove
}

fn log_in(worker: &mut Worker, stream: StreamId, key: &str) -> RequestPlan {
    let bearer = format!("Bearer {}", token(key));
    arrive(worker, stream, &[("authorization", &bearer)])
}

/// Sends the next call.
fn call(worker: &mut Worker, id: CallId) -> StsCall {
    let next = worker.next_call().expect("a call is pending");
    let call = worker.prepare(next, NOW).unwrap();
    worker.mark_sent(next, id, NOW);
    call
}

fn answer(worker: &mut Worker, id: CallId, status: u16, body: &str) -> Vec<ResumedStream> {
    let body = body.as_bytes();
    worker
        .complete_call(id, StsReply::Response { status, body }, NOW)
        .resumed
}

fn admitted_or_refusal_kind(action: &RequestAction) -> Result<&AdmittedRequest, RefusalKind> {
    match action {
        RequestAction::Admit(entry) => Ok(entry),
        RequestAction::Refuse(refusal, _) => Err(refusal.kind()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn login_calls_sts_once_and_names_user_to_service() {
    let mut worker = worker("");
    let plan = log_in(&mut worker, 1, "LTAI1");
    assert_eq!(plan.remove, ["authorization"]);
    assert!(matches!(plan.action, RequestAction::Wait));
    assert!(worker.is_waiting(1));
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
    let resumed = answer(&mut worker, 7, 200, ALICE);
    assert_eq!((resumed.len(), resumed[0].stream), (1, 1));
    let entry = admitted_or_refusal_kind(&resumed[0].action).unwrap();
    assert_eq!(entry.username, "alice");
    let user = ("x-remote-user".to_owned(), "alice".to_owned());
    let group = ("x-remote-group".to_owned(), "dev".to_owned());
    assert!(entry.headers.contains(&user) && entry.headers.contains(&group));
    assert!(
        entry.log_entry.line.contains("cache=miss"),
        "{}",
        entry.log_entry.line
    );
    assert!(!worker.is_waiting(1));
    // The identity is cached now.
    let plan = log_in(&mut worker, 2, "LTAI1");
    assert_eq!(plan.remove, ["authorization"]);
    let entry = admitted_or_refusal_kind(&plan.action).unwrap();
    assert!(
        entry.log_entry.line.contains("cache=hit"),
        "{}",
        entry.log_entry.line
    );
    assert!(worker.next_call().is_none());
}

#[test]
fn reply_of_sts_decides_login() {
    for (status, body, expected) in [
        (200, MALLORY, RefusalKind::InvalidToken),
        (200, "", RefusalKind::Unavailable),
        (200, "{}", RefusalKind::Unavailable),
    ] {
        let mut worker = worker("");
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let resumed = answer(&mut worker, 7, status, body);
        assert_eq!(
            admitted_or_refusal_kind(&resumed[0].action).unwrap_err(),
            expected,
            "{status} {body}"
        );
        // Only a verified identity is cached, not a failure.
        let calls_again = matches!(log_in(&mut worker, 2, "LTAI1").action, RequestAction::Wait);
        assert_eq!(calls_again, body != MALLORY, "{status} {body}");
    }
    for reply in [StsReply::TimedOut, StsReply::TooLarge] {
        let mut worker = worker("");
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let resumed = worker.complete_call(7, reply, NOW).resumed;
        assert_eq!(
            admitted_or_refusal_kind(&resumed[0].action).unwrap_err(),
            RefusalKind::Unavailable
        );
    }
}

#[test]
fn cached_identity_expires_with_ttl_or_token() {
    for (more, first, later, is_cached) in [
        ("", 0, 119, true),
        ("", 0, 120, false),
        ("\"cache\": {\"ttlSeconds\": 900}", 0, 899, true),
        // The token itself expires.
        ("\"cache\": {\"ttlSeconds\": 900}", 0, 900, false),
        ("\"cache\": {\"ttlSeconds\": 900}", 600, 899, true),
        ("\"cache\": {\"ttlSeconds\": 900}", 600, 900, false),
        ("\"cache\": {\"size\": 0}", 0, 0, false),
    ] {
        let mut worker = worker(more);
        let bearer = format!("Bearer {}", token("LTAI1"));
        let request_headers = headers(&[(":path", "/"), ("authorization", &bearer)]);
        let first = NOW + Duration::from_secs(first);
        let _waits = worker.plan_request(1, RequestHeaders(&request_headers), first);
        let next = worker.next_call().unwrap();
        worker.mark_sent(next, 7, NOW);
        let body = ALICE.as_bytes();
        let _resumed = worker.complete_call(7, StsReply::Response { status: 200, body }, first);
        let later = NOW + Duration::from_secs(later);
        let plan = worker.plan_request(2, RequestHeaders(&request_headers), later);
        assert_eq!(
            matches!(plan.action, RequestAction::Admit(_)),
            is_cached,
            "{more} {first:?} {later:?}"
        );
    }
}

#[test]
fn identity_headers_of_client_are_removed_for_every_action() {
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
        let plan = arrive(&mut worker, 1, &lines);
        assert_eq!(sorted(&plan), removed, "{lines:?}");
        let action = match plan.action {
            RequestAction::Bypass => "bypass",
            RequestAction::Refuse(..) => "refused",
            RequestAction::Admit(_) | RequestAction::Wait => "login",
        };
        assert_eq!(action, expected, "{lines:?}");
    }
    // Preflights are refused unless the configuration allows them.
    assert!(matches!(
        arrive(&mut worker(""), 1, &preflight).action,
        RequestAction::Refuse(..)
    ));
}

#[test]
fn trailers_lose_identity_headers_and_tokens() {
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
        let names = worker.trailers_to_remove(RequestHeaders(&trailers));
        assert_eq!(names, [removed, &strays].concat(), "{more}");
    }
}

#[test]
fn token_in_any_header_is_removed_before_the_service() {
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
        // A token in other headers is removed as well.
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
        let is_refused = matches!(arrival.action, RequestAction::Refuse(..));
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
            let RequestAction::Refuse(refusal, log_entry) = arrival.action else {
                panic!("{method} {target}: {:?}", arrival.action);
            };
            assert_eq!(refusal.kind(), RefusalKind::Forbidden);
            for text in [refusal.message(), log_entry.line] {
                assert!(text.contains("Authorization: Bearer <token>"), "{text}");
                assert!(!text.contains("k8s-ack"), "{text}");
            }
        }
    }
}

#[test]
fn user_outside_required_groups_is_forbidden() {
    for (groups, expected) in [
        (r#"["dev"]"#, 200),
        (r#"["ops"]"#, 403),
        (r#"["ops", "dev"]"#, 200),
    ] {
        let mut worker = worker(&format!("\"requiredGroups\": {groups}"));
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let resumed = answer(&mut worker, 7, 200, ALICE);
        let status =
            admitted_or_refusal_kind(&resumed[0].action).map_or_else(RefusalKind::status, |_| 200);
        assert_eq!(status, expected, "{groups}");
    }
}

#[test]
fn log_line_has_no_secret_and_no_scrubbed_identity() {
    let token = token("LTAI1");
    let secret_part = token.trim_start_matches("k8s-ack-v2.");
    for (more, is_logged) in [("", true), ("\"scrubbedAccounts\": [\"1\"]", false)] {
        for (body, result) in [(ALICE, "granted"), (MALLORY, "not_mapped")] {
            let mut worker = worker(more);
            let _waits = log_in(&mut worker, 1, "LTAI1");
            call(&mut worker, 7);
            let resumed = answer(&mut worker, 7, 200, body);
            let log_entry = match &resumed[0].action {
                RequestAction::Admit(entry) => &entry.log_entry,
                RequestAction::Refuse(_, log_entry) => log_entry,
                other => panic!("{other:?}"),
            };
            assert_eq!(log_entry.result, result);
            assert!(LogEntry::RESULTS.contains(&log_entry.result));
            assert_eq!(
                log_entry.line.contains("acs:ram::1:"),
                is_logged,
                "{}",
                log_entry.line
            );
            assert!(!log_entry.line.contains(secret_part), "{}", log_entry.line);
        }
    }
}
