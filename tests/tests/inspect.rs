//! Inspection of tokens: for every token of `tests/vectors/tokens.json`, the verdict equals the decision of the server.

use ack_ram_analysis::inspect::{CheckName, CheckStatus, Inspection, TokenKind, inspect};
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::sts::demo;
use ack_ram_tests::vectors;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[test]
fn verdict_equals_the_decision_of_the_server() {
    let tokens = vectors::tokens();
    for case in &tokens.cases {
        let name = &case.name;
        let (token, policy) = (case.token(), tokens.policy(case));
        let now = UnixTime::parse(&case.now).unwrap();
        let inspection = inspect(&token, Some(&policy), now);
        match begin(&token, &policy, now) {
            Step::CallSts(awaiting) => {
                assert!(inspection.passes, "{name}: {inspection:?}");
                let request = inspection.request.clone().unwrap();
                assert_eq!(request.method, awaiting.request().method(), "{name}");
            }
            Step::Decided(decision) => {
                assert!(
                    !inspection.passes && inspection.request.is_none(),
                    "{name}: {inspection:?}"
                );
                assert!(
                    codes(&inspection).contains(&decision.code()),
                    "{name}: {inspection:?}"
                );
            }
        }
        let _offline = inspect(&token, None, now);
        let json = serde_json::to_string(&inspection).unwrap() + &format!("{inspection:?}");
        for secret in ["3c383615ea763091", "rd6GHZQn", "CAIS"] {
            assert!(!json.contains(secret), "{name}: a secret in {json}");
        }
    }
}

/// Returns the codes of the failed checks, in their order.
fn codes(inspection: &Inspection) -> Vec<&'static str> {
    inspection
        .checks
        .iter()
        .filter_map(|check| check.code)
        .collect()
}

fn status(inspection: &Inspection, name: CheckName) -> Option<CheckStatus> {
    let check = inspection.checks.iter().find(|check| check.name == name);
    check.map(|check| check.status)
}

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn token(key: &AccessKey, signed: UnixTime) -> String {
    let cluster = ClusterId::parse("c1").unwrap();
    let token = sign_token_v2(key, &cluster, "test/1", signed).unwrap();
    token.expose().to_owned()
}

#[test]
fn independent_failures_are_all_reported() {
    let policy = |cluster| TokenPolicy::new(ClusterId::parse(cluster).unwrap());
    let old = NOW.plus_seconds(-3600);
    let extra = |token: &str| {
        let json = STANDARD
            .decode(token.trim_start_matches("k8s-ack-v2."))
            .unwrap();
        let json = String::from_utf8(json).unwrap();
        let json = json.replace(
            r#""ACKClusterId":"c1""#,
            r#""ACKClusterId":"c1","team":"x""#,
        );
        format!("k8s-ack-v2.{}", STANDARD.encode(json))
    };
    let fresh = token(&demo::user_key(), NOW);
    let expired = token(&demo::user_key(), old);
    for (token, policy, expected) in [
        (&fresh, Some(policy("c1")), &[] as &[&str]),
        (&fresh, None, &[]),
        (&fresh, Some(policy("c2")), &["token_other_cluster"]),
        (&expired, None, &["token_expired"]),
        (
            &expired,
            Some(policy("c2")),
            &["token_other_cluster", "token_expired"],
        ),
        (
            &extra(&expired),
            Some(policy("c2")),
            &[
                "token_other_cluster",
                "token_extra_query_key",
                "token_expired",
            ],
        ),
        (
            &expired,
            Some(TokenPolicy {
                max_token_bytes: 100,
                ..policy("c2")
            }),
            &["token_too_large", "token_other_cluster", "token_expired"],
        ),
    ] {
        let inspection = inspect(token, policy.as_ref(), NOW);
        assert_eq!(codes(&inspection), expected, "{inspection:?}");
        assert_eq!(inspection.passes, expected.is_empty());
        assert_eq!(
            status(&inspection, CheckName::Sts),
            Some(CheckStatus::NotChecked)
        );
        let is_compared = status(&inspection, CheckName::Cluster) != Some(CheckStatus::NotChecked);
        assert_eq!(is_compared, policy.is_some());
        let contents = inspection.contents.unwrap();
        assert_eq!(contents.cluster_id.as_deref(), Some("c1"));
        assert_eq!(contents.access_key_id, Some(demo::user_key().id));
        assert_eq!(contents.user_agent.as_deref(), Some("test/1"));
        assert!(!contents.temporary);
    }
}

