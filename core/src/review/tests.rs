use serde_json::{Value as Json, json};

use super::*;
use crate::decision::{Denial, Unavailable};
use crate::rules::{Explanation, RulesRefusal};

fn parse(body: &str) -> Result<(ReviewVersion, String), String> {
    TokenReview::parse(body.as_bytes())
        .map(|review| (review.version(), review.token().expose().to_owned()))
        .map_err(|error| error.to_string())
}

#[test]
fn review_requires_kind_version_and_token() {
    let review = |version: &str, token: &str| {
        format!(r#"{{"kind":"TokenReview","apiVersion":"{version}","spec":{{"token":{token}}}}}"#)
    };
    let (v1, beta) = ("authentication.k8s.io/v1", "authentication.k8s.io/v1beta1");
    let no_token = "`spec.token` is missing, empty or not text";
    for (body, expected) in [
        (review(v1, r#""t""#), Ok((ReviewVersion::V1, "t"))),
        (review(beta, r#""t""#), Ok((ReviewVersion::V1Beta1, "t"))),
        (review(v1, r#""""#), Err(no_token)),
        (review(v1, "7"), Err(no_token)),
        (review(v1, "null"), Err(no_token)),
        (
            format!(r#"{{"kind":"TokenReview","apiVersion":"{v1}"}}"#),
            Err(no_token),
        ),
        (
            review("v2", r#""t""#),
            Err(
                "expected `authentication.k8s.io/v1` or `authentication.k8s.io/v1beta1` as `apiVersion`, found `v2`",
            ),
        ),
        (
            r#"{"kind":"TokenReview"}"#.to_owned(),
            Err("`apiVersion` is missing"),
        ),
        (
            r#"{"kind":"Pod"}"#.to_owned(),
            Err("expected `TokenReview` as `kind`, found `Pod`"),
        ),
        ("{}".to_owned(), Err("`kind` is missing")),
    ] {
        let expected = expected
            .map(|(version, token)| (version, token.to_owned()))
            .map_err(|reason| format!("the body is not a TokenReview: {reason}"));
        assert_eq!(parse(&body), expected, "{body}");
    }
    assert!(matches!(
        TokenReview::parse(b"x"),
        Err(ReviewError::Json(_))
    ));
}

#[test]
fn review_reply_carries_user_or_error() {
    let user = |extra: &[(&'static str, &str)]| KubernetesUser {
        username: "alice".to_owned(),
        uid: "uid".to_owned(),
        groups: Vec::new(),
        extra: extra
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect(),
    };
    let granted = |user: Json| json!({"authenticated": true, "user": user});
    for (outcome, expected) in [
        (
            Outcome::Granted(user(&[])),
            granted(json!({"username": "alice", "uid": "uid"})),
        ),
        (
            Outcome::Granted(user(&[("arn", "a")])),
            granted(json!({"username": "alice", "uid": "uid", "extra": {"arn": ["a"]}})),
        ),
        (Outcome::UnrecognizedToken, json!({"authenticated": false})),
        (
            Outcome::Denied(Denial::Rules(RulesRefusal::Validation("no".into()))),
            json!({"authenticated": false, "error": "[ack-ram-authenticator] this cluster refuses the user: no"}),
        ),
    ] {
        let decision = Decision {
            outcome,
            explanation: Explanation::default(),
        };
        for (version, name) in [
            (ReviewVersion::V1, "authentication.k8s.io/v1"),
            (ReviewVersion::V1Beta1, "authentication.k8s.io/v1beta1"),
        ] {
            let answer = render_decision(version, &decision);
            let body: Json = serde_json::from_slice(&answer.body).unwrap();
            let review = json!({"kind": "TokenReview", "apiVersion": name, "status": expected});
            assert_eq!((answer.status, body), (200, review));
        }
    }
}

#[test]
fn unavailable_reply_is_kubernetes_status() {
    let decision = Decision {
        outcome: Outcome::Unavailable(Unavailable::Internal),
        explanation: Explanation::default(),
    };
    let answer = render_decision(ReviewVersion::V1, &decision);
    let body: Json = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 503);
    let expected = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": decision.public_message(),
        "reason": "ServiceUnavailable",
        "code": 503,
    });
    assert_eq!(body, expected);
}
