use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::sign::AccessKey;

use super::*;
use crate::resolve::variables::{SECRETS, SECURITY_TOKENS};

/// A multiple of two minutes.
const NOW: UnixTime = UnixTime::from_seconds(1_780_000_080);

fn key(seconds: Option<i64>) -> Obtained {
    Obtained {
        key: AccessKey {
            id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeSecret1"),
            security_token: seconds.map(|_| Secret::new("FakeToken1")),
        },
        expires: seconds.map(|seconds| NOW.plus_seconds(seconds)),
        session_name: None,
    }
}

fn sign_at(key: &Obtained, date: TokenDate, after: i64) -> Result<SignedToken, ClientError> {
    let cluster = ClusterId::parse("c1").unwrap();
    sign(key, &cluster, "agent", &[], date, NOW.plus_seconds(after))
}

#[test]
fn tokens_of_two_minutes_are_equal() {
    assert_eq!(NOW.seconds() % DATE_STEP_SECONDS, 0);
    for key in [key(None), key(Some(3600))] {
        let token = |after| sign_at(&key, TokenDate::Shared, after).unwrap();
        let first = token(0);
        for (after, is_equal) in [(1, true), (119, true), (120, false), (-1, false)] {
            let other = token(after);
            assert_eq!(other.token == first.token, is_equal, "{after}");
            assert_eq!(other.expires == first.expires, is_equal, "{after}");
        }
        let exact = |after| sign_at(&key, TokenDate::Exact, after).unwrap();
        assert_eq!(exact(0).token, first.token);
        assert_ne!(exact(1).token, first.token);
    }
}

#[test]
fn token_ends_ten_minutes_after_its_date_and_a_minute_before_the_key() {
    for (key_end, after, shared, exact) in [
        (None, 0, Some(600), Some(600)),
        (None, 119, Some(600), Some(719)),
        (Some(3600), 119, Some(600), Some(719)),
        (Some(660), 0, Some(600), Some(600)),
        (Some(659), 0, Some(599), Some(599)),
        (Some(659), 30, Some(599), Some(599)),
        (Some(61), 0, Some(1), Some(1)),
        (Some(60), 0, None, None),
        (Some(0), 0, None, None),
        (Some(-1), 0, None, None),
        (Some(180), 119, Some(120), Some(120)),
        (Some(180), 120, None, None),
    ] {
        let key = key(key_end);
        for (date, expected) in [(TokenDate::Shared, shared), (TokenDate::Exact, exact)] {
            let expires = sign_at(&key, date, after).ok().map(|token| token.expires);
            let expected = expected.map(|seconds| NOW.plus_seconds(seconds));
            assert_eq!(expires, expected, "{key_end:?} {after} {date:?}");
        }
    }
}

#[test]
fn date_is_rounded_down_before_1970() {
    for (now, expected) in [
        (-1, -120),
        (-120, -120),
        (0, 0),
        (119, 0),
        (i64::MIN, i64::MIN),
    ] {
        let date = TokenDate::Shared.at(UnixTime::from_seconds(now));
        assert_eq!(date, UnixTime::from_seconds(expected));
    }
}

#[test]
fn extra_keys_are_those_with_the_prefix() {
    const PREFIX: (&str, &str) = ("ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX", "X_");
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Pairs<'_>, Option<Pairs<'_>>); 8] = [
        (&[("X_A", "1")], Some(&[])),
        (&[PREFIX], Some(&[])),
        (
            &[PREFIX, ("X_B", "2"), ("X_Ab_C", "1"), ("Y_D", "3")],
            Some(&[("ab_c", "1"), ("b", "2")]),
        ),
        (&[PREFIX, ("X_", "1"), ("X_A", ""), ("x_b", "1")], Some(&[])),
        (&[PREFIX, ("X_A", "1"), ("X_a", "2")], Some(&[("a", "2")])),
        (&[PREFIX, ("X_ACKCLUSTERID", "c2")], None),
        (&[PREFIX, ("X_ackclusterid", "c2")], None),
        (&[PREFIX, ("X_ACKCLUSTERID", "")], Some(&[])),
    ];
    for (variables, expected) in cases {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Environment = variables.iter().map(owned).collect();
        let found = extra_query(&environment).ok();
        let expected = expected.map(|pairs| pairs.iter().map(owned).collect::<Vec<_>>());
        assert_eq!(found, expected, "{variables:?}");
    }
}

/// A token is not encrypted, and its query is in the logs of servers.
#[test]
fn secret_is_not_an_extra_key() {
    let secrets = SECRETS.iter().chain(&SECURITY_TOKENS);
    let others = [
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "HTTPS_PROXY",
        "http_proxy",
        "all_proxy",
        "KUBERNETES_EXEC_INFO",
        "alibaba_cloud_access_key_secret",
    ];
    for name in secrets.chain(&others) {
        for length in [1, name.len() - 1] {
            let prefix = name.get(..length).unwrap();
            let variables = [
                ("ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX", prefix),
                (name, "CANARY"),
            ];
            let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let error = extra_query(&Environment::from_iter(owned)).unwrap_err();
            let error = ClientError::from(error);
            let text = format!("{error} {error:?}");
            assert!(text.contains(&format!("`{name}`")), "{text}");
            assert!(!text.contains("CANARY"), "{text}");
        }
    }
    // The ID of a key is no secret, and an empty variable has none.
    let harmless = [
        ("ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX", "ACCESS_KEY_"),
        ("ACCESS_KEY_ID", "LTAI5t1"),
        ("ACCESS_KEY_SECRET", ""),
    ];
    let owned = harmless.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let query = extra_query(&Environment::from_iter(owned)).unwrap();
    assert_eq!(query, [("id".to_owned(), "LTAI5t1".to_owned())]);
}

#[test]
fn extra_keys_are_signed_into_the_token() {
    let cluster = ClusterId::parse("c1").unwrap();
    let extra = [("a".to_owned(), "1".to_owned())];
    let with = sign(
        &key(None),
        &cluster,
        "agent",
        &extra,
        TokenDate::Shared,
        NOW,
    )
    .unwrap();
    let without = sign_at(&key(None), TokenDate::Shared, 0).unwrap();
    assert_ne!(with.token, without.token);
    assert_eq!(with.expires, without.expires);
}
