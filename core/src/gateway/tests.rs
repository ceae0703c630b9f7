mod texts;

use super::*;
use crate::decision::{Denial, Unavailable};
use crate::fingerprint::Fingerprint;
use crate::rules::{Backend, Explanation, RulesRefusal, RulesUnavailable};
use crate::sts::StsUnavailable;

fn user(username: &str, groups: &[&str]) -> KubernetesUser {
    KubernetesUser {
        username: username.to_owned(),
        uid: "ack-ram-authenticator:1:2".to_owned(),
        groups: groups.iter().map(ToString::to_string).collect(),
        extra: vec![
            ("arn", "acs:ram::1:user/alice".to_owned()),
            ("canonicalArn", "acs:ram::1:user/alice".to_owned()),
            ("sessionName", String::new()),
        ],
    }
}

fn decision(outcome: Outcome) -> Decision {
    Decision {
        outcome,
        explanation: Explanation {
            fingerprint: Some(Fingerprint::from_text("token")),
            ..Explanation::default()
        },
    }
}

#[test]
fn bearer_requires_exactly_one_token() {
    use BearerError::{Malformed, Missing, Multiple};
    for (values, authorization, own_header) in [
        // HTTP clients cannot send these values. `tests/vectors/gateway.json` contains the values that they can send.
        (&[" Bearer abc\t"][..], Ok("abc"), Ok("abc")),
        (&["Bearer "], Err(Missing), Err(Missing)),
        (&["Bearer a\u{e9}"], Ok("a\u{e9}"), Ok("a\u{e9}")),
        (&["Bearer a, Bearer b"], Err(Multiple), Err(Multiple)),
    ] {
        for (is_authorization, expected) in [(true, authorization), (false, own_header)] {
            let found = extract_bearer(
                values.iter().map(|value| value.as_bytes()),
                is_authorization,
            );
            let found = found.as_ref().map(|token| token.expose());
            assert_eq!(found, expected.as_ref().copied(), "{values:?}");
        }
    }
    assert_eq!(extract_bearer([&b"Bearer \xff"[..]], true), Err(Malformed));
}

#[test]
fn token_header_with_reserved_name_is_rejected() {
    for (name, taken) in [
        ("Authorization", Some("authorization")),
        ("X-Ram-Token", Some("x-ram-token")),
        ("cookie", None),
        ("Host", None),
        ("content-length", None),
        ("", None),
        (":path", None),
        ("x_token", None),
        ("x-token\r\n", None),
    ] {
        let header = TokenHeader::new(name);
        assert_eq!(header.as_ref().ok().map(TokenHeader::as_str), taken);
    }
    for (header, value, token) in [
        (TokenHeader::default(), "abc", None),
        (TokenHeader::default(), "Bearer abc", Some("abc")),
        (TokenHeader::new("X-T").unwrap(), "abc", Some("abc")),
    ] {
        let found = header.extract_token([value.as_bytes()]).ok();
        assert_eq!(found.as_ref().map(|found| found.expose()), token, "{value}");
    }
}

#[test]
fn joined_groups_share_one_header() {
    let joined_groups = |groups: &[&str]| {
        let headers = IdentityHeaders::default().with_joined_groups(true);
        let headers = headers.for_user(&user("alice", groups))?;
        let groups = headers
            .into_iter()
            .filter(|(name, _)| name == "x-remote-group");
        Ok(groups.map(|(_, value)| value).collect::<Vec<_>>())
    };
    assert_eq!(joined_groups(&[]), Ok(vec![]));
    assert_eq!(joined_groups(&["dev"]), Ok(vec!["dev".to_owned()]));
    assert_eq!(
        joined_groups(&["dev", "ops team"]),
        Ok(vec!["dev,ops team".to_owned()])
    );
    assert_eq!(
        joined_groups(&["dev", "a,b"]),
        Err(HeaderValueError::CommaInGroup)
    );
    assert_eq!(
        joined_groups(&["dev", ""]),
        Err(HeaderValueError::InvalidCharacter)
    );
    assert_eq!(
        joined_groups(&["dev", " ops"]),
        Err(HeaderValueError::OuterSpace)
    );
}

