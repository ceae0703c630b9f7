use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::access_key::AccessKeyId;
use crate::cluster_id::ClusterId;
use crate::sign::{AccessKey, token_v2};
use crate::time::UnixTime;

fn token() -> String {
    let key = AccessKey {
        id: AccessKeyId::parse("STS.abc").unwrap(),
        secret: Secret::new("secret"),
        security_token: Some(Secret::new("CANARY")),
    };
    let cluster = ClusterId::parse("c1").unwrap();
    let token = token_v2(&key, &cluster, "test/<1>", UnixTime::from_seconds(0)).unwrap();
    token.expose().to_owned()
}

fn whole(pieces: &[Piece], side: impl Fn(&Piece) -> &Secret) -> String {
    pieces.iter().map(|piece| side(piece).expose()).collect()
}

#[test]
fn a_token_is_the_sum_of_its_parts() {
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
        let pieces = anatomy(token);
        assert_eq!(whole(&pieces, |piece| &piece.encoded), token);
        for piece in pieces.iter().filter(|piece| !piece.is_secret) {
            assert!(!piece.text.expose().contains("CANARY"), "{:?}", piece.part);
        }
    }
    assert!(anatomy("eyJ.e30.x").is_empty());
}

#[test]
fn parts_are_named() {
    let pieces = anatomy(&token());
    let named: Vec<_> = pieces
        .iter()
        .filter(|piece| !matches!(piece.part, Part::Structure | Part::Prefix))
        .map(|piece| (piece.part, piece.text.expose(), piece.signed))
        .collect();
    let signature = named.iter().find(|(part, ..)| *part == Part::Signature);
    assert_eq!(signature.unwrap().1.len(), 64);
    for expected in [
        (Part::UnsignedClusterId, "c1", Some(false)),
        (Part::Method, "POST", Some(true)),
        (Part::Path, "/", Some(true)),
        (Part::ClusterId, "c1", Some(true)),
        (Part::Algorithm, "ACS3-HMAC-SHA256", Some(false)),
        (Part::Credential, "STS.abc", Some(false)),
        (Part::UserAgent, r"test/\u003c1\u003e", Some(false)),
        (Part::Action, "GetCallerIdentity", Some(true)),
        (Part::Date, "1970-01-01T00:00:00Z", Some(true)),
        (Part::SecurityToken, "CANARY", Some(true)),
        (Part::ApiVersion, "2015-04-01", Some(true)),
    ] {
        assert!(named.contains(&expected), "{expected:?}: {named:?}");
    }
    let decoded = whole(&pieces[1..], |piece| &piece.text);
    assert!(json::parse_object(decoded.as_bytes()).is_ok());
}
