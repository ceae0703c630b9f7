use serde_json::Value;

use super::{OAuth, OAuthTokens};
use crate::http_service::test_client::{TestReply, call};
use crate::sts::{Emulator, demo};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

fn start() -> (Emulator, OAuth) {
    let sts = Emulator::builder().demo().start().unwrap();
    let service = OAuth::start("42", sts.key_issuer(demo::session()), None).unwrap();
    (sts, service)
}

fn form(grant_type: &str, client_id: &str, refresh_token: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", grant_type)
        .append_pair("client_id", client_id)
        .append_pair("refresh_token", refresh_token)
        .finish()
}

async fn refresh(service: &OAuth, token: &str) -> TestReply {
    let body = form("refresh_token", "42", token);
    call(&service.http, "POST /v1/token", &[FORM], &body).await
}

async fn exchange(service: &OAuth, token: &str) -> TestReply {
    let bearer = format!("Bearer {token}");
    let headers = [JSON, ("authorization", &*bearer)];
    call(&service.http, "POST /v1/exchange", &headers, "").await
}

fn error(reply: &TestReply) -> (u16, String) {
    let json = reply.json();
    (
        reply.status,
        json["error"].as_str().unwrap_or_default().to_owned(),
    )
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

fn invalid_token() -> (u16, String) {
    (401, "invalid_token".to_owned())
}

#[tokio::test]
async fn refresh_token_is_good_for_one_use() {
    let (_sts, service) = start();
    let OAuthTokens {
        refresh_token,
        access_token,
        ..
    } = service.sign_in();
    let renewed = refresh(&service, &refresh_token).await.json();
    assert_eq!(renewed["expires_in"], 3600);
    let next = renewed["refresh_token"].as_str().unwrap();
    assert_eq!(service.refresh_token().as_deref(), Some(next));
    assert_eq!(
        error(&refresh(&service, &refresh_token).await),
        invalid_grant()
    );
    assert_eq!(refresh(&service, next).await.status, 200);
    assert_eq!(error(&refresh(&service, next).await), invalid_grant());
    // An access token lives on after a renewal.
    assert_eq!(exchange(&service, &access_token).await.status, 200);
    assert_eq!((service.refreshes(), service.exchanges()), (4, 1));
}

#[tokio::test]
async fn access_token_is_exchanged_for_a_key_until_its_end() {
    let (sts, service) = start();
    service.set_access_seconds(60);
    let tokens = service.sign_in();
    let key = exchange(&service, &tokens.access_token).await.json();
    for member in [
        "accessKeyId",
        "accessKeySecret",
        "securityToken",
        "expiration",
    ] {
        assert!(key[member].is_string(), "{member}");
    }
    assert_eq!(error(&exchange(&service, "wrong").await), invalid_token());
    sts.set_now(tokens.expires);
    assert_eq!(
        error(&exchange(&service, &tokens.access_token).await),
        invalid_token()
    );
}

#[tokio::test]
async fn signed_out_person_is_refused() {
    let (_sts, service) = start();
    let tokens = service.sign_in();
    service.sign_out();
    assert_eq!(
        error(&refresh(&service, &tokens.refresh_token).await),
        invalid_grant()
    );
    assert_eq!(error(&refresh(&service, "").await), invalid_grant());
    assert_eq!(
        error(&exchange(&service, &tokens.access_token).await),
        invalid_token()
    );
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let (_sts, service) = start();
    let tokens = service.sign_in();
    let right = form("refresh_token", "42", &tokens.refresh_token);
    let bearer = format!("Bearer {}", tokens.access_token);
    let signed_in = ("authorization", &*bearer);
    for (line, headers, body, status, code) in [
        (
            "GET /v1/token",
            &[FORM][..],
            &*right,
            405,
            "invalid_request",
        ),
        ("POST /v1/token", &[JSON], &right, 400, "invalid_request"),
        (
            "POST /v1/token?a=b",
            &[FORM],
            &right,
            400,
            "invalid_request",
        ),
        ("POST /v1/token", &[FORM], "", 400, "unsupported_grant_type"),
        (
            "POST /v1/token",
            &[FORM],
            &right.replace("=42", "=43"),
            401,
            "invalid_client",
        ),
        (
            "POST /v1/exchange",
            &[signed_in],
            "",
            400,
            "invalid_request",
        ),
        (
            "POST /v1/exchange",
            &[signed_in, JSON],
            "{}",
            400,
            "invalid_request",
        ),
        ("POST /v1/exchange", &[JSON], "", 401, "invalid_token"),
        ("POST /v2/token", &[FORM], &right, 404, "not_found"),
        ("POST /v1/token", &[FORM], &right, 200, ""),
    ] {
        let reply = call(&service.http, line, headers, body).await;
        assert_eq!(
            error(&reply),
            (status, code.to_owned()),
            "{line} {headers:?} {body}"
        );
        let is_complete = |json: &Value| json["requestId"].is_string();
        assert!(status == 200 || is_complete(&reply.json()), "{line}");
    }
}
