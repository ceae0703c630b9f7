use ack_ram_core::sts::{ExternalId, SessionPolicy, SessionSeconds};

use super::*;
use crate::flow::Plan;
use crate::flow::script::{
    HalfKeys, LATER, NOW, UPPER_NAMES, assert_half_keys_are_refused,
    assert_unusable_results_give_no_key, failed, key_plan, moment, response, response_at,
    role_plan, run, sts_key, too_large,
};
use crate::origin::Origin;

fn plan() -> Plan {
    Plan::AssumeRole(Box::new(role_plan(key_plan(), Some("alice@example.com"))))
}

#[test]
fn request_has_parameters_and_independent_signature() {
    let mut role = role_plan(key_plan(), Some("alice@example.com"));
    let option = Origin::Option("--x");
    role.external_id =
        ExternalId::parse("a+b=c,d.e@f:g/h-i_j").map(|id| Setting::new(id, option.clone()));
    let policy = SessionPolicy::parse("{\"Version\":\"1\", \"Statement\":[] }~*\u{e9}");
    role.session.policy = policy.map(|policy| Setting::new(policy, option.clone()));
    role.session.seconds = SessionSeconds::new(900).map(|seconds| Setting::new(seconds, option));
    let script = run(
        Plan::AssumeRole(Box::new(role)),
        [response(200, sts_key(LATER))],
    );
    // The same request as in the tests of the core, where the signature comes from an independent program.
    assert_eq!(
        script.request(0),
        "POST https://sts.aliyuncs.com/?DurationSeconds=900&ExternalId=a%2Bb%3Dc%2Cd.e%40f%3Ag%2Fh-i_j&Policy=%7B%22Version%22%3A%221%22%2C%20%22Statement%22%3A%5B%5D%20%7D~%2A%C3%A9&RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fdev&RoleSessionName=alice%40example.com
accept: application/json
authorization: ACS3-HMAC-SHA256 Credential=LTAI5tFakeAccessKeyId001,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version,Signature=1ed2f0563a4a706d07ad54c87517ffd1fb439d5ea81f7b1da834923322b884e6
host: sts.aliyuncs.com
x-acs-action: AssumeRole
x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-acs-date: 2026-01-02T03:04:05Z
x-acs-security-token: FakeSecurityTokenCANARY+/==
x-acs-signature-nonce: 0123456789abcdef0123456789abcdef
x-acs-version: 2015-04-01
"
    );
    assert_eq!(
        script.text(),
        format!(
            "STS.FakeAccessKeyId002 FakeSecretCANARY2 FakeTokenCANARY2 {LATER} alice@example.com"
        )
    );
    let Effect::Send(request) = &script.effects[0] else {
        panic!("{script:?}");
    };
    assert_eq!(request.limits, CallLimits::INTERNET);
}

#[test]
fn host_header_is_the_signed_host() {
    for (endpoint, base, host) in [
        (
            "sts.aliyuncs.com:443",
            "https://sts.aliyuncs.com/",
            "sts.aliyuncs.com:443",
        ),
        (
            "STS.aliyuncs.com",
            "https://sts.aliyuncs.com/",
            "STS.aliyuncs.com",
        ),
        (
            "http://127.0.0.1:81",
            "http://127.0.0.1:81/",
            "127.0.0.1:81",
        ),
        ("http://[::1]:81", "http://[::1]:81/", "[::1]:81"),
    ] {
        let mut role = role_plan(key_plan(), Some("me"));
        role.session.endpoint.value = ack_ram_config::StsEndpoint::parse(endpoint).unwrap();
        let request = run(Plan::AssumeRole(Box::new(role)), []).request(0);
        assert!(request.starts_with(&format!("POST {base}?")), "{request}");
        assert!(request.contains(&format!("\nhost: {host}\n")), "{request}");
    }
}

