//! Looking into tokens: every token of `tests/vectors/tokens.json` is told as the server would judge it.

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
fn the_verdict_is_that_of_the_server() {
    let tokens = vectors::tokens();
    for case in &tokens.cases {
        let name = &case.name;
        let (token, policy) = (case.token(), tokens.policy(case));
        let now = UnixTime::parse(&case.now).unwrap();
        let told = inspect(&token, Some(&policy), now);
        match begin(&token, &policy, now) {
            Step::CallSts(awaiting) => {
                assert!(told.passes, "{name}: {told:?}");
                let request = told.request.clone().unwrap();
                assert_eq!(request.method, awaiting.request().method(), "{name}");
            }
            Step::Decided(decision) => {
                assert!(!told.passes && told.request.is_none(), "{name}: {told:?}");
                assert!(codes(&told).contains(&decision.code()), "{name}: {told:?}");
            }
        }
        let _offline = inspect(&token, None, now);
        let json = serde_json::to_string(&told).unwrap() + &format!("{told:?}");
        for secret in ["3c383615ea763091", "rd6GHZQn", "CAIS"] {
            assert!(!json.contains(secret), "{name}: a secret is shown: {json}");
        }
    }
}

/// What is wrong, in the order of the checks.
fn codes(told: &Inspection) -> Vec<&'static str> {
    told.checks.iter().filter_map(|check| check.code).collect()
}

fn status(told: &Inspection, name: CheckName) -> Option<CheckStatus> {
    let check = told.checks.iter().find(|check| check.name == name);
    check.map(|check| check.status)
}

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn token(key: &AccessKey, signed: UnixTime) -> String {
    let cluster = ClusterId::parse("c1").unwrap();
    let token = sign_token_v2(key, &cluster, "test/1", signed).unwrap();
    token.expose().to_owned()
}

#[test]
fn independent_failures_are_all_told() {
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
        let told = inspect(token, policy.as_ref(), NOW);
        assert_eq!(codes(&told), expected, "{told:?}");
        assert_eq!(told.passes, expected.is_empty());
        assert_eq!(status(&told, CheckName::Sts), Some(CheckStatus::NotChecked));
        let is_compared = status(&told, CheckName::Cluster) != Some(CheckStatus::NotChecked);
        assert_eq!(is_compared, policy.is_some());
        let contents = told.contents.unwrap();
        assert_eq!(contents.cluster_id.as_deref(), Some("c1"));
        assert_eq!(contents.access_key_id, Some(demo::user_key().id));
        assert_eq!(contents.user_agent.as_deref(), Some("test/1"));
        assert!(!contents.temporary);
    }
}

#[test]
fn of_a_broken_token_as_much_as_there_is_is_told() {
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
        let told = inspect(token, None, NOW);
        assert!(
            codes(&told).contains(&code) || codes(&told).contains(&"token_v1"),
            "{told:?}"
        );
        assert_eq!(told.contents.is_some(), reads_contents, "{told:?}");
        assert_eq!(told.undecoded.is_some(), !reads_contents, "{told:?}");
        assert!(!format!("{told:?}").contains("CANARY"), "{told:?}");
    }
    let contents = inspect(&url_safe, None, NOW).contents.unwrap();
    assert!(contents.temporary);
    assert_eq!(contents.date, Some(NOW));
}

#[test]
fn tokens_of_others_are_named() {
    for (token, kind) in [
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", TokenKind::Jwt),
        ("k8s-aws-v1.aHR0cHM6Ly8", TokenKind::AwsIamAuthenticator),
        ("k8s-ack-v3.e30=", TokenKind::UnknownVersion),
        ("k8s-ack-v2.e30=", TokenKind::TokenV2),
        ("k8s-ack-v1.e30=", TokenKind::TokenV1),
        ("abc", TokenKind::Unknown),
        ("", TokenKind::Unknown),
    ] {
        let told = inspect(token, None, NOW);
        assert_eq!(told.kind, kind);
        assert!(!told.passes, "{told:?}");
        let is_ours = token.starts_with("k8s-ack-");
        assert_eq!(told.fingerprint.is_some(), is_ours, "{token}");
        assert_eq!(codes(&told).contains(&"not_ours"), !is_ours, "{told:?}");
    }
    let endless = format!("k8s-ack-v2.{}", "A".repeat(100_000));
    let told = inspect(&endless, None, NOW);
    assert_eq!(codes(&told), ["token_too_large"]);
}

#[test]
fn what_a_token_says_cannot_trick_a_terminal() {
    let json = "{\"query\":{\"ACKClusterId\":\"c\\u001b[31m\",\"\\u0007\":\"x\"},\"method\":\"\\u202e\",\"headers\":{\"user-agent\":\"a\\nb\"}}";
    let told = inspect(&format!("k8s-ack-v2.{}", STANDARD.encode(json)), None, NOW);
    let contents = told.contents.clone().unwrap();
    let texts = [contents.cluster_id, contents.method, contents.user_agent];
    for text in texts
        .into_iter()
        .map(Option::unwrap)
        .chain(contents.query_keys)
    {
        assert!(text.chars().all(|c| c.is_ascii_graphic()), "{text:?}");
    }
    for reason in told.checks.into_iter().filter_map(|check| check.reason) {
        assert!(!reason.contains('\u{1b}'), "{reason:?}");
    }
}
