use super::*;
use crate::access_key::AccessKeyId;
use crate::identity::Identity;
use crate::protocol::grammar::is_identifier;

fn read_body(status: u16, body: &str) -> Result<Identity, StsError> {
    let key = AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap();
    let body = body.as_bytes();
    read_reply(StsReply::Response { status, body }, key)
}

fn identity_body(kind: &str, account: &str, principal: &str, arn: &str, own_id: &str) -> String {
    format!(
        r#"{{"IdentityType":"{kind}","AccountId":"{account}","PrincipalId":"{principal}","Arn":"{arn}"{own_id}}}"#
    )
}

#[test]
fn inconsistent_identity_reply_is_malformed() {
    use MalformedReply::{Account, Arn, ArnKind, IdentityType, NotText, PrincipalId};
    let user = "acs:ram::1:user/alice";
    let session = "acs:ram::1:assumed-role/dev/s";
    for (kind, account, principal, arn, own_id, expected) in [
        ("Account", "1", "1", "acs:ram::1:root", "", Ok("1")),
        ("RAMUser", "1", "200", user, "", Ok("200")),
        ("RAMUser", "1", "200", user, r#","UserId":"200""#, Ok("200")),
        ("RAMUser", "1", "200", user, r#","UserId":null"#, Ok("200")),
        ("AssumedRoleUser", "1", "300:s", session, "", Ok("300")),
        (
            "AssumedRoleUser",
            "1",
            "300:s",
            session,
            r#","RoleId":"300""#,
            Ok("300"),
        ),
        ("Account", "1", "2", "acs:ram::1:root", "", Err(PrincipalId)),
        ("RAMUser", "2", "200", user, "", Err(Account)),
        (
            "RAMUser",
            "1",
            "200",
            user,
            r#","UserId":"201""#,
            Err(PrincipalId),
        ),
        (
            "RAMUser",
            "1",
            "200",
            user,
            r#","UserId":200"#,
            Err(NotText("UserId")),
        ),
        ("RAMUser", "1", "", user, "", Err(PrincipalId)),
        ("RAMUser", "1", "2 0", user, "", Err(PrincipalId)),
        ("AssumedRoleUser", "1", "300", session, "", Err(PrincipalId)),
        (
            "AssumedRoleUser",
            "1",
            "300:t",
            session,
            "",
            Err(PrincipalId),
        ),
        (
            "AssumedRoleUser",
            "1",
            "300:s",
            session,
            r#","RoleId":"301""#,
            Err(PrincipalId),
        ),
        ("Account", "1", "1", user, "", Err(ArnKind)),
        ("RAMUser", "1", "300:s", session, "", Err(ArnKind)),
        ("AssumedRoleUser", "1", "200", user, "", Err(ArnKind)),
        ("Robot", "1", "200", user, "", Err(IdentityType)),
        ("RAMUser", "1", "200", "alice", "", Err(Arn)),
    ] {
        let body = identity_body(kind, account, principal, arn, own_id);
        let identity = read_body(200, &body).map(|identity| identity.user_id.to_string());
        let malformed = |detail| StsError::Unavailable(StsUnavailable::Malformed { detail });
        assert_eq!(
            identity,
            expected.map(str::to_owned).map_err(malformed),
            "{body}"
        );
    }
}

#[test]
fn status_and_code_determine_refusal_or_unavailability() {
    for (status, body, expected) in [
        (400, r#"{"Code":"Throttling"}"#, "sts_throttled"),
        (429, r#"{"Code":"Throttling.User"}"#, "sts_throttled"),
        (400, r#"{"Code":"ThrottlingX"}"#, "refused ThrottlingX "),
        (
            499,
            r#"{"Code":"A.b-c_1","RequestId":"r-1"}"#,
            "refused A.b-c_1 r-1",
        ),
        (
            404,
            r#"{"Code":"A","RequestId":"not a word"}"#,
            "refused A ",
        ),
        (400, r#"{"Code":"not a word"}"#, "sts_odd_answer"),
        (400, r#"{"Code":""}"#, "sts_odd_answer"),
        (400, "{}", "sts_odd_answer"),
        (403, "denied", "sts_odd_answer"),
        (200, "denied", "sts_odd_answer"),
        (500, r#"{"Code":"Throttling"}"#, "sts_failing"),
        (599, "", "sts_failing"),
        (302, "{}", "sts_odd_answer"),
        (600, "{}", "sts_odd_answer"),
    ] {
        let found = match read_body(status, body).unwrap_err() {
            StsError::Unavailable(unable) => unable.code().to_owned(),
            StsError::Refused(refusal) => {
                assert_eq!(refusal.status, status);
                format!("refused {} {}", refusal.code, refusal.request_id)
            }
        };
        assert_eq!(found, expected, "{status} {body}");
    }
    let key = || AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap();
    for (reply, expected) in [
        (StsReply::Unreachable, "sts_unreachable"),
        (StsReply::TimedOut, "sts_timed_out"),
        (StsReply::TooLarge, "sts_odd_answer"),
    ] {
        let Err(StsError::Unavailable(unable)) = read_reply(reply, key()) else {
            panic!("{reply:?}");
        };
        assert_eq!(unable.code(), expected);
    }
}

#[test]
fn error_names_the_request_id_if_there_is_one() {
    for (status, body, expected) in [
        (
            400,
            r#"{"Code":"Throttling.User","RequestId":"r-1"}"#,
            "STS throttled the request with `Throttling.User` (STS request ID r-1)",
        ),
        (
            429,
            r#"{"Code":"Throttling"}"#,
            "STS throttled the request with `Throttling`",
        ),
        (
            403,
            r#"{"Code":"A","RequestId":"r-1"}"#,
            "STS refused the token with `A` (STS request ID r-1)",
        ),
        (
            403,
            r#"{"Code":"A","RequestId":"not a word"}"#,
            "STS refused the token with `A`",
        ),
    ] {
        let error = read_body(status, body).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn identifier_is_1_to_80_letters_digits_dots_and_dashes() {
    let long = "a".repeat(80);
    for (text, expected) in [
        ("a", true),
        ("A9.-_", true),
        (long.as_str(), true),
        ("", false),
        ("a b", false),
        ("a:b", false),
        ("\u{e9}", false),
        (&*"a".repeat(81), false),
    ] {
        assert_eq!(is_identifier(text), expected, "{text}");
    }
}

#[test]
fn sts_error_code_determines_advice() {
    let advice = |code: &str| {
        let refusal = StsRefusal {
            code: code.into(),
            request_id: "".into(),
            status: 400,
        };
        refusal.advice()
    };
    for (code, part) in [
        (
            "InvalidTimeStamp.Expired",
            "create a new token; if the token is new, correct the clock",
        ),
        ("SignatureDoesNotMatch", "check that the access key secret"),
        ("SignatureNonceUsed", "valid for one login only"),
        ("MissingSecurityToken", "set the security token"),
        ("InvalidAccessKeyId.Inactive", "the access key is disabled"),
        ("InvalidAccessKeyId.NotFound", "does not exist"),
        ("InvalidAccessKeyId.Other", "check the access key ID"),
        ("InvalidSecurityToken.Expired", "has expired: get a new one"),
        (
            "InvalidSecurityToken.Other",
            "use the security token that came with",
        ),
        ("InvalidSecurityToken", "look up the code"),
        ("InvalidAccessKeyId", "look up the code"),
        ("Other", "look up the code"),
    ] {
        assert!(advice(code).contains(part), "{code}: {}", advice(code));
    }
    let throttled = StsUnavailable::Throttled {
        code: "Throttling".into(),
        request_id: "".into(),
    };
    let expired = crate::time::UnixTime::from_seconds(0);
    for (unable, seconds, part) in [
        (
            StsUnavailable::Unreachable,
            1,
            "if the problem persists, ask an administrator",
        ),
        (
            StsUnavailable::TimedOut,
            1,
            "if the problem persists, ask an administrator",
        ),
        (throttled, 60, "in a minute"),
        (StsUnavailable::Failing { status: 500 }, 1, "in a moment"),
        (
            StsUnavailable::ExpiredInFlight { expired },
            1,
            "create a new token",
        ),
    ] {
        assert_eq!(unable.retry_after_seconds(), seconds, "{unable:?}");
        assert!(unable.advice().contains(part), "{unable:?}");
    }
}

#[test]
fn refusal_names_code_and_request_id() {
    let text = |request_id: &str| {
        let refusal = StsRefusal {
            code: "A".into(),
            request_id: request_id.into(),
            status: 400,
        };
        StsError::Refused(refusal).to_string()
    };
    assert_eq!(text(""), "STS refused the token with `A`");
    assert_eq!(
        text("r"),
        "STS refused the token with `A` (STS request ID r)"
    );
}

#[test]
fn malformed_reply_error_names_the_part() {
    for (detail, expected) in [
        (
            MalformedReply::NotJson,
            "the body is not a JSON object, or is too large",
        ),
        (MalformedReply::Status, "unexpected HTTP status"),
        (MalformedReply::NoCode, "the error has no valid `Code`"),
        (MalformedReply::MissingField("Arn"), "`Arn` is missing"),
        (MalformedReply::NotText("UserId"), "`UserId` is not text"),
        (MalformedReply::IdentityType, "unknown `IdentityType`"),
        (MalformedReply::Arn, "`Arn` is not a valid ARN"),
        (
            MalformedReply::ArnKind,
            "`Arn` does not match `IdentityType`",
        ),
        (
            MalformedReply::Account,
            "the account in `Arn` differs from `AccountId`",
        ),
        (
            MalformedReply::PrincipalId,
            "`PrincipalId` does not match the other fields",
        ),
    ] {
        let error = StsError::Unavailable(StsUnavailable::Malformed { detail });
        let expected = format!("STS returned a malformed reply: {expected}");
        assert_eq!(error.to_string(), expected);
    }
}
