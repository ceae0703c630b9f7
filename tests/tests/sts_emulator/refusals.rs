//! Calls that STS refuses with their documented codes.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::acs3::EMPTY_BODY_SHA256;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Emulator, demo};
use hyper::Method;

use crate::client::{Call, PATIENCE, send, with_secret, with_token};

/// Checks that an emulator with the demonstration account replies to `call` with this status and error code.
async fn check(name: &str, call: impl Fn(&Emulator) -> Call, status: u16, code: &str) {
    let sts = Emulator::builder().demo().start().unwrap();
    let call = call(&sts);
    let reply = send(&sts, &call, PATIENCE).await.unwrap();
    assert_eq!(
        (reply.status, reply.text("Code").as_str()),
        (status, code),
        "{name}: {:?}",
        reply.body
    );
    for field in ["RequestId", "Message", "Recommend"] {
        assert!(!reply.text(field).is_empty(), "{name}: {field}");
    }
    assert_eq!(reply.text("HostId"), "sts.aliyuncs.com", "{name}");
    assert_eq!(sts.requests()[0].error.as_deref(), Some(code), "{name}");
}

fn acs3(sts: &Emulator, key: AccessKey) -> Call {
    Call::acs3("GetCallerIdentity", &[], &key, sts.now())
}

fn rpc(sts: &Emulator, key: AccessKey) -> Call {
    Call::rpc(Method::GET, "GetCallerIdentity", &[], &key, "1", sts.now())
}

fn other_token() -> Option<&'static str> {
    Some("CAISNobodyHasThis==")
}

#[tokio::test]
async fn invalid_keys_are_refused() {
    let wrong = || with_secret(demo::user_key(), "wrong");
    let unknown = || AccessKey {
        id: AccessKeyId::parse("LTAI5tUnknown").unwrap(),
        ..demo::user_key()
    };
    check(
        "wrong secret",
        |s| acs3(s, wrong()),
        400,
        "SignatureDoesNotMatch",
    )
    .await;
    check(
        "wrong secret",
        |s| rpc(s, wrong()),
        400,
        "SignatureDoesNotMatch",
    )
    .await;
    check(
        "unknown",
        |s| acs3(s, unknown()),
        404,
        "InvalidAccessKeyId.NotFound",
    )
    .await;
    check(
        "unknown",
        |s| rpc(s, unknown()),
        404,
        "InvalidAccessKeyId.NotFound",
    )
    .await;

    let deleted = |sts: &Emulator| {
        assert!(sts.delete_key(&demo::user_key().id));
        assert!(!sts.delete_key(&demo::user_key().id));
        acs3(sts, demo::user_key())
    };
    check("deleted", deleted, 404, "InvalidAccessKeyId.NotFound").await;
    let disabled = |sts: &Emulator| {
        assert!(sts.disable_key(&demo::user_key().id));
        rpc(sts, demo::user_key())
    };
    check("disabled", disabled, 400, "InvalidAccessKeyId.Inactive").await;
}

#[tokio::test]
async fn invalid_security_tokens_are_refused() {
    let session = demo::session_key;
    for sign in [acs3, rpc] {
        let missing = |s: &Emulator| sign(s, with_token(session(), None));
        check("missing", missing, 400, "MissingSecurityToken").await;
        let malformed = |s: &Emulator| sign(s, with_token(session(), other_token()));
        check(
            "malformed",
            malformed,
            400,
            "InvalidSecurityToken.Malformed",
        )
        .await;
        let foreign = |s: &Emulator| {
            let token = session().security_token;
            sign(
                s,
                with_token(demo::user_key(), token.as_ref().map(|token| token.expose())),
            )
        };
        check(
            "foreign",
            foreign,
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
        )
        .await;
        let expired = |s: &Emulator| {
            s.set_now(demo::SESSION_EXPIRES);
            sign(s, session())
        };
        check("expired", expired, 400, "InvalidSecurityToken.Expired").await;
    }
}

#[tokio::test]
async fn invalid_dates_are_refused() {
    for sign in [acs3, rpc] {
        for moved in [16 * 60, -16 * 60] {
            let call = |sts: &Emulator| {
                let call = sign(sts, demo::user_key());
                sts.advance(moved);
                call
            };
            check("moved clock", call, 400, "InvalidTimeStamp.Expired").await;
        }
    }
    let unreadable = |s: &Emulator| acs3(s, demo::user_key()).header("x-acs-date", "yesterday");
    check("unreadable", unreadable, 400, "InvalidParameter.Timestamp").await;
}

