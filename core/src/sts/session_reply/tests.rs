use super::*;

const KEY: &str = r#""AccessKeyId":"STS.FakeAccessKeyId002","AccessKeySecret":"FakeSecretCANARY","SecurityToken":"FakeTokenCANARY","Expiration":"2026-01-02T04:04:05Z""#;

fn read(status: u16, body: &str) -> Result<TemporaryKey, StsError> {
    let body = body.as_bytes();
    read_session_reply(StsReply::Response { status, body })
}

fn reply(key: &str) -> String {
    format!(
        r#"{{"RequestId":"r-1","AssumedRoleUser":{{"Arn":"a","AssumedRoleId":"b"}},"Credentials":{{{key}}}}}"#
    )
}

#[test]
fn complete_reply_is_a_key() {
    let key = read(200, &reply(KEY)).unwrap();
    assert_eq!(key.key.id.as_str(), "STS.FakeAccessKeyId002");
    assert_eq!(key.key.secret.expose(), "FakeSecretCANARY");
    let token = key.key.security_token.as_ref().unwrap();
    assert_eq!(token.expose(), "FakeTokenCANARY");
    assert_eq!(key.expires.to_string(), "2026-01-02T04:04:05Z");
    assert!(!format!("{key:?}").contains("CANARY"), "{key:?}");
}

#[test]
fn incomplete_or_malformed_reply_is_no_key() {
    use MalformedReply::{MissingField, NoCode, NotJson, NotText, Status};
    let without = |name: &str| {
        let members: Vec<&str> = KEY.split(',').filter(|m| !m.contains(name)).collect();
        reply(&members.join(","))
    };
    let with = |name: &str, value: &str| {
        let members = without(name);
        members.replace(
            "\"Credentials\":{",
            &format!("\"Credentials\":{{\"{name}\":{value},"),
        )
    };
    for (status, body, expected) in [
        (200, String::new(), NotJson),
        (200, "<html>CANARY</html>".to_owned(), NotJson),
        (200, "[]".to_owned(), NotJson),
        (200, reply(&format!("{KEY},{KEY}")), NotJson),
        (200, format!("{} {{}}", reply(KEY)), NotJson),
        (200, "{}".to_owned(), MissingField("Credentials")),
        (
            200,
            r#"{"Credentials":[]}"#.to_owned(),
            MissingField("Credentials"),
        ),
        (200, format!("{{{KEY}}}"), MissingField("Credentials")),
        (200, without("AccessKeyId"), MissingField("AccessKeyId")),
        (
            200,
            without("AccessKeySecret"),
            MissingField("AccessKeySecret"),
        ),
        (200, without("SecurityToken"), MissingField("SecurityToken")),
        (200, without("Expiration"), MissingField("Expiration")),
        (200, with("AccessKeyId", "1"), NotText("AccessKeyId")),
        (
            200,
            with("AccessKeyId", "\"a CANARY\""),
            NotText("AccessKeyId"),
        ),
        (
            200,
            with("AccessKeySecret", "[]"),
            NotText("AccessKeySecret"),
        ),
        (
            200,
            with("AccessKeySecret", "\"\""),
            NotText("AccessKeySecret"),
        ),
        (
            200,
            with("SecurityToken", "\"CANARY\\n\""),
            NotText("SecurityToken"),
        ),
        (
            200,
            with("SecurityToken", "null"),
            MissingField("SecurityToken"),
        ),
        (200, with("Expiration", "1767326645"), NotText("Expiration")),
        (200, with("Expiration", "\"soon\""), NotText("Expiration")),
        (204, reply(KEY), Status),
        (302, reply(KEY), Status),
        (400, reply(KEY), NoCode),
        (403, "<html>".to_owned(), NotJson),
    ] {
        let error = read(status, &body).unwrap_err();
        let expected = StsUnavailable::Malformed { detail: expected };
        assert_eq!(error, StsError::Unavailable(expected), "{status} {body}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
    }
}

#[test]
fn status_and_code_separate_refusal_from_failure() {
    for (status, body, expected) in [
        (400, r#"{"Code":"Throttling.User"}"#, "sts_throttled"),
        (403, r#"{"Code":"NoPermission"}"#, "NoPermission"),
        (503, "", "sts_failing"),
    ] {
        let found = match read(status, body).unwrap_err() {
            StsError::Unavailable(unavailable) => unavailable.code().to_owned(),
            StsError::Refused(refusal) => refusal.code.to_string(),
        };
        assert_eq!(found, expected);
    }
}
