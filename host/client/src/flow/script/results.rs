//! Made-up results of effects.

use super::{LATER, time};
use crate::files::{FileContent, FileError};
use crate::flow::{Outcome, ProcessOutput};
use crate::http::{CallFailure, HttpReply, HttpResponse};

/// A response.
pub(in crate::flow) fn response(status: u16, body: impl AsRef<[u8]>) -> Outcome {
    response_at(status, body, None)
}

/// A response with a date.
pub(in crate::flow) fn response_at(
    status: u16,
    body: impl AsRef<[u8]>,
    date: Option<&str>,
) -> Outcome {
    Outcome::Http(HttpReply::Response(HttpResponse {
        status,
        date: date.map(time),
        body: body.as_ref().to_vec().into(),
    }))
}

pub(in crate::flow) fn too_large() -> Outcome {
    Outcome::Http(HttpReply::TooLarge)
}

pub(in crate::flow) fn failed(text: &str, is_timeout: bool) -> Outcome {
    Outcome::Http(HttpReply::Failed(match is_timeout {
        true => CallFailure::timeout(text),
        false => CallFailure::new(text),
    }))
}

/// A certificate that is not trusted.
pub(in crate::flow) fn untrusted() -> Outcome {
    Outcome::Http(HttpReply::Failed(CallFailure {
        advice: Some("set `SSL_CERT_FILE` to a file".to_owned()),
        ..CallFailure::new("invalid peer certificate")
    }))
}

/// A result of each kind, which a flow may not expect.
pub(in crate::flow) fn any_outcomes() -> Vec<Outcome> {
    let content = FileContent::from_bytes(b"CANARY-content".to_vec(), None);
    vec![
        response(200, "CANARY/"),
        failed("connection refused", false),
        too_large(),
        Outcome::Done,
        Outcome::NoTime,
        Outcome::File(content),
        Outcome::File(Err(FileError::NotFound)),
        Outcome::Process(ProcessOutput::TimedOut),
        ended("CANARY", ""),
    ]
}

/// A process that succeeded.
pub(in crate::flow) fn ended(stdout: &str, stderr: &str) -> Outcome {
    Outcome::Process(ProcessOutput::Ended {
        is_success: true,
        status: "exit status: 0".to_owned(),
        stdout: stdout.as_bytes().to_vec().into(),
        stderr: stderr.as_bytes().to_vec().into(),
    })
}

/// The body of a reply with a key, in the form of STS.
pub(in crate::flow) fn sts_key(end: &str) -> String {
    format!(
        r#"{{"RequestId":"r-1","AssumedRoleUser":{{"Arn":"acs:ram::1234567890123456:assumed-role/dev/s","AssumedRoleId":"3:s"}},"Credentials":{{"AccessKeyId":"STS.FakeAccessKeyId002","AccessKeySecret":"FakeSecretCANARY2","SecurityToken":"FakeTokenCANARY2","Expiration":"{end}"}}}}"#
    )
}

/// Results that are of no use to any flow.
pub(super) fn unusable_results() -> Vec<Outcome> {
    let mut results = unusable_replies();
    results.extend(any_outcomes());
    results
}

/// Bodies and statuses that are no usable reply of any call, each with a canary where a secret could be.
fn unusable_replies() -> Vec<Outcome> {
    let deep = format!("{}\"CANARY\"{}", "{\"a\":".repeat(40), "}".repeat(40));
    let mut replies = vec![
        response(200, ""),
        response(200, "<html>CANARY</html>"),
        response(200, "null"),
        response(200, "\"CANARY\""),
        response(200, "[{\"AccessKeySecret\":\"CANARY\"}]"),
        response(200, "{}"),
        response(200, "{\"a\":1,\"a\":\"CANARY\"}"),
        response(200, "{\"AccessKeySecret\":\"CANARY\""),
        response(200, b"{\"AccessKeySecret\":\"\xffCANARY\"}"),
        response(200, b"\xff\xfeCANARY"),
        response(200, deep),
        response(204, ""),
        response(206, sts_key(LATER)),
        too_large(),
        failed("tcp connect error: Connection refused", false),
        failed("the time limit passed", true),
    ];
    for status in [
        100, 301, 302, 307, 400, 401, 403, 404, 407, 429, 500, 502, 503, 600, 0,
    ] {
        for body in [
            "",
            "<html>CANARY</html>",
            "{\"Code\":\"CANARY CANARY\",\"error\":[\"CANARY\"],\"ErrorCode\":\"CANARY/\",\"Message\":\"CANARY\"}",
        ] {
            replies.push(response(status, body));
        }
    }
    replies
}

