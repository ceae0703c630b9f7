use serde_json::Value;

use super::{MetadataMode, MetadataService, ROLE_PATH, TOKEN_HEADER, TTL_HEADER};
use crate::http_service::test_client::call;
use crate::sts::{Emulator, demo};

const ROLE_LINE: &str = "GET /latest/meta-data/ram/security-credentials/";
const KEY_LINE: &str = "GET /latest/meta-data/ram/security-credentials/dev";
const TOKEN_LINE: &str = "PUT /latest/api/token";

fn start(mode: MetadataMode) -> (Emulator, MetadataService) {
    let sts = Emulator::builder().demo().start().unwrap();
    let issuer = sts.key_issuer(demo::session());
    let service = MetadataService::start(mode, issuer).unwrap();
    (sts, service)
}

/// Returns the status and the body.
async fn ask(service: &MetadataService, line: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let reply = call(&service.http, line, headers, "").await;
    (reply.status, reply.text)
}

#[tokio::test]
async fn each_mode_accepts_its_requests_only() {
    for (mode, token_status, without, with_wrong) in [
        (MetadataMode::V1, 404, 200, 200),
        (MetadataMode::V1AndV2, 200, 200, 403),
        (MetadataMode::V2, 200, 403, 403),
    ] {
        let (_sts, service) = start(mode);
        let (status, token) = ask(&service, TOKEN_LINE, &[(TTL_HEADER, "3600")]).await;
        assert_eq!(status, token_status, "{mode:?}");
        for line in [ROLE_LINE, KEY_LINE] {
            let wrong = [(TOKEN_HEADER, "wrong")];
            assert_eq!(ask(&service, line, &[]).await.0, without, "{mode:?}");
            assert_eq!(ask(&service, line, &wrong).await.0, with_wrong, "{mode:?}");
            let right = [(TOKEN_HEADER, &*token)];
            assert_eq!(ask(&service, line, &right).await.0, 200, "{mode:?}");
        }
        assert_eq!(service.key_requests(), 3);
        assert_eq!(service.http.count(ROLE_PATH), 3);
    }
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let (_sts, service) = start(MetadataMode::V1AndV2);
    let forwarded = [(TTL_HEADER, "3600"), ("x-forwarded-for", "10.0.0.1")];
    for (line, headers, status) in [
        (TOKEN_LINE, &[(TTL_HEADER, "1")][..], 200),
        (TOKEN_LINE, &[(TTL_HEADER, "21600")], 200),
        (TOKEN_LINE, &[], 400),
        (TOKEN_LINE, &[(TTL_HEADER, "0")], 400),
        (TOKEN_LINE, &[(TTL_HEADER, "21601")], 400),
        (TOKEN_LINE, &forwarded, 403),
        ("GET /latest/api/token", &[(TTL_HEADER, "1")], 405),
        ("PUT /latest/meta-data/ram/security-credentials/", &[], 405),
        (
            "GET /latest/meta-data/ram/security-credentials/other",
            &[],
            404,
        ),
        ("GET /", &[], 404),
        (ROLE_LINE, &[], 200),
    ] {
        assert_eq!(
            ask(&service, line, headers).await.0,
            status,
            "{line} {headers:?}"
        );
    }
    service.detach_role();
    for line in [ROLE_LINE, KEY_LINE] {
        assert_eq!(ask(&service, line, &[]).await.0, 404, "{line}");
    }
}

#[tokio::test]
async fn metadata_token_ends_after_its_lifetime() {
    let (sts, service) = start(MetadataMode::V2);
    let (_, token) = ask(&service, TOKEN_LINE, &[(TTL_HEADER, "60")]).await;
    let with_token = [(TOKEN_HEADER, &*token)];
    assert_eq!(
        ask(&service, ROLE_LINE, &with_token).await,
        (200, "dev".to_owned())
    );
    sts.advance(60);
    assert_eq!(ask(&service, ROLE_LINE, &with_token).await.0, 403);
}

#[tokio::test]
async fn key_stays_until_it_is_rotated() {
    let (_sts, service) = start(MetadataMode::V1);
    let id = async || {
        let (_, body) = ask(&service, KEY_LINE, &[]).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["Code"], "Success");
        assert!(body["LastUpdated"].is_string() && body["Expiration"].is_string());
        body["AccessKeyId"].as_str().unwrap().to_owned()
    };
    let first = id().await;
    assert_eq!(
        (&id().await, service.key().key.id.as_str()),
        (&first, &*first)
    );
    service.rotate_key();
    assert_ne!(id().await, first);
}
