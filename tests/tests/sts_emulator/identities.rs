//! Valid calls, and the identities that STS returns.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_tests::sts::{Emulator, demo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Call, PATIENCE, send};

async fn check(key: AccessKey, expected: Value) {
    let sts = Emulator::builder().demo().start().unwrap();
    let calls = [
        Call::acs3("GetCallerIdentity", &[], &key, sts.now()),
        Call::rpc(Method::GET, "GetCallerIdentity", &[], &key, "1", sts.now()),
        Call::rpc(Method::POST, "GetCallerIdentity", &[], &key, "2", sts.now()),
        token_call(&key, &sts),
    ];
    for call in &calls {
        let reply = send(&sts, call, PATIENCE).await.unwrap();
        assert_eq!(reply.status, 200, "{call:?}: {:?}", reply.body);
        let mut identity = reply.json();
        let request_id = identity.as_object_mut().unwrap().remove("RequestId");
        assert!(request_id.is_some_and(|id| id.is_string()));
        assert_eq!(identity, expected, "{call:?}");
    }
    let recorded = sts.requests();
    assert_eq!(recorded.len(), calls.len());
    for (recorded, call) in recorded.iter().zip(calls) {
        assert_eq!(recorded.action.as_deref(), Some("GetCallerIdentity"));
        assert_eq!((&recorded.error, &recorded.fault), (&None, &None));
        assert_eq!(
            (&recorded.method, &recorded.target),
            (&call.method, &call.target)
        );
        for (name, value) in &call.headers {
            assert_eq!(recorded.headers[name], value.as_str());
        }
    }
}

/// Returns the request in a token v2, as a server sends it.
fn token_call(key: &AccessKey, sts: &Emulator) -> Call {
    let cluster = ClusterId::parse("c0123").unwrap();
    let token = sign_token_v2(key, &cluster, "test", sts.now()).unwrap();
    let base64 = token.expose().strip_prefix("k8s-ack-v2.").unwrap();
    let json: Value = serde_json::from_slice(&STANDARD.decode(base64).unwrap()).unwrap();
    Call {
        method: Method::POST,
        target: format!(
            "/?ACKClusterId={}",
            json["query"]["ACKClusterId"].as_str().unwrap()
        ),
        headers: json["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: String::new(),
    }
}

#[tokio::test]
async fn root_account_is_identified() {
    let expected = json!({
        "IdentityType": "Account",
        "AccountId": demo::ACCOUNT,
        "PrincipalId": demo::ACCOUNT,
        "UserId": demo::ACCOUNT,
        "Arn": demo::ROOT_ARN,
    });
    check(demo::root_key(), expected).await;
}

#[tokio::test]
async fn user_is_identified() {
    let expected = json!({
        "IdentityType": "RAMUser",
        "AccountId": demo::ACCOUNT,
        "PrincipalId": demo::USER_ID,
        "UserId": demo::USER_ID,
        "Arn": demo::USER_ARN,
    });
    check(demo::user_key(), expected).await;
}

#[tokio::test]
async fn role_session_is_identified() {
    let expected = json!({
        "IdentityType": "AssumedRoleUser",
        "AccountId": demo::ACCOUNT,
        "PrincipalId": format!("{}:{}", demo::ROLE_ID, demo::SESSION),
        "RoleId": demo::ROLE_ID,
        "Arn": demo::SESSION_ARN,
    });
    check(demo::session_key(), expected).await;
}