#[test]
fn throttled_or_failed_call_is_made_once_more_after_a_pause() {
    let throttled = || response(400, r#"{"Code":"Throttling.User","RequestId":"r-1"}"#);
    let calls = ["AssumeRole", "Wait 700ms", "AssumeRole"];
    for (first, second, expected) in [
        (
            throttled(),
            response(200, sts_key(LATER)),
            "STS.FakeAccessKeyId002",
        ),
        (
            response(503, ""),
            response(200, sts_key(LATER)),
            "STS.FakeAccessKeyId002",
        ),
        (
            throttled(),
            throttled(),
            "unavailable: AssumeRole for acs:ram::1234567890123456:role/dev from `--role-arn` failed at https://sts.aliyuncs.com: STS throttled the request with `Throttling.User` (STS request ID r-1); try again in a minute",
        ),
        (
            response(500, ""),
            response(502, ""),
            "STS returned HTTP status 502; try again in a moment",
        ),
        (
            throttled(),
            response(403, r#"{"Code":"NoPermission"}"#),
            "refused: STS refused AssumeRole",
        ),
    ] {
        let script = run(plan(), [first, Outcome::Done, second]);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.steps(), calls);
    }
}

#[test]
fn first_failure_is_reported_if_there_is_no_time_for_a_second_try() {
    let throttled = || response(400, r#"{"Code":"Throttling.User"}"#);
    let text = "unavailable: AssumeRole for acs:ram::1234567890123456:role/dev from `--role-arn` failed at https://sts.aliyuncs.com: STS throttled the request with `Throttling.User`; try again in a minute";
    let script = run(plan(), [throttled(), Outcome::NoTime]);
    assert_eq!(script.text(), text);
    assert_eq!(script.steps(), ["AssumeRole", "Wait 700ms"]);
    let timeout = failed("the time limit passed", true);
    let script = run(plan(), [throttled(), Outcome::Done, timeout]);
    assert_eq!(script.text(), text);
    let broken = failed("connection refused", false);
    let script = run(plan(), [throttled(), Outcome::Done, broken]);
    assert!(
        script.text().contains("connection refused"),
        "{}",
        script.text()
    );
}

#[test]
fn second_try_has_a_new_nonce_and_time() {
    let step = crate::flow::Flow::start(plan(), None, &moment());
    let throttled = response(400, r#"{"Code":"Throttling"}"#);
    let later = Moment {
        now: moment().now.plus_seconds(1),
        nonce: "other".to_owned(),
        ..moment()
    };
    let mut step = step;
    for outcome in [throttled, Outcome::Done] {
        let crate::flow::Step::Continue(flow, _) = step else {
            panic!("{step:?}");
        };
        step = flow.resume(outcome, &later);
    }
    let crate::flow::Step::Continue(_, Effect::Send(request)) = step else {
        panic!("{step:?}");
    };
    let value = |name| {
        let mut headers = request.headers.iter();
        headers.find_map(|(known, value)| (*known == name).then(|| value.expose()))
    };
    assert_eq!(value("x-acs-signature-nonce"), Some("other"));
    assert_eq!(value("x-acs-date"), Some("2026-01-02T03:04:06Z"));
}

#[test]
fn other_failure_is_not_retried() {
    for (reply, expected) in [
        (
            failed("connection refused", false),
            "unavailable: AssumeRole for acs:ram::1234567890123456:role/dev from `--role-arn` got no answer from https://sts.aliyuncs.com: connection refused; check the network, and the proxy in `HTTPS_PROXY`; `--sts-endpoint` selects another endpoint",
        ),
        (
            failed("the time limit passed", true),
            "got no answer from https://sts.aliyuncs.com: the time limit passed;",
        ),
        (
            too_large(),
            "the body is not a JSON object, or is too large;",
        ),
        (response(302, ""), "unexpected HTTP status;"),
        (
            response(403, "<html>CANARY"),
            "the body is not a JSON object, or is too large;",
        ),
        (
            response(200, "<html>CANARY"),
            "the body is not a JSON object, or is too large;",
        ),
        (response(200, "{}"), "`Credentials` is missing;"),
        (
            response_at(200, sts_key(NOW), Some("2026-01-01T03:04:05Z")),
            "refused: the key from AssumeRole ended at 2026-01-02T03:04:05Z; set the clock of this machine: it is 86400 s ahead of the clock of STS",
        ),
        (
            response(200, sts_key("2026-01-01T00:00:00Z")),
            "the key from AssumeRole ended at 2026-01-01T00:00:00Z; set the clock of this machine",
        ),
    ] {
        let script = run(plan(), [reply]);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.steps(), ["AssumeRole"]);
    }
}

#[test]
fn half_a_key_is_no_key() {
    assert_half_keys_are_refused(UPPER_NAMES, HalfKeys::OfSts, |key| {
        let body = format!(r#"{{"Credentials":{key}}}"#);
        run(plan(), [response(200, body)])
    });
}

#[test]
fn unusable_result_is_no_key() {
    for length in 0..3 {
        let before = || [response(503, ""), Outcome::Done].into_iter().take(length);
        assert_unusable_results_give_no_key(plan, || before().collect());
    }
}