#[test]
fn identity_header_in_request_is_forbidden() {
    let named = IdentityHeaders::new("X-User", "x-g", "x-i", "x-e-").unwrap();
    let refusal = Refusal::identity_header_present(&named);
    assert_eq!(refusal.kind(), RefusalKind::Forbidden);
    assert!(
        refusal
            .message()
            .contains("such as `x-user`; send the request without it")
    );
}

#[test]
fn unset_identity_headers_are_listed() {
    let headers = IdentityHeaders::new("x-u", "x-g", "x-i", "x-e-").unwrap();
    for (user, expected) in [
        (user("alice", &["dev"]), "x-e-sessionname"),
        (user("alice", &[]), "x-g x-e-sessionname"),
        (
            KubernetesUser {
                extra: Vec::new(),
                ..user("alice", &["dev"])
            },
            "x-e-arn x-e-canonicalarn x-e-sessionname",
        ),
    ] {
        let set = headers.for_user(&user).unwrap();
        let names: Vec<_> = headers.unset(&set).collect();
        assert_eq!(names.join(" "), expected);
    }
}

#[test]
fn alternate_spellings_match_cgi_variables() {
    let headers = IdentityHeaders::new("x-u", "x-g-h", "x-i", "x-e-").unwrap();
    let spellings: Vec<_> = headers.alternate_spellings().collect();
    let expected = [
        "x_u",
        "x_g-h",
        "x-g_h",
        "x_g_h",
        "x_i",
        "x_e-arn",
        "x-e_arn",
        "x_e_arn",
        "x_e-canonicalarn",
        "x-e_canonicalarn",
        "x_e_canonicalarn",
        "x_e-sessionname",
        "x-e_sessionname",
        "x_e_sessionname",
    ];
    assert_eq!(spellings, expected);
    assert!(
        spellings
            .iter()
            .all(|name| headers.is_identity_header(name))
    );
    // Only the first four dashes vary.
    let long = "x-a-b-c-d-e-f-g-h-i-j-k";
    let headers = IdentityHeaders::new(long, "x-g", "x-i", "x-e-").unwrap();
    let spellings = headers.alternate_spellings();
    assert_eq!(spellings.filter(|name| name.ends_with("-k")).count(), 15);
    assert_eq!(IdentityHeaders::default().alternate_spellings().count(), 30);
}

#[test]
fn granted_user_becomes_identity_headers() {
    let gateway = Gateway::default();
    let granted = decision(Outcome::Granted(user("alice", &["dev", "ops team"])));
    let admitted = gateway.admit(&granted).unwrap();
    let headers: Vec<_> = admitted
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        headers,
        [
            "x-remote-user: alice",
            "x-remote-uid: ack-ram-authenticator:1:2",
            "x-remote-group: dev",
            "x-remote-group: ops team",
            "x-remote-extra-arn: acs:ram::1:user/alice",
            "x-remote-extra-canonicalarn: acs:ram::1:user/alice",
        ]
    );
}

#[test]
fn user_that_headers_cannot_carry_is_forbidden() {
    let gateway = Gateway::default();
    for (username, group, part) in [
        (" admin", "dev", "space"),
        ("admin ", "dev", "space"),
        ("admin\u{a0}", "dev", "space"),
        ("alice", " system:masters", "space"),
        ("alice", "dev,system:masters", "comma"),
        ("a\nb", "dev", "character"),
        ("a\0b", "dev", "character"),
        ("a\u{85}b", "dev", "character"),
        ("alice", "", "character"),
    ] {
        let granted = decision(Outcome::Granted(user(username, &[group])));
        let refusal = gateway.admit(&granted).unwrap_err();
        assert_eq!(refusal.kind(), RefusalKind::Forbidden, "{username:?}");
        assert!(refusal.message().contains(part), "{refusal:?}");
    }
}