/// Variants of a reply with a key that are no key, and what the error says. `names` are those of ID, secret, token and
/// end.
pub(super) fn half_keys(names: [&str; 4]) -> Vec<(String, String)> {
    let [id, secret, token, end] = names;
    let key = |parts: [&str; 4]| {
        let members = names
            .iter()
            .zip(parts)
            .filter(|(_, value)| !value.is_empty());
        let members: Vec<_> = members
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let good = [
        "\"STS.FakeAccessKeyId002\"",
        "\"FakeSecretCANARY2\"",
        "\"FakeTokenCANARY2\"",
        "\"2026-01-02T04:04:05Z\"",
    ];
    let with = |index: usize, value: &'static str| {
        let mut parts = good;
        parts[index] = value;
        key(parts)
    };
    let mut cases = vec![
        (
            with(0, "\"not an id CANARY\""),
            format!("`{id}` contains white space"),
        ),
        (with(0, "\"CANARY/\""), format!("`{id}` is not an ID")),
        (
            with(1, "\"CANARY \""),
            format!("`{secret}` ends with white space"),
        ),
        (
            with(1, "\"CANARY\\n\""),
            format!("`{secret}` ends with a line break"),
        ),
        (
            with(2, "\"\\u0000CANARY\""),
            format!("`{token}` begins with a control character"),
        ),
        (
            with(2, "\"CANARY\u{e9}CANARY\""),
            format!("`{token}` contains a character that is not ASCII"),
        ),
        (with(3, "\"CANARY\""), format!("`{end}` is not a time")),
        (with(3, "1767326645"), format!("`{end}` is not a text")),
        (
            with(3, "\"2026-01-02T03:04:05Z\""),
            "ended at 2026-01-02T03:04:05Z".to_owned(),
        ),
        (
            with(3, "\"2025-12-31T00:00:00Z\""),
            "ended at 2025-12-31T00:00:00Z".to_owned(),
        ),
        (
            with(3, "\"2026-01-02T05:04:05+03:00\""),
            "ended at 2026-01-02T02:04:05Z".to_owned(),
        ),
    ];
    for (index, name) in names.iter().enumerate() {
        let missing = format!("`{name}` is missing");
        cases.push((with(index, "null"), missing.clone()));
        cases.push((with(index, "\"\""), missing.clone()));
        cases.push((with(index, ""), missing));
        cases.push((
            with(index, "[\"CANARY\"]"),
            format!("`{name}` is not a text"),
        ));
        cases.push((
            with(index, "{\"CANARY\":1}"),
            format!("`{name}` is not a text"),
        ));
    }
    let whole = key(good);
    let twice = format!(
        "{},{}",
        whole.trim_end_matches('}'),
        whole.trim_start_matches('{')
    );
    cases.push((twice, format!("duplicate key `{id}`")));
    cases
}

/// A reply with a key, in the form of the metadata service, URLs and CloudSSO.
pub(in crate::flow) fn upper_key() -> String {
    r#"{"Code":"Success","LastUpdated":"2026-01-02T03:00:00Z","AccessKeyId":"STS.FakeAccessKeyId002","AccessKeySecret":"FakeSecretCANARY2","SecurityToken":"FakeTokenCANARY2","Expiration":"2026-01-02T04:04:05Z"}"#.to_owned()
}

/// The text of the key in all replies.
pub(in crate::flow) const KEY_TEXT: &str =
    "STS.FakeAccessKeyId002 FakeSecretCANARY2 FakeTokenCANARY2 2026-01-02T04:04:05Z";
