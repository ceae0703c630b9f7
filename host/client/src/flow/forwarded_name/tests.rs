use ack_ram_core::secret::Secret;

use super::*;
use crate::flow::Plan;
use crate::flow::script::{
    LATER, assert_unusable_results_give_no_key, failed, key_plan, response, response_at, role_plan,
    run, sts_key,
};

fn plan() -> Plan {
    Plan::AssumeRole(Box::new(role_plan(key_plan(), None)))
}

fn identity(kind: &str, principal: &str, resource: &str) -> Outcome {
    response(
        200,
        format!(
            r#"{{"IdentityType":"{kind}","AccountId":"1234567890123456","PrincipalId":"{principal}","Arn":"acs:ram::1234567890123456:{resource}","RequestId":"r"}}"#
        ),
    )
}

fn session(name: &str) -> Outcome {
    identity(
        "AssumedRoleUser",
        &format!("3:{name}"),
        &format!("assumed-role/base/{name}"),
    )
}

#[test]
fn name_of_the_base_session_is_asked_for_and_used() {
    let script = run(
        plan(),
        [session("alice@example.com"), response(200, sts_key(LATER))],
    );
    assert_eq!(script.steps(), ["GetCallerIdentity", "AssumeRole"]);
    // The signature comes from an independent program.
    assert_eq!(
        script.request(0),
        "POST https://sts.aliyuncs.com/?ACKClusterId=session-name
accept: application/json
authorization: ACS3-HMAC-SHA256 Credential=LTAI5tFakeAccessKeyId001,SignedHeaders=x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-version,Signature=39f4f887e8bbae5e53158d6c399903a497b32a63071d0f38b75a24d445d7966e
x-acs-action: GetCallerIdentity
x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-acs-date: 2026-01-02T03:04:05Z
x-acs-security-token: FakeSecurityTokenCANARY+/==
x-acs-version: 2015-04-01
"
    );
    assert!(
        script
            .request(1)
            .contains("&RoleSessionName=alice%40example.com\n")
    );
    assert!(
        script.text().ends_with(" alice@example.com"),
        "{}",
        script.text()
    );
}

#[test]
fn long_security_token_is_sent_whole() {
    let token = format!("CANARY{}", "x".repeat(16 * 1024));
    let source = match key_plan() {
        Plan::Key(mut plan) => {
            plan.key.security_token = Some(Secret::new(token.as_str()));
            Plan::Key(plan)
        }
        other => other,
    };
    let script = run(Plan::AssumeRole(Box::new(role_plan(source, None))), []);
    let header = format!("\nx-acs-security-token: {token}\n");
    assert!(script.request(0).contains(&header));
}

#[test]
fn name_that_the_flow_knows_is_not_asked_for() {
    let inner = role_plan(key_plan(), Some("bob"));
    let outer = role_plan(Plan::AssumeRole(Box::new(inner)), None);
    let outer = role_plan(Plan::AssumeRole(Box::new(outer)), None);
    let replies = (0..3).map(|_| response(200, sts_key(LATER)));
    let script = run(Plan::AssumeRole(Box::new(outer)), replies);
    assert_eq!(script.steps(), ["AssumeRole", "AssumeRole", "AssumeRole"]);
    assert!(script.text().ends_with(" bob"), "{}", script.text());
}

#[test]
fn key_without_a_session_has_no_name() {
    for (reply, expected) in [
        (
            identity("RAMUser", "200", "user/alice"),
            "refused: `--forward-session-name` needs the key of a session, but the key is that of `acs:ram::1234567890123456:user/alice`; use `--session-name`",
        ),
        (
            identity("Account", "1234567890123456", "root"),
            "but the key is that of `acs:ram::1234567890123456:root`;",
        ),
        // The name is not one that AssumeRole accepts.
        (
            session("x"),
            "but the key is that of `acs:ram::1234567890123456:assumed-role/base/x`;",
        ),
        (
            identity("AssumedRoleUser", "3:other", "assumed-role/base/alice"),
            "unavailable: GetCallerIdentity for the access key `LTAI5tFakeAccessKeyId001` from `ALIBABA_CLOUD_ACCESS_KEY_ID` failed at https://sts.aliyuncs.com: STS returned a malformed reply: `PrincipalId` does not match the other fields;",
        ),
        (
            response_at(
                400,
                r#"{"Code":"InvalidTimeStamp.Expired"}"#,
                Some("2026-01-03T03:04:05Z"),
            ),
            "refused: STS refused GetCallerIdentity for the access key `LTAI5tFakeAccessKeyId001` from `ALIBABA_CLOUD_ACCESS_KEY_ID` with `InvalidTimeStamp.Expired`; set the clock of this machine: it is 86400 s behind the clock of STS",
        ),
        (
            failed("connection refused", false),
            "got no answer from https://sts.aliyuncs.com: connection refused;",
        ),
    ] {
        let script = run(plan(), [reply]);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.steps(), ["GetCallerIdentity"]);
    }
}

#[test]
fn throttled_call_is_made_once_more_after_a_pause() {
    let throttled = || response(400, r#"{"Code":"Throttling.User"}"#);
    let calls = ["GetCallerIdentity", "Wait 700ms", "GetCallerIdentity"];
    let script = run(plan(), [throttled(), Outcome::Done, session("alice")]);
    assert_eq!(script.steps()[..3], calls);
    assert_eq!(script.steps()[3..], ["AssumeRole"]);
    let script = run(plan(), [throttled(), Outcome::Done, throttled()]);
    assert_eq!(script.steps(), calls);
    assert!(
        script.text().contains("try again in a minute"),
        "{}",
        script.text()
    );
}

#[test]
fn first_failure_is_reported_if_there_is_no_time_for_a_second_try() {
    let throttled = || response(400, r#"{"Code":"Throttling.User"}"#);
    let expected = "STS throttled the request with `Throttling.User`; try again in a minute";
    let script = run(plan(), [throttled(), Outcome::NoTime]);
    assert!(script.text().contains(expected), "{}", script.text());
}

#[test]
fn unusable_result_is_no_key() {
    for length in 0..3 {
        let before = || [response(503, ""), Outcome::Done].into_iter().take(length);
        assert_unusable_results_give_no_key(plan, || before().collect());
    }
    assert_unusable_results_give_no_key(plan, || vec![session("alice")]);
}