#[test]
fn malformed_token_is_shown_as_far_as_readable() {
    let key = AccessKey {
        security_token: Some(Secret::new("CANARY-TOKEN")),
        ..demo::user_key()
    };
    let whole = token(&key, NOW);
    let cut = &whole[..whole.len() - 40];
    let wrapped = format!("{}\n{}", &whole[..80], &whole[80..]);
    let url_safe = whole.replace('+', "-").replace('/', "_").replace('=', "");
    let broken_json = format!("k8s-ack-v2.{}", STANDARD.encode("{\"clusterId\":"));
    for (token, code, reads_contents) in [
        (wrapped.as_str(), "token_base64", true),
        (cut, "token_json", false),
        (&broken_json, "token_json", false),
        ("k8s-ack-v2.", "token_json", false),
        ("k8s-ack-v2.!!", "token_base64", false),
        ("k8s-ack-v1.!!", "token_base64", false),
    ] {
        let inspection = inspect(token, None, NOW);
        assert!(
            codes(&inspection).contains(&code) || codes(&inspection).contains(&"token_v1"),
            "{inspection:?}"
        );
        assert_eq!(
            inspection.contents.is_some(),
            reads_contents,
            "{inspection:?}"
        );
        assert_eq!(
            inspection.undecoded.is_some(),
            !reads_contents,
            "{inspection:?}"
        );
        assert!(
            !format!("{inspection:?}").contains("CANARY"),
            "{inspection:?}"
        );
    }
    let contents = inspect(&url_safe, None, NOW).contents.unwrap();
    assert!(contents.temporary);
    assert_eq!(contents.date, Some(NOW));
}

#[test]
fn tokens_of_other_types_are_named() {
    for (token, kind) in [
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", TokenKind::Jwt),
        ("k8s-aws-v1.aHR0cHM6Ly8", TokenKind::AwsIamAuthenticator),
        ("k8s-ack-v3.e30=", TokenKind::UnknownVersion),
        ("k8s-ack-v2.e30=", TokenKind::TokenV2),
        ("k8s-ack-v1.e30=", TokenKind::TokenV1),
        ("abc", TokenKind::Unknown),
        ("", TokenKind::Unknown),
    ] {
        let inspection = inspect(token, None, NOW);
        assert_eq!(inspection.kind, kind);
        assert!(!inspection.passes, "{inspection:?}");
        let is_ours = token.starts_with("k8s-ack-");
        assert_eq!(inspection.fingerprint.is_some(), is_ours, "{token}");
        assert_eq!(
            codes(&inspection).contains(&"not_ours"),
            !is_ours,
            "{inspection:?}"
        );
    }
    let endless = format!("k8s-ack-v2.{}", "A".repeat(100_000));
    let inspection = inspect(&endless, None, NOW);
    assert_eq!(codes(&inspection), ["token_too_large"]);
}

#[test]
fn control_characters_of_token_are_escaped() {
    let json = "{\"query\":{\"ACKClusterId\":\"c\\u001b[31m\",\"\\u0007\":\"x\"},\"method\":\"\\u202e\",\"headers\":{\"user-agent\":\"a\\nb\"}}";
    let inspection = inspect(&format!("k8s-ack-v2.{}", STANDARD.encode(json)), None, NOW);
    let contents = inspection.contents.clone().unwrap();
    let texts = [contents.cluster_id, contents.method, contents.user_agent];
    for text in texts
        .into_iter()
        .map(Option::unwrap)
        .chain(contents.query_keys)
    {
        assert!(text.chars().all(|c| c.is_ascii_graphic()), "{text:?}");
    }
    for reason in inspection
        .checks
        .into_iter()
        .filter_map(|check| check.reason)
    {
        assert!(!reason.contains('\u{1b}'), "{reason:?}");
    }
}
