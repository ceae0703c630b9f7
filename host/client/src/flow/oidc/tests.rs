use std::path::Path;

use ack_ram_core::sts::{OidcProviderArn, SessionName, SessionPolicy, SessionSeconds};

use super::*;
use crate::flow::Plan;
use crate::flow::script::{
    HalfKeys, LATER, NOW, UPPER_NAMES, assert_half_keys_are_refused,
    assert_unusable_results_give_no_key, failed, response, role_settings, run, run_with_token,
    sts_key, too_large,
};
use crate::origin::{Origin, Setting};

fn oidc_plan() -> OidcPlan {
    OidcPlan {
        session: role_settings(),
        name: Setting::new(
            SessionName::parse("alice@example.com").unwrap(),
            Origin::Variable("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
        ),
        provider: Setting::new(
            OidcProviderArn::parse("acs:ram::1234567890123456:oidc-provider/ack").unwrap(),
            Origin::Variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN"),
        ),
        token_file: Setting::new(
            Path::new("/var/run/token").to_owned(),
            Origin::Variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
        ),
    }
}

fn plan() -> Plan {
    Plan::Oidc(oidc_plan())
}

fn file(text: &str) -> Outcome {
    Outcome::File(FileContent::from_bytes(text.as_bytes().to_vec(), None))
}

#[test]
fn token_is_read_and_sent_without_its_last_newline() {
    let query = "RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fdev&RoleSessionName=alice%40example.com&SignatureNonce=0123456789abcdef0123456789abcdef&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2015-04-01";
    let headers = "accept: application/json\ncontent-type: application/x-www-form-urlencoded\n";
    let expected = |seconds: &str, policy: &str| {
        format!(
            "POST https://sts.aliyuncs.com/?Action=AssumeRoleWithOIDC&{seconds}Format=JSON&OIDCProviderArn=acs%3Aram%3A%3A1234567890123456%3Aoidc-provider%2Fack&{query}\n{headers}OIDCToken=eyJ.CANARY%2B.s{policy}"
        )
    };
    let key = format!(
        "STS.FakeAccessKeyId002 FakeSecretCANARY2 FakeTokenCANARY2 {LATER} alice@example.com"
    );
    for text in [
        "eyJ.CANARY+.s",
        "eyJ.CANARY+.s\n",
        "\u{feff} eyJ.CANARY+.s\r\n",
    ] {
        let script = run(plan(), [file(text), response(200, sts_key(LATER))]);
        assert_eq!(
            script.steps(),
            ["Read /var/run/token", "AssumeRoleWithOidc"]
        );
        assert_eq!(script.request(1), expected("", ""));
        assert_eq!(script.text(), key);
    }
    let mut plan = oidc_plan();
    let option = Origin::Option("--x");
    plan.session.seconds =
        SessionSeconds::new(43_200).map(|seconds| Setting::new(seconds, option.clone()));
    plan.session.policy = SessionPolicy::parse("{}").map(|policy| Setting::new(policy, option));
    let reply = response(200, sts_key(LATER));
    let script = run_with_token(Plan::Oidc(plan), Some("eyJ.CANARY+.s"), [reply]);
    assert_eq!(
        script.request(0),
        expected("DurationSeconds=43200&", "&Policy=%7B%7D")
    );
    assert_eq!(script.text(), key);
}

#[test]
fn file_without_a_token_is_an_error() {
    let long = "CANARY".repeat(4000);
    for (outcome, expected) in [
        (
            file(""),
            "refused: the OIDC token in `/var/run/token` is empty; correct the file, or the path in `ALIBABA_CLOUD_OIDC_TOKEN_FILE`",
        ),
        (file(" \n"), "is empty;"),
        (file("abc"), "has 3 characters, not 4 to 20,000;"),
        (file(&long), "has 24000 characters, not 4 to 20,000;"),
        (file("CANARY CANARY"), "contains white space;"),
        (file("\"CANARY\""), "begins with a quote;"),
        (
            file("CANARY\u{e9}CANARY"),
            "contains a character that is not ASCII;",
        ),
        (file("CANARY\0CANARY"), "contains a control character;"),
        (
            Outcome::File(Err(FileError::NotFound)),
            "setup: `/var/run/token`, which `ALIBABA_CLOUD_OIDC_TOKEN_FILE` names, does not exist;",
        ),
        (Outcome::File(Err(FileError::NotText)), "is not UTF-8 text;"),
        (
            Outcome::File(Err(FileError::NotAFile("a folder"))),
            "is a folder, not a file;",
        ),
    ] {
        let script = run(plan(), [outcome]);
        assert!(script.text().contains(expected), "{}", script.text());
    }
}

#[test]
fn throttled_call_is_made_once_more_with_the_same_token() {
    let throttled = || response(429, r#"{"Code":"Throttling"}"#);
    let results = [
        file("eyJ.CANARY"),
        throttled(),
        Outcome::Done,
        response(200, sts_key(LATER)),
    ];
    let script = run(plan(), results);
    assert!(script.is_key(), "{}", script.text());
    assert_eq!(script.request(1), script.request(3));
    let results = [throttled(), Outcome::Done, throttled()];
    let script = run_with_token(plan(), Some("eyJ.CANARY"), results);
    assert!(script.text().contains("unavailable: AssumeRoleWithOIDC for acs:ram::1234567890123456:role/dev from `--role-arn` failed at https://sts.aliyuncs.com: STS throttled"), "{}", script.text());
    assert_eq!(
        script.steps(),
        ["AssumeRoleWithOidc", "Wait 700ms", "AssumeRoleWithOidc"]
    );
}

#[test]
fn first_failure_is_reported_if_there_is_no_time_for_a_second_try() {
    let throttled = || response(400, r#"{"Code":"Throttling.User"}"#);
    let expected = "STS throttled the request with `Throttling.User`; try again in a minute";
    let script = run(plan(), [file("eyJ.CANARY"), throttled(), Outcome::NoTime]);
    assert!(script.text().contains(expected), "{}", script.text());
}

#[test]
fn other_failure_is_not_retried() {
    for (reply, expected) in [
        (
            failed("connection refused", false),
            "got no answer from https://sts.aliyuncs.com: connection refused;",
        ),
        (too_large(), "or is too large;"),
        (response(307, ""), "unexpected HTTP status;"),
        (
            response(200, sts_key(NOW)),
            "refused: the key from AssumeRoleWithOIDC ended at 2026-01-02T03:04:05Z; set the clock of this machine",
        ),
    ] {
        let script = run_with_token(plan(), Some("eyJ.CANARY"), [reply]);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.effects.len(), 1);
    }
}

#[test]
fn half_a_key_is_no_key() {
    assert_half_keys_are_refused(UPPER_NAMES, HalfKeys::OfSts, |key| {
        let reply = response(200, format!(r#"{{"Credentials":{key}}}"#));
        run_with_token(plan(), Some("eyJ.CANARY"), [reply])
    });
}

#[test]
fn unusable_result_is_no_key() {
    let steps = || [file("eyJ.CANARY"), response(503, ""), Outcome::Done];
    for length in 0..4 {
        let before = || steps().into_iter().take(length).collect();
        assert_unusable_results_give_no_key(plan, before);
    }
}
