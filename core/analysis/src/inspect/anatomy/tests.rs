use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::time::UnixTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn token() -> String {
    let key = AccessKey {
        id: AccessKeyId::parse("STS.abc").unwrap(),
        secret: Secret::new("secret"),
        security_token: Some(Secret::new("CANARY")),
    };
    let cluster = ClusterId::parse("c1").unwrap();
    let token = sign_token_v2(&key, &cluster, "test/<1>", UnixTime::from_seconds(0)).unwrap();
    token.expose().to_owned()
}

fn concatenate(segments: &[Segment], side: impl Fn(&Segment) -> &Secret) -> String {
    segments
        .iter()
        .map(|segment| side(segment).expose())
        .collect()
}

#[test]
fn segments_concatenate_to_token_without_secrets_in_public_ones() {
    let v2 = token();
    let (start, end) = v2.split_at(40);
    let wrapped = format!("{start}\n{end}");
    let url = "https://sts.aliyuncs.com/?Action=GetCallerIdentity&Signature=CANARY%3D&ClusterId=c1&odd&x=CANARY&SecurityToken=CANARY";
    let v1 = format!("k8s-ack-v1.{}", STANDARD.encode(url));
    for token in [
        v2.as_str(),
        &wrapped,
        &v1,
        "k8s-ack-v2.",
        "k8s-ack-v2.!!",
        "k8s-ack-v2.e30=",
        "k8s-ack-v1.e30=",
        "k8s-ack-v2.eyJoZWFkZXJzIjp7IkF1dGhvcml6YXRpb24iOiJDQU5BUlkifX0=",
    ] {
        let segments = split_into_segments(token);
        assert_eq!(concatenate(&segments, |segment| &segment.encoded), token);
        for segment in segments.iter().filter(|segment| !segment.is_secret) {
            assert!(
                !segment.text.expose().contains("CANARY"),
                "{:?}",
                segment.part
            );
        }
    }
    assert!(split_into_segments("eyJ.e30.x").is_empty());
}

#[test]
fn segments_have_part_text_and_signed_flag() {
    let segments = split_into_segments(&token());
    let named: Vec<_> = segments
        .iter()
        .filter(|segment| !matches!(segment.part, TokenPart::Structure | TokenPart::Prefix))
        .map(|segment| (segment.part, segment.text.expose(), segment.signed))
        .collect();
    let signature = named
        .iter()
        .find(|(part, ..)| *part == TokenPart::Signature);
    assert_eq!(signature.unwrap().1.len(), 64);
    for expected in [
        (TokenPart::UnsignedClusterId, "c1", Some(false)),
        (TokenPart::Method, "POST", Some(true)),
        (TokenPart::Path, "/", Some(true)),
        (TokenPart::ClusterId, "c1", Some(true)),
        (TokenPart::Algorithm, "ACS3-HMAC-SHA256", Some(false)),
        (TokenPart::Credential, "STS.abc", Some(false)),
        (TokenPart::UserAgent, r"test/\u003c1\u003e", Some(false)),
        (TokenPart::Action, "GetCallerIdentity", Some(true)),
        (TokenPart::Date, "1970-01-01T00:00:00Z", Some(true)),
        (TokenPart::SecurityToken, "CANARY", Some(true)),
        (TokenPart::ApiVersion, "2015-04-01", Some(true)),
    ] {
        assert!(named.contains(&expected), "{expected:?}: {named:?}");
    }
    let decoded = concatenate(&segments[1..], |segment| &segment.text);
    assert!(json::parse_object(decoded.as_bytes()).is_ok());
}
