//! Tokens of OIDC providers.

use ack_ram_tests::sts::{Emulator, Role, demo, oidc_token};

use crate::client::{PATIENCE, send};
use crate::sessions::assume_by_oidc;

const PROVIDER_ARN: &str = "acs:ram::1234567890123456:oidc-provider/rrsa";
const ISSUER: &str = "https://oidc-ack.example.com/c0123";
const AUDIENCE: &str = "sts.aliyuncs.com";
const SUBJECT: &str = "system:serviceaccount:default:app";

fn start(role: Role) -> Emulator {
    Emulator::builder()
        .demo()
        .role_with(role)
        .oidc_provider(PROVIDER_ARN, ISSUER, &["other", AUDIENCE])
        .start()
        .unwrap()
}

fn role() -> Role {
    Role::new(demo::ACCOUNT, "pod", "300000000000000008").trusts(&[PROVIDER_ARN])
}

/// Returns the status and the error code, or the ARN of the session.
async fn assume(sts: &Emulator, parameters: &[(&str, &str)]) -> (u16, String) {
    let reply = send(sts, &assume_by_oidc(parameters), PATIENCE)
        .await
        .unwrap();
    let text = match reply.status {
        200 => reply.text("AssumedRoleUser.Arn"),
        _ => reply.text("Code"),
    };
    (reply.status, text)
}

fn parameters<'a>(provider: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("RoleArn", "acs:ram::1234567890123456:role/pod"),
        ("RoleSessionName", "app"),
        ("OIDCProviderArn", provider),
        ("OIDCToken", token),
    ]
}

#[tokio::test]
async fn wrong_oidc_token_is_refused() {
    let sts = start(role());
    let end = sts.now().plus_seconds(600);
    let good = oidc_token(ISSUER, AUDIENCE, SUBJECT, end);
    let other_issuer = oidc_token("https://other.example.com", AUDIENCE, SUBJECT, end);
    let plain_issuer = oidc_token("http://oidc.example.com", AUDIENCE, SUBJECT, end);
    let other_audience = oidc_token(ISSUER, "someone", SUBJECT, end);
    let expired = oidc_token(ISSUER, AUDIENCE, SUBJECT, sts.now());
    let (content, _) = good.rsplit_once('.').unwrap();
    let (_, other_signature) = other_audience.rsplit_once('.').unwrap();
    let forged = format!("{content}.{other_signature}");
    let newline = format!("{good}\n");
    let long = "a".repeat(20_001);
    let unknown = "acs:ram::1234567890123456:oidc-provider/nobody";
    for (provider, token, status, expected) in [
        (
            PROVIDER_ARN,
            &*good,
            200,
            "acs:ram::1234567890123456:assumed-role/pod/app",
        ),
        (
            PROVIDER_ARN,
            &expired,
            401,
            "AuthenticationFail.OIDCToken.Expired",
        ),
        (
            PROVIDER_ARN,
            "a.b.c",
            401,
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        (
            PROVIDER_ARN,
            "not-a-token",
            401,
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        (
            PROVIDER_ARN,
            &other_issuer,
            401,
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        (
            PROVIDER_ARN,
            &forged,
            401,
            "AuthenticationFail.OIDCToken.InvalidSignature",
        ),
        (
            PROVIDER_ARN,
            &newline,
            401,
            "AuthenticationFail.OIDCToken.InvalidSignature",
        ),
        (
            PROVIDER_ARN,
            &other_audience,
            401,
            "AuthenticationFail.OIDCToken.AudienceNotMatch",
        ),
        (
            PROVIDER_ARN,
            &plain_issuer,
            401,
            "AuthenticationFail.OIDCToken.HttpsUrlInvalid",
        ),
        (PROVIDER_ARN, "abc", 400, "InvalidParameter.OIDCToken"),
        (PROVIDER_ARN, &long, 400, "InvalidParameter.OIDCToken"),
        (unknown, &good, 401, "AuthenticationFail.NoPermission"),
        (
            demo::OIDC_PROVIDER_ARN,
            &good,
            401,
            "AuthenticationFail.OIDCToken.Invalid",
        ),
    ] {
        let outcome = assume(&sts, &parameters(provider, token)).await;
        assert_eq!(outcome, (status, expected.to_owned()), "{provider} {token}");
    }
}

#[tokio::test]
async fn oidc_token_ends_by_the_clock_of_sts() {
    let sts = start(role());
    let token = oidc_token(ISSUER, AUDIENCE, SUBJECT, sts.now().plus_seconds(600));
    assert_eq!(assume(&sts, &parameters(PROVIDER_ARN, &token)).await.0, 200);
    sts.advance(600);
    let expired = (401, "AuthenticationFail.OIDCToken.Expired".to_owned());
    assert_eq!(
        assume(&sts, &parameters(PROVIDER_ARN, &token)).await,
        expired
    );
}

#[tokio::test]
async fn provider_outside_the_trust_policy_is_refused() {
    let pod = || Role::new(demo::ACCOUNT, "pod", "300000000000000008");
    for (role, status) in [
        (pod(), 200),
        (pod().trusts(&[PROVIDER_ARN]), 200),
        (pod().trusts(&[demo::ROOT_ARN]), 401),
        (pod().trusts(&[demo::OIDC_PROVIDER_ARN]), 401),
    ] {
        let sts = start(role.clone());
        let token = oidc_token(ISSUER, AUDIENCE, SUBJECT, sts.now().plus_seconds(600));
        let outcome = assume(&sts, &parameters(PROVIDER_ARN, &token)).await;
        assert_eq!(outcome.0, status, "{role:?}");
        if status != 200 {
            assert_eq!(outcome.1, "AuthenticationFail.NoPermission");
        }
    }
}

#[tokio::test]
async fn parameters_of_the_oidc_call_are_checked() {
    let sts = start(role());
    let token = oidc_token(ISSUER, AUDIENCE, SUBJECT, sts.now().plus_seconds(600));
    let late = sts.now().plus_seconds(-16 * 60).to_string();
    for (name, value, status, code) in [
        ("DurationSeconds", "900", 200, ""),
        (
            "DurationSeconds",
            "3601",
            400,
            "InvalidParameter.DurationSeconds",
        ),
        (
            "RoleSessionName",
            "a b",
            400,
            "InvalidParameter.RoleSessionName",
        ),
        ("RoleArn", demo::USER_ARN, 400, "InvalidParameter.RoleArn"),
        (
            "RoleArn",
            "acs:ram::1234567890123456:role/no",
            404,
            "EntityNotExist.Role",
        ),
        ("Policy", "{}", 400, "InvalidParameter.PolicyGrammar"),
        ("Timestamp", &late, 400, "InvalidTimeStamp.Expired"),
    ] {
        let mut all = parameters(PROVIDER_ARN, &token);
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
        let outcome = assume(&sts, &all).await;
        assert_eq!(outcome.0, status, "{name} {value}");
        if status != 200 {
            assert_eq!(outcome.1, code, "{name} {value}");
        }
    }
}
