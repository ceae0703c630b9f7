use super::*;
use crate::flow::Plan;
use crate::flow::script::{
    HalfKeys, KEY_TEXT, UPPER_NAMES, assert_half_keys_are_refused,
    assert_unusable_results_give_no_key, failed, response, run, too_large, untrusted, upper_key,
};
use crate::origin::Origin;
use crate::plan::HttpUrl;

fn plan(url: &str) -> Plan {
    Plan::Url(UrlPlan {
        url: HttpUrl::parse(url).unwrap(),
        origin: Origin::Variable("ALIBABA_CLOUD_CREDENTIALS_URI"),
    })
}

#[test]
fn request_has_path_query_and_user_of_the_url() {
    for (url, expected) in [
        (
            "http://127.0.0.1:81/CANARY/a%20b?c=CANARY&d#fragment",
            "GET http://127.0.0.1:81/CANARY/a%20b?c=CANARY&d\naccept: application/json\n",
        ),
        (
            "https://me:CANARY%40@h",
            "GET https://h/\naccept: application/json\nauthorization: Basic bWU6Q0FOQVJZQA==\n",
        ),
    ] {
        let script = run(plan(url), []);
        assert_eq!(script.request(0), expected);
        let Effect::Send(request) = &script.effects[0] else {
            panic!("{script:?}");
        };
        assert_eq!(request.limits, CallLimits::INTERNET);
    }
}

#[test]
fn reply_decides_about_key_or_error() {
    let permanent =
        r#"{"AccessKeyId":"LTAI5tFakeAccessKeyId001","AccessKeySecret":"FakeSecretCANARY2"}"#;
    let with_end = r#"{"AccessKeyId":"a","AccessKeySecret":"CANARY","Expiration":"2026-01-02T04:04:05.999+00:00","Code":"Success"}"#;
    let host = "http://h, the host in `ALIBABA_CLOUD_CREDENTIALS_URI`,";
    for (reply, expected) in [
        (response(200, upper_key()), format!("{KEY_TEXT} -")),
        (
            response(200, permanent),
            "LTAI5tFakeAccessKeyId001 FakeSecretCANARY2 - - -".to_owned(),
        ),
        (
            response(200, with_end),
            "a CANARY - 2026-01-02T04:04:05Z -".to_owned(),
        ),
        (
            response(404, "<html>CANARY"),
            format!(
                "refused: {host} returned HTTP status 404; correct the URL, or ask the owner of the service"
            ),
        ),
        (
            response(302, ""),
            format!(
                "refused: {host} returned HTTP status 302; redirects are not followed; correct"
            ),
        ),
        (
            response(503, ""),
            format!("unavailable: {host} returned HTTP status 503;"),
        ),
        (
            response(429, ""),
            format!("unavailable: {host} returned HTTP status 429;"),
        ),
        (
            response(204, ""),
            format!("refused: {host} returned HTTP status 204;"),
        ),
        (
            response(200, "<html>CANARY</html>"),
            format!(
                "unavailable: {host} returned a malformed reply: not valid JSON at line 1, column 1;"
            ),
        ),
        (
            response(200, r#"{"Code":"Forbidden.User"}"#),
            format!("refused: {host} returned no key: `Code` is `Forbidden.User`;"),
        ),
        (
            response(200, upper_key().replace("\"Success\"", "{}")),
            format!("{host} returned a malformed reply: `Code` is not `Success`;"),
        ),
        (
            too_large(),
            format!("{host} returned a malformed reply: it is too large;"),
        ),
        (
            failed("connection refused", false),
            format!(
                "unavailable: {host} did not answer: connection refused; check that the service runs"
            ),
        ),
        (
            untrusted(),
            format!(
                "unavailable: {host} did not answer: invalid peer certificate; set `SSL_CERT_FILE` to a file"
            ),
        ),
    ] {
        let script = run(plan("http://h/?CANARY"), [reply]);
        assert!(script.text().contains(&expected), "{}", script.text());
        assert_eq!(script.steps(), ["Url"]);
    }
}

#[test]
fn half_a_key_is_no_key() {
    let optional = ["SecurityToken", "Expiration"];
    assert_half_keys_are_refused(UPPER_NAMES, HalfKeys::NamedUnless(&optional), |key| {
        run(plan("http://h"), [response(200, key)])
    });
}

#[test]
fn unusable_result_is_no_key() {
    assert_unusable_results_give_no_key(|| plan("http://h"), Vec::new);
}
