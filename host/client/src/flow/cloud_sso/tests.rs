use super::*;
use crate::flow::Plan;
use crate::flow::script::{
    HalfKeys, KEY_TEXT, UPPER_NAMES, assert_half_keys_are_refused,
    assert_unusable_results_give_no_key, failed, moment, plan_of_profiles, profile, response, run,
    too_large, untrusted, upper_key,
};

/// The time of all flows is 1767323045.
fn plan(members: &str) -> Plan {
    plan_of_profiles(&format!(
        r#"{{"name":"dev","mode":"CloudSSO","cloud_sso_sign_in_url":"https://signin-cn-shanghai.alibabacloudsso.com/d-1/login","cloud_sso_account_id":"1234567890123456","cloud_sso_access_config":"ac-\"1"{members}}}"#
    ))
}

const TOKEN: &str = r#","access_token":"TokenCANARY","cloud_sso_access_token_expire":1767323046"#;

fn session(end: i64) -> String {
    format!(
        r#","access_key_id":"STS.FakeAccessKeyId003","access_key_secret":"StoredCANARY","sts_token":"StoredTokenCANARY","sts_expiration":{end}"#
    )
}

#[test]
fn stored_session_is_used_while_it_lives() {
    let now = moment().now.seconds();
    let stored = "STS.FakeAccessKeyId003 StoredCANARY StoredTokenCANARY 2026-01-02T03:05:06Z -";
    for (members, expected, steps) in [
        // The access token does not matter.
        (session(now + 61), stored.to_owned(), vec![]),
        (session(now + 60) + TOKEN, format!("{KEY_TEXT} -"), vec!["CloudSsoKey", "Save access_key_id access_key_secret sts_token sts_expiration"]),
        (TOKEN.to_owned(), format!("{KEY_TEXT} -"), vec!["CloudSsoKey", "Save access_key_id access_key_secret sts_token sts_expiration"]),
        (session(now + 60), "sign in: the CloudSSO session of the profile `dev` in `/home/me/.aliyun/config.json` has no access token; sign in again: run `aliyun configure --mode CloudSSO --profile dev`".to_owned(), vec![]),
        (TOKEN.replace("3046", "3045"), "sign in: the CloudSSO session of the profile `dev` in `/home/me/.aliyun/config.json` ended at 2026-01-02T03:04:05Z;".to_owned(), vec![]),
    ] {
        let reply = response(200, format!(r#"{{"CloudCredential":{},"RequestId":"r"}}"#, upper_key()));
        let script = run(plan(&members), [reply, Outcome::Done]);
        assert!(script.text().contains(&expected), "{}", script.text());
        assert_eq!(script.steps(), steps, "{members}");
    }
}

#[test]
fn request_and_stored_members_are_those_of_the_cli() {
    let reply = response(200, format!(r#"{{"CloudCredential":{}}}"#, upper_key()));
    let script = run(plan(TOKEN), [reply, Outcome::Done]);
    assert_eq!(
        script.request(0),
        "POST https://signin-cn-shanghai.alibabacloudsso.com/cloud-credentials\naccept: application/json\nauthorization: Bearer TokenCANARY\ncontent-type: application/json\n{\"AccountId\":\"1234567890123456\",\"AccessConfigurationId\":\"ac-\\\"1\"}"
    );
    // The stored end is five seconds earlier.
    assert_eq!(
        script.saved(1),
        "access_token=TokenCANARY access_key_id=STS.FakeAccessKeyId002 access_key_secret=FakeSecretCANARY2 sts_token=FakeTokenCANARY2 sts_expiration=1767326640"
    );
    let Effect::Save(update) = &script.effects[1] else {
        panic!("{script:?}");
    };
    assert_eq!(update.profile, profile());
}

#[test]
fn refusal_and_failure_have_their_remedies() {
    let session = "the CloudSSO session of the profile `dev` in `/home/me/.aliyun/config.json`";
    let command = "sign in again: run `aliyun configure --mode CloudSSO --profile dev`";
    let service = "the CloudSSO service https://signin-cn-shanghai.alibabacloudsso.com";
    let during = "during the request for the key of the CloudSSO session";
    for (reply, expected) in [
        (
            response(
                401,
                r#"{"ErrorCode":"InvalidToken","ErrorMessage":"CANARY"}"#,
            ),
            format!("sign in: {session} was refused with `InvalidToken`; {command}"),
        ),
        (
            response(403, r#"{"ErrorCode":"NoPermission.X"}"#),
            format!("sign in: {session} was refused with `NoPermission.X`; {command}"),
        ),
        (
            response(401, "CANARY"),
            format!("sign in: {session} was refused with HTTP status 401; {command}"),
        ),
        (
            response(400, r#"{"ErrorCode":"CANARY CANARY"}"#),
            "was refused with HTTP status 400;".to_owned(),
        ),
        (
            response(403, "<html>CANARY"),
            format!(
                "unavailable: {service} returned HTTP status 403 {during}; try again; check the network, and the proxy in `HTTPS_PROXY`"
            ),
        ),
        (
            response(404, ""),
            format!("unavailable: {service} returned HTTP status 404 {during};"),
        ),
        (
            response(302, ""),
            format!("unavailable: {service} returned HTTP status 302 {during};"),
        ),
        (
            response(500, r#"{"ErrorCode":"Internal"}"#),
            format!("unavailable: {service} returned HTTP status 500 {during};"),
        ),
        (
            response(429, r#"{"ErrorCode":"InvalidToken"}"#),
            format!("unavailable: {service} throttles requests {during};"),
        ),
        (
            response(400, r#"{"ErrorCode":"Throttling.Api"}"#),
            format!("unavailable: {service} throttles requests {during};"),
        ),
        (
            failed("connection refused", false),
            format!(
                "unavailable: {service} did not answer: connection refused {during}; try again;"
            ),
        ),
        (
            untrusted(),
            format!(
                "unavailable: {service} did not answer: invalid peer certificate {during}; set `SSL_CERT_FILE` to a file"
            ),
        ),
        (
            too_large(),
            format!("unavailable: {service} returned a malformed reply: it is too large;"),
        ),
        (
            response(200, upper_key()),
            format!(
                "unavailable: {service} returned a malformed reply: `CloudCredential` is missing;"
            ),
        ),
        (
            response(200, r#"{"CloudCredential":"CANARY"}"#),
            "`CloudCredential` is missing;".to_owned(),
        ),
    ] {
        let script = run(plan(TOKEN), [reply]);
        assert!(script.text().contains(&expected), "{}", script.text());
        assert_eq!(script.steps(), ["CloudSsoKey"]);
    }
}

#[test]
fn half_a_key_is_neither_used_nor_stored() {
    assert_half_keys_are_refused(UPPER_NAMES, HalfKeys::Named, |key| {
        let body = format!(r#"{{"CloudCredential":{key}}}"#);
        run(plan(TOKEN), [response(200, body)])
    });
}

#[test]
fn unusable_result_is_no_key() {
    let reply = || response(200, format!(r#"{{"CloudCredential":{}}}"#, upper_key()));
    assert_unusable_results_give_no_key(|| plan(TOKEN), Vec::new);
    assert_unusable_results_give_no_key(|| plan(TOKEN), || vec![reply()]);
    assert!(run(plan(TOKEN), [reply(), Outcome::Done]).is_key());
}