#[tokio::test]
async fn missing_acs3_header_is_refused() {
    let user = |s: &Emulator| acs3(s, demo::user_key());
    for (header, code) in [
        ("x-acs-action", "MissingAction"),
        ("x-acs-version", "MissingVersion"),
        ("x-acs-date", "MissingTimestamp"),
        ("x-acs-content-sha256", "MissingContentSha256"),
        ("content-type", "IncompleteSignature"),
        ("authorization", "MissingAccessKeyId"),
    ] {
        check(header, |s| user(s).without_header(header), 400, code).await;
    }
    for (header, value, status, code) in [
        (
            "x-acs-action",
            "DeleteEverything",
            404,
            "InvalidAction.NotFound",
        ),
        ("x-acs-version", "2014-05-26", 400, "InvalidVersion"),
        ("content-type", "text/plain", 400, "SignatureDoesNotMatch"),
        ("x-acs-content-sha256", "00", 400, "SignatureDoesNotMatch"),
        ("authorization", "Bearer x", 400, "InvalidSignatureMethod"),
        (
            "authorization",
            "ACS3-HMAC-SHA256 Credential=a",
            400,
            "IncompleteSignature",
        ),
    ] {
        check(header, |s| user(s).header(header, value), status, code).await;
    }
    let with_query = |s: &Emulator| user(s).target("/", "/?a=b");
    check("unsigned query", with_query, 400, "SignatureDoesNotMatch").await;
    let with_body = |s: &Emulator| Call {
        body: "a=b".to_owned(),
        ..user(s)
    };
    check("unsigned body", with_body, 400, "SignatureDoesNotMatch").await;
    let as_get = |s: &Emulator| Call {
        method: Method::GET,
        ..user(s)
    };
    check("another method", as_get, 400, "SignatureDoesNotMatch").await;
    check(
        "another path",
        |s| user(s).target("/", "/x"),
        404,
        "InvalidAction.NotFound",
    )
    .await;
}

/// The emulator compares the hash of the body even if the signature does not cover the header with the hash.
#[tokio::test]
async fn body_hash_mismatch_is_refused() {
    let sts = Emulator::builder().demo().start().unwrap();
    let date = sts.now().to_string();
    let covered = [
        ("x-acs-action", "GetCallerIdentity"),
        ("x-acs-date", &date),
        ("x-acs-version", "2015-04-01"),
    ];
    let call = Call::acs3_covering(&covered, "", &demo::user_key());
    let wrong = EMPTY_BODY_SHA256.replace('e', "f");
    for (claimed, code) in [(EMPTY_BODY_SHA256, ""), (&wrong, "SignatureDoesNotMatch")] {
        let call = call.clone().header("x-acs-content-sha256", claimed);
        let reply = send(&sts, &call, PATIENCE).await.unwrap();
        assert_eq!(reply.text("Code"), code);
    }
}

#[tokio::test]
async fn missing_rpc_parameter_is_refused() {
    let user = |s: &Emulator| rpc(s, demo::user_key());
    for parameter in [
        "AccessKeyId",
        "Action",
        "Format",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureVersion",
        "Timestamp",
        "Version",
    ] {
        let call = |s: &Emulator| {
            let mut call = user(s);
            let (path, query) = call.target.split_once('?').unwrap();
            let name = |pair: &str| pair.split('=').next() != Some(parameter);
            let kept: Vec<_> = query.split('&').filter(|pair| name(pair)).collect();
            call.target = format!("{path}?{}", kept.join("&"));
            call
        };
        check(parameter, call, 400, &format!("Missing{parameter}")).await;
    }
    for (from, to, code) in [
        ("Format=JSON", "Format=XML", "InvalidParameter.Format"),
        ("HMAC-SHA1", "HMAC-SHA256", "InvalidSignatureMethod"),
        (
            "SignatureVersion=1.0",
            "SignatureVersion=2.0",
            "InvalidSignatureMethod",
        ),
        (
            "SignatureNonce=1",
            "SignatureNonce=2",
            "SignatureDoesNotMatch",
        ),
        (
            "&Version=",
            "&ClusterId=c&Version=",
            "SignatureDoesNotMatch",
        ),
    ] {
        check(to, |s| user(s).target(from, to), 400, code).await;
    }
}

/// Real STS also returns the string that the client should have signed, including its security token.
#[tokio::test]
async fn wrong_signature_reply_contains_string_to_sign() {
    let sts = Emulator::builder().demo().start().unwrap();
    let key = with_secret(demo::session_key(), "wrong");
    let reply = send(&sts, &rpc(&sts, key), PATIENCE).await.unwrap();
    let message = reply.text("Message");
    assert!(message.contains("GET&%2F&AccessKeyId%3DSTS.N"), "{message}");
    assert!(message.contains("CAISDemoSecurityToken"), "{message}");
}

#[tokio::test]
async fn reused_nonce_is_refused() {
    let sts = Emulator::builder().demo().start().unwrap();
    let call = |nonce| {
        let key = demo::user_key();
        Call::rpc(
            Method::GET,
            "GetCallerIdentity",
            &[],
            &key,
            nonce,
            sts.now(),
        )
    };
    for (nonce, status, code) in [
        ("first", 200, ""),
        ("second", 200, ""),
        ("first", 400, "SignatureNonceUsed"),
    ] {
        let reply = send(&sts, &call(nonce), PATIENCE).await.unwrap();
        assert_eq!((reply.status, reply.text("Code").as_str()), (status, code));
    }
    // A call without a nonce, as in token v2, may be repeated.
    let call = acs3(&sts, demo::user_key());
    for _ in 0..2 {
        assert_eq!(send(&sts, &call, PATIENCE).await.unwrap().status, 200);
    }
}
