//! The filter for Envoy, without Envoy: lines in the log, replies to clients, and requests to services.

use std::fmt::Write as _;
use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use ack_ram_envoy::request::RequestHeaders;
use ack_ram_envoy::worker::{LogEntry, RequestAction, StsCall, classify_reply};
use ack_ram_envoy::{Settings, Worker};

use crate::envoy_configuration::config;
use crate::snapshot;

/// 2026-11-24T12:00:00Z.
const NOW: i64 = 1_795_521_600;

fn token(cluster: &str, date: i64) -> String {
    let key = AccessKey {
        id: AccessKeyId::parse("LTAI5tDemoAlice0000001").unwrap(),
        secret: Secret::new("secret"),
        security_token: None,
    };
    let cluster = ClusterId::parse(cluster).unwrap();
    let token = sign_token_v2(&key, &cluster, "test", UnixTime::from_seconds(date)).unwrap();
    token.expose().to_owned()
}

fn user(name: &str) -> String {
    format!(
        r#"{{"IdentityType":"RAMUser","AccountId":"1","RequestId":"r","PrincipalId":"2","UserId":"2","Arn":"acs:ram::1:user/{name}"}}"#
    )
}

fn error(code: &str) -> String {
    format!(r#"{{"Code":"{code}","RequestId":"6B2F4C0A","Message":"m"}}"#)
}

#[test]
fn requests_without_a_call_are_answered_with_these_texts() {
    let good = format!("Bearer {}", token("c1", NOW));
    let other = format!("Bearer {}", token("other", NOW));
    let old = format!("Bearer {}", token("c1", NOW - 3600));
    let cookie = format!("token={}", token("c1", NOW));
    let path = format!("/x?token={}", token("c1", NOW));
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&str, Headers<'_>)] = &[
        ("no token", &[]),
        ("another scheme", &[("authorization", "Basic YTpi")]),
        (
            "two tokens",
            &[("authorization", &good), ("authorization", &other)],
        ),
        ("another cluster", &[("authorization", &other)]),
        ("expired", &[("authorization", &old)]),
        ("garbage", &[("authorization", "Bearer k8s-ack-v2.garbage")]),
        (
            "a token of another type",
            &[("authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln")],
        ),
        (
            "an identity header in Connection",
            &[("authorization", &good), ("connection", "x-remote-user")],
        ),
        (
            "a token in the URL",
            &[("authorization", &good), (":path", &path)],
        ),
        ("a token in a cookie", &[("cookie", &cookie)]),
        ("an identity header", &[("x-remote-user", "root")]),
        ("no login needed", &[(":path", "/healthz")]),
    ];
    let mut text = String::new();
    for (name, lines) in cases {
        let mut worker = worker(r#""bypass": ["/healthz"]"#);
        let action = arrive(&mut worker, lines);
        describe(&mut text, name, &action);
    }
    snapshot::check("envoy_requests_without_a_call", &text);
}

#[test]
fn requests_with_a_call_are_answered_with_these_texts() {
    let alice = user("alice");
    let mallory = user("mallory");
    let refused = error("SignatureDoesNotMatch");
    let throttled = error("Throttling.User");
    let failing = error("InternalError");
    let cases = [
        ("a user", "", 200, &*alice),
        ("not mapped", "", 200, &mallory),
        (
            "not in a group",
            r#""requiredGroups": ["ops"]"#,
            200,
            &alice,
        ),
        ("scrubbed", r#""scrubbedAccounts": ["1"]"#, 200, &alice),
        (
            "scrubbed and not mapped",
            r#""scrubbedAccounts": ["1"]"#,
            200,
            &mallory,
        ),
        (
            "a name that is refused",
            r#""mapRules": [{"arn": "acs:ram::1:user/mallory", "username": "{{SessionName}}"}]"#,
            200,
            &mallory,
        ),
        ("refused", "", 400, &refused),
        ("throttled", "", 400, &throttled),
        ("failing", "", 500, &failing),
        ("a proxy's page", "", 404, "not found"),
        ("not JSON", "", 200, ""),
        ("no connection", "", 503, "upstream connect error"),
        ("a timeout", "", 504, "upstream request timeout"),
    ];
    let mut text = String::new();
    for (name, more, status, body) in cases {
        let mut worker = worker(more);
        let bearer = format!("Bearer {}", token("c1", NOW));
        let lines = [("authorization", &*bearer)];
        let RequestAction::Wait = arrive(&mut worker, &lines) else {
            panic!("{name}: expected a call to STS");
        };
        let action = complete(&mut worker, classify_reply(status, body.as_bytes()));
        describe(&mut text, name, &action);
        if name == "a user" {
            let action = arrive(&mut worker, &lines);
            describe(&mut text, "the same user again", &action);
        }
    }
    snapshot::check("envoy_requests_with_a_call", &text);
}

#[test]
fn requests_beyond_a_limit_are_answered_with_these_texts() {
    let mut text = String::new();
    for (name, reply) in [
        ("a reply that is too large", StsReply::TooLarge),
        ("a timeout", StsReply::TimedOut),
    ] {
        let mut worker = worker("");
        let bearer = format!("Bearer {}", token("c1", NOW));
        let _waits = arrive(&mut worker, &[("authorization", &bearer)]);
        let action = complete(&mut worker, reply);
        describe(&mut text, name, &action);
    }
    let json = config("").replace(
        r#""cluster": "sts""#,
        r#""cluster": "sts", "maxCalls": 1, "maxWaiting": 1"#,
    );
    let mut worker = Worker::new(Settings::parse(json.as_bytes()).unwrap());
    for age in 0..3 {
        let bearer = format!("Bearer {}", token("c1", NOW - age));
        let action = arrive(&mut worker, &[("authorization", &bearer)]);
        if let Some(call) = worker.next_call() {
            worker.mark_sent(call, 7, now());
        }
        describe(&mut text, "a full queue", &action);
    }
    for resumed in worker.fail_all() {
        describe(&mut text, "a request that was shed", &resumed.action);
    }
    snapshot::check("envoy_requests_beyond_a_limit", &text);
}

#[test]
fn calls_of_the_filter_have_these_headers() {
    let mut worker = worker("");
    let bearer = format!("Bearer {}", token("c1", NOW));
    let _waits = arrive(&mut worker, &[("authorization", &bearer)]);
    let wanted = worker.next_call().unwrap();
    let StsCall {
        cluster,
        headers,
        timeout,
    } = worker.prepare(wanted, now()).unwrap();
    let mut text = format!("cluster {cluster}, timeout {timeout:?}\n");
    for (name, value) in headers {
        writeln!(text, "{name}: {value}").unwrap();
    }
    writeln!(text, "results: {:?}", LogEntry::RESULTS).unwrap();
    snapshot::check("envoy_call", &text);
}

fn now() -> Duration {
    Duration::from_secs(NOW.unsigned_abs())
}

fn worker(more: &str) -> Worker {
    Worker::new(Settings::parse(config(more).as_bytes()).unwrap())
}

fn arrive(worker: &mut Worker, lines: &[(&str, &str)]) -> RequestAction {
    let mut all = vec![(":method", "GET"), (":path", "/x")];
    for (name, _) in lines {
        all.retain(|(other, _)| other != name || !name.starts_with(':'));
    }
    all.extend(lines);
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let all: Vec<_> = all.iter().map(owned).collect();
    worker.plan_request(1, RequestHeaders(&all), now()).action
}

/// Completes the call with `reply`, and again if the filter retries.
fn complete(worker: &mut Worker, reply: StsReply<'_>) -> RequestAction {
    let mut id = 7;
    while let Some(wanted) = worker.next_call() {
        worker.mark_sent(wanted, id, now());
        let mut resumed = worker.complete_call(id, reply, now()).resumed;
        if let Some(resumed) = resumed.pop() {
            return resumed.action;
        }
        id += 1;
    }
    panic!("no request waits");
}

fn describe(text: &mut String, name: &str, action: &RequestAction) {
    writeln!(text, "# {name}").unwrap();
    match action {
        RequestAction::Bypass => writeln!(text, "continues without a login\n").unwrap(),
        RequestAction::Wait => writeln!(text, "waits\n").unwrap(),
        RequestAction::Admit(entry) => {
            describe_line(text, &entry.log_entry);
            for (name, value) in &entry.headers {
                writeln!(text, "{name}: {value}").unwrap();
            }
            text.push('\n');
        }
        RequestAction::Refuse(refusal, log_entry) => {
            describe_line(text, log_entry);
            writeln!(
                text,
                "{} grpc={}",
                refusal.kind().status(),
                refusal.kind().grpc_status()
            )
            .unwrap();
            for (name, value) in refusal.headers() {
                writeln!(text, "{name}: {value}").unwrap();
            }
            let body = String::from_utf8(refusal.problem()).unwrap();
            writeln!(text, "{body}\n").unwrap();
        }
    }
}

fn describe_line(text: &mut String, log_entry: &LogEntry) {
    writeln!(
        text,
        "{:?} [{}] {}",
        log_entry.level, log_entry.result, log_entry.line
    )
    .unwrap();
}