#[test]
fn user_outside_required_groups_is_forbidden() {
    let gateway = |groups: &[&str]| Gateway {
        required_groups: groups.iter().map(ToString::to_string).collect(),
        ..Gateway::default()
    };
    let granted = decision(Outcome::Granted(user("alice", &["dev"])));
    for (required, passes) in [
        (&[][..], true),
        (&["dev"], true),
        (&["ops", "dev"], true),
        (&["ops"], false),
        (&["Dev"], false),
        (&["de"], false),
    ] {
        assert_eq!(
            gateway(required).admit(&granted).is_ok(),
            passes,
            "{required:?}"
        );
    }
}

#[test]
fn refusal_states_reason_status_and_reference() {
    let gateway = Gateway {
        required_groups: vec!["ops".to_owned()],
        ..Gateway::default()
    };
    let reference = Fingerprint::from_text("token");
    let unmapped = "the identity is not mapped to a Kubernetes user; ask an administrator of the cluster to map it";
    let stale = "the mappings of the backend CRD have not been confirmed for longer than `server.maxStaleness`; ask an administrator of the cluster to check why the authenticator cannot read them, and try again";
    let not_loaded = "the mappings of the backend CRD are not loaded yet; try again in a moment";
    let broken = "the mappings of the backend CRD are invalid; ask an administrator of the cluster to correct them";
    for (outcome, status, grpc, challenge, detail) in [
        (
            Outcome::Unavailable(Unavailable::Rules(RulesUnavailable::Broken(Backend::Crd))),
            503,
            14,
            "",
            broken,
        ),
        (
            Outcome::UnrecognizedToken,
            401,
            16,
            "invalid_token",
            "tokens of this type are not accepted here",
        ),
        (
            Outcome::Denied(Denial::Rules(RulesRefusal::NotMapped)),
            401,
            16,
            "invalid_token",
            unmapped,
        ),
        (
            Outcome::Granted(user("alice", &["dev"])),
            403,
            7,
            "insufficient_scope",
            "you are logged in, but not in any of the required groups; ask an administrator for access",
        ),
        (
            Outcome::Unavailable(Unavailable::Rules(RulesUnavailable::NotReady(Backend::Crd))),
            503,
            14,
            "",
            not_loaded,
        ),
        (
            Outcome::Unavailable(Unavailable::Rules(RulesUnavailable::Stale(Backend::Crd))),
            503,
            14,
            "",
            stale,
        ),
    ] {
        let refusal = gateway.admit(&decision(outcome)).map(|_| ()).unwrap_err();
        assert_eq!(refusal.kind().status(), status);
        assert_eq!(refusal.kind().grpc_status(), grpc);
        let expected = format!(
            r#"Bearer error="{challenge}", error_description="{detail} (reference {reference})""#
        );
        let expected = (!challenge.is_empty()).then_some(expected);
        assert_eq!(refusal.challenge(), expected);
        let problem: serde_json::Value = serde_json::from_slice(&refusal.problem()).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["detail"], detail);
        assert_eq!(problem["reference"], reference.to_string());
        let has = |wanted| refusal.headers().iter().any(|(name, _)| *name == wanted);
        assert_eq!(has("retry-after"), status == 503);
        assert_eq!(has("www-authenticate"), status != 503);
    }
    let custom_header = TokenHeader::new("X-Ram-Token").unwrap();
    let custom = Refusal::from_bearer_error(BearerError::Missing, &custom_header);
    assert_eq!(
        custom.detail(),
        "there is no token; send one as `x-ram-token: <token>`"
    );
    let none = Refusal::from_bearer_error(BearerError::Missing, &TokenHeader::default());
    assert_eq!(none.challenge().as_deref(), Some("Bearer"));
    assert_eq!(
        Refusal::from_bearer_error(BearerError::Multiple, &TokenHeader::default())
            .kind()
            .status(),
        401
    );
}

