//! Calls that assume roles, and the temporary keys that they return.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::percent;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::sts::{Emulator, demo};
use hyper::Method;

use crate::client::{Call, PATIENCE, Reply, send};

const WORK: [(&str, &str); 2] = [("RoleArn", demo::ROLE_ARN), ("RoleSessionName", "work")];

fn start() -> Emulator {
    Emulator::builder().demo().start().unwrap()
}

fn assume_by_rpc(sts: &Emulator, parameters: &[(&str, &str)], key: &AccessKey) -> Call {
    Call::rpc(Method::POST, "AssumeRole", parameters, key, "n", sts.now())
}

pub fn assume_by_oidc(parameters: &[(&str, &str)]) -> Call {
    let (in_body, in_query): (Vec<_>, Vec<_>) = parameters
        .iter()
        .copied()
        .partition(|(name, _)| matches!(*name, "OIDCToken" | "Policy"));
    let common = [
        ("Action", "AssumeRoleWithOIDC"),
        ("Format", "JSON"),
        ("Version", "2015-04-01"),
    ];
    let in_query = [&common[..], &in_query].concat();
    Call {
        method: Method::POST,
        target: format!("/?{}", percent::canonical_query(&in_query)),
        headers: vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )],
        body: percent::canonical_query(&in_body),
    }
}

pub fn key_in(reply: &Reply) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(&reply.text("Credentials.AccessKeyId")).unwrap(),
        secret: Secret::new(reply.text("Credentials.AccessKeySecret")),
        security_token: Some(Secret::new(reply.text("Credentials.SecurityToken"))),
    }
}

/// Checks that the call returns a key that is valid for an hour.
async fn check_session(sts: &Emulator, call: &Call) {
    let expires = sts.now().plus_seconds(3600);
    let reply = send(sts, call, PATIENCE).await.unwrap();
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    let arn = format!("acs:ram::{}:assumed-role/dev/work", demo::ACCOUNT);
    let id = format!("{}:work", demo::ROLE_ID);
    assert_eq!(reply.text("AssumedRoleUser.Arn"), arn);
    assert_eq!(reply.text("AssumedRoleUser.AssumedRoleId"), id);
    let expiration = UnixTime::parse(&reply.text("Credentials.Expiration")).unwrap();
    assert!(expiration >= expires && expiration <= sts.now().plus_seconds(3600));

    let key = key_in(&reply);
    for (moved, status, expected_arn) in [(0, 200, arn.as_str()), (3601, 400, "")] {
        sts.advance(moved);
        for call in [
            Call::acs3("GetCallerIdentity", &[], &key, sts.now()),
            Call::rpc(
                Method::GET,
                "GetCallerIdentity",
                &[],
                &key,
                &moved.to_string(),
                sts.now(),
            ),
        ] {
            let reply = send(sts, &call, PATIENCE).await.unwrap();
            assert_eq!(
                (reply.status, reply.text("Arn").as_str()),
                (status, expected_arn),
                "after {moved} s: {:?}",
                reply.body
            );
        }
    }
}

#[tokio::test]
async fn user_assumes_role() {
    let sts = start();
    check_session(&sts, &assume_by_rpc(&sts, &WORK, &demo::user_key())).await;
    let sts = start();
    let call = Call::acs3("AssumeRole", &WORK, &demo::user_key(), sts.now());
    check_session(&sts, &call).await;
}

#[tokio::test]
async fn session_assumes_role() {
    let sts = start();
    check_session(&sts, &assume_by_rpc(&sts, &WORK, &demo::session_key())).await;
}

#[tokio::test]
async fn oidc_token_assumes_role() {
    let oidc = [
        ("OIDCProviderArn", demo::OIDC_PROVIDER_ARN),
        ("OIDCToken", demo::OIDC_TOKEN),
    ];
    let sts = start();
    check_session(&sts, &assume_by_oidc(&[&WORK[..], &oidc].concat())).await;
}

#[tokio::test]
async fn two_sessions_have_two_keys() {
    let sts = start();
    let mut keys = Vec::new();
    for nonce in ["1", "2"] {
        let key = demo::user_key();
        let call = Call::rpc(Method::POST, "AssumeRole", &WORK, &key, nonce, sts.now());
        keys.push(key_in(&send(&sts, &call, PATIENCE).await.unwrap()));
    }
    assert_ne!(keys[0].id, keys[1].id);
    assert_ne!(keys[0].secret, keys[1].secret);
    assert_ne!(keys[0].security_token, keys[1].security_token);
}

#[tokio::test]
async fn invalid_assume_role_is_refused() {
    let role = WORK[0];
    let session = WORK[1];
    for (parameters, status, code) in [
        (vec![session], 400, "MissingRoleArn"),
        (vec![role], 400, "MissingRoleSessionName"),
        (
            vec![role, ("RoleSessionName", "a")],
            400,
            "InvalidParameter.RoleSessionName",
        ),
        (
            vec![role, ("RoleSessionName", "a b")],
            400,
            "InvalidParameter.RoleSessionName",
        ),
        (
            vec![("RoleArn", demo::USER_ARN), session],
            400,
            "InvalidParameter.RoleArn",
        ),
        (
            vec![
                ("RoleArn", "acs:ram::1234567890123456:role/nobody"),
                session,
            ],
            404,
            "EntityNotExist.Role",
        ),
        (
            vec![role, session, ("DurationSeconds", "899")],
            400,
            "InvalidParameter.DurationSeconds",
        ),
        (
            vec![role, session, ("DurationSeconds", "3601")],
            400,
            "InvalidParameter.DurationSeconds",
        ),
        (vec![role, session, ("DurationSeconds", "900")], 200, ""),
    ] {
        let sts = start();
        let call = assume_by_rpc(&sts, &parameters, &demo::user_key());
        let reply = send(&sts, &call, PATIENCE).await.unwrap();
        assert_eq!(
            (reply.status, reply.text("Code").as_str()),
            (status, code),
            "{parameters:?}"
        );
    }

    let sts = start();
    let reply = send(
        &sts,
        &assume_by_rpc(&sts, &WORK, &demo::root_key()),
        PATIENCE,
    )
    .await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status, reply.text("Code").as_str()),
        (403, "NoPermission")
    );
}

#[tokio::test]
async fn invalid_oidc_token_is_refused() {
    let provider = ("OIDCProviderArn", demo::OIDC_PROVIDER_ARN);
    let unknown = "AuthenticationFail.OIDCToken.Invalid";
    let no_provider = "AuthenticationFail.NoPermission";
    for (oidc, status, code) in [
        (vec![provider], 400, "MissingOIDCToken"),
        (
            vec![("OIDCToken", demo::OIDC_TOKEN)],
            400,
            "MissingOIDCProviderArn",
        ),
        (vec![provider, ("OIDCToken", "a.b.c")], 401, unknown),
        (
            vec![
                ("OIDCProviderArn", "other"),
                ("OIDCToken", demo::OIDC_TOKEN),
            ],
            401,
            no_provider,
        ),
    ] {
        let call = assume_by_oidc(&[&WORK[..], &oidc].concat());
        let reply = send(&start(), &call, PATIENCE).await.unwrap();
        assert_eq!(
            (reply.status, reply.text("Code").as_str()),
            (status, code),
            "{oidc:?}"
        );
    }
}
