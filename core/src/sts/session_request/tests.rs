//! The bytes of both requests. The signatures come from an independent program: HMAC-SHA256 of the documented strings.

use super::*;
use crate::access_key::AccessKeyId;

const NONCE: &str = "0123456789abcdef0123456789abcdef";

fn stamp() -> RequestStamp<'static> {
    RequestStamp {
        now: UnixTime::parse("2026-01-02T03:04:05Z").unwrap(),
        nonce: NONCE,
    }
}

fn parameters(seconds: Option<u32>, policy: Option<&str>) -> SessionParameters {
    SessionParameters {
        role: RoleArn::parse("acs:ram::1234567890123456:role/dev").unwrap(),
        name: SessionName::parse("alice@example.com").unwrap(),
        seconds: seconds.map(|seconds| SessionSeconds::new(seconds).unwrap()),
        policy: policy.map(|policy| SessionPolicy::parse(policy).unwrap()),
    }
}

fn key(security_token: Option<&str>) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
        secret: Secret::new("FakeAccessKeySecretCANARY1"),
        security_token: security_token.map(Secret::new),
    }
}

fn headers(request: &SessionRequest) -> Vec<(&'static str, &str)> {
    request
        .headers()
        .map(|(name, value)| (name, value.expose()))
        .collect()
}

#[test]
fn assume_role_has_documented_query_headers_and_signature() {
    let policy = "{\"Version\":\"1\", \"Statement\":[] }~*\u{e9}";
    let external_id = ExternalId::parse("a+b=c,d.e@f:g/h-i_j").unwrap();
    let role =
        "RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fdev&RoleSessionName=alice%40example.com";
    let all = format!(
        "DurationSeconds=900&ExternalId=a%2Bb%3Dc%2Cd.e%40f%3Ag%2Fh-i_j&Policy=%7B%22Version%22%3A%221%22%2C%20%22Statement%22%3A%5B%5D%20%7D~%2A%C3%A9&{role}"
    );
    for (parameters, external_id, security_token, host, query, signature) in [
        (
            parameters(None, None),
            None,
            None,
            "sts.aliyuncs.com",
            role,
            "082ee3a2df41cc702e80acc2e8c8d21c0604c6ad958ed9929e3ad8f2f647a1c7",
        ),
        (
            parameters(None, None),
            None,
            None,
            "127.0.0.1:8443",
            role,
            "11f8bac9be6f771471b37a827c069309641f0a02975a8d87614ab1a335d78596",
        ),
        (
            parameters(Some(900), Some(policy)),
            Some(&external_id),
            Some("FakeSecurityTokenCANARY+/=="),
            "sts.aliyuncs.com",
            &*all,
            "1ed2f0563a4a706d07ad54c87517ffd1fb439d5ea81f7b1da834923322b884e6",
        ),
    ] {
        let request = SessionRequest::assume_role(
            &parameters,
            external_id,
            &key(security_token),
            host,
            stamp(),
        )
        .unwrap();
        assert_eq!(request.path_and_query().expose(), format!("/?{query}"));
        assert_eq!(request.body().expose(), "");
        let mut signed = vec![
            ("host", host),
            ("x-acs-action", "AssumeRole"),
            ("x-acs-content-sha256", EMPTY_BODY_SHA256),
            ("x-acs-date", "2026-01-02T03:04:05Z"),
            ("x-acs-signature-nonce", NONCE),
            ("x-acs-version", "2015-04-01"),
        ];
        if let Some(token) = security_token {
            signed.insert(4, ("x-acs-security-token", token));
        }
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential=LTAI5tFakeAccessKeyId001,SignedHeaders={},Signature={signature}",
            names.join(";")
        );
        let mut expected = vec![
            ("accept", "application/json"),
            ("authorization", &*authorization),
        ];
        expected.extend(signed);
        assert_eq!(headers(&request), expected);
        assert!(!request.path_and_query().expose().contains("CANARY"));
        assert!(!format!("{request:?}").contains("CANARY"), "{request:?}");
    }
}

#[test]
fn assume_role_with_oidc_has_token_and_policy_only_in_the_form() {
    let provider = OidcProviderArn::parse("acs:ram::1234567890123456:oidc-provider/ack").unwrap();
    let token = Secret::new("eyJ.CANARY+/=.sig");
    let query = "Format=JSON&OIDCProviderArn=acs%3Aram%3A%3A1234567890123456%3Aoidc-provider%2Fack&RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fdev&RoleSessionName=alice%40example.com&SignatureNonce=0123456789abcdef0123456789abcdef&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2015-04-01";
    for (seconds, policy, first, form) in [
        (None, None, "", "OIDCToken=eyJ.CANARY%2B%2F%3D.sig"),
        (
            Some(43_200),
            Some("{}"),
            "&DurationSeconds=43200",
            "OIDCToken=eyJ.CANARY%2B%2F%3D.sig&Policy=%7B%7D",
        ),
    ] {
        let request = SessionRequest::assume_role_with_oidc(
            &parameters(seconds, policy),
            &provider,
            &token,
            stamp(),
        );
        assert_eq!(
            request.path_and_query().expose(),
            format!("/?Action=AssumeRoleWithOIDC{first}&{query}")
        );
        assert_eq!(request.body().expose(), form);
        let expected = [
            ("accept", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        assert_eq!(headers(&request), expected);
        assert!(!format!("{request:?}").contains("CANARY"), "{request:?}");
    }
}