#[test]
fn retry_after_equals_time_in_text() {
    let throttled = StsUnavailable::Throttled {
        code: "Throttling.User".into(),
        request_id: "r".into(),
    };
    for reason in [
        Unavailable::Sts(StsUnavailable::Unreachable),
        Unavailable::Sts(StsUnavailable::TimedOut),
        Unavailable::Sts(throttled),
        Unavailable::Sts(StsUnavailable::Failing { status: 502 }),
        Unavailable::Overloaded,
        Unavailable::Rules(RulesUnavailable::NotReady(Backend::Crd)),
        Unavailable::Rules(RulesUnavailable::Stale(Backend::Crd)),
        Unavailable::Internal,
    ] {
        let decision = decision(Outcome::Unavailable(reason));
        let refusal = Gateway::default().admit(&decision).map(|_| ()).unwrap_err();
        let seconds = match refusal.detail() {
            detail if detail.contains("in a minute") => 60,
            // The text says "in a moment" or names no time.
            _ => 1,
        };
        assert_eq!(refusal.retry_after_seconds(), seconds, "{refusal:?}");
        let header = ("retry-after", seconds.to_string());
        assert!(refusal.headers().contains(&header), "{refusal:?}");
    }
}

#[test]
fn challenge_is_one_line_of_ascii() {
    let gateway = Gateway::default();
    let message = "no \"admins\"\r\nset-cookie: a=b; caf\u{e9} \\";
    let denied = decision(Outcome::Denied(Denial::Rules(RulesRefusal::Validation(
        message.into(),
    ))));
    let challenge = gateway.admit(&denied).unwrap_err().challenge().unwrap();
    assert!(challenge.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(challenge.matches('"').count(), 4, "{challenge}");
}

#[test]
fn identity_header_spellings_are_recognized() {
    let headers = IdentityHeaders::default();
    for (name, expected) in [
        ("x-remote-user", true),
        ("X-Remote-User", true),
        ("x_remote_user", true),
        ("X_Remote-Group", true),
        ("x.remote.user", true),
        ("X~Remote_Extra|Arn", true),
        ("x-remote-uid", true),
        ("x-remote-extra-", true),
        ("x_remote_extra_scopes", true),
        ("x-remote-username", false),
        ("x-remote", false),
        ("authorization", false),
        ("x-remote-us\u{212a}r", false),
    ] {
        assert_eq!(headers.is_identity_header(name), expected, "{name}");
    }
}

#[test]
fn custom_header_names_are_valid_and_distinct() {
    let named = IdentityHeaders::new("X-User", "X-Groups", "X-Id", "X-Extra-").unwrap();
    assert!(named.is_identity_header("x_user") && named.is_identity_header("x-extra-arn"));
    assert!(!named.is_identity_header("x-remote-user"));
    for names in [
        ["authorization", "x-g", "x-i", "x-e-"],
        ["host", "x-g", "x-i", "x-e-"],
        [":path", "x-g", "x-i", "x-e-"],
        ["x-", "x-g", "x-i", "x-e-"],
        ["", "x-g", "x-i", "x-e-"],
        ["x_user", "x-g", "x-i", "x-e-"],
        ["x-user\r\n", "x-g", "x-i", "x-e-"],
        ["x-u", "x-u", "x-i", "x-e-"],
        ["x-u", "x-g", "X-U", "x-e-"],
        ["x-u", "x-g", "x-g", "x-e-"],
        ["x-e-user", "x-g", "x-i", "x-e-"],
        ["x-u", "x-g", "x-i", ""],
    ] {
        let [user, group, uid, extra] = names;
        assert!(
            IdentityHeaders::new(user, group, uid, extra).is_err(),
            "{names:?}"
        );
    }
}
