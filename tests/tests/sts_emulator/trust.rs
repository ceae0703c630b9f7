//! Trust policies, the parameters of sessions, chains of roles, and revocation.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Emulator, Fault, Principal, Role, demo};
use hyper::header::DATE;

use crate::client::{Call, PATIENCE, Reply, send};
use crate::sessions::key_in;

const OTHER_ACCOUNT: &str = "6543210987654321";
const OTHER_ROOT_ARN: &str = "acs:ram::6543210987654321:root";
const GUARDED_ARN: &str = "acs:ram::1234567890123456:role/guarded";
const POLICY: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":["*"]}]}"#;

fn guarded() -> Role {
    Role::new(demo::ACCOUNT, "guarded", "300000000000000009")
}

fn start(role: Role) -> Emulator {
    Emulator::builder().demo().role_with(role).start().unwrap()
}

/// Assumes the guarded role as the session `work`, with `more` parameters.
async fn assume(sts: &Emulator, key: &AccessKey, more: &[(&str, &str)]) -> Reply {
    let session = [("RoleArn", GUARDED_ARN), ("RoleSessionName", "work")];
    let parameters = [&session[..], more].concat();
    let nonce = sts.requests().len().to_string();
    let call = Call::acs3_in_query("AssumeRole", &parameters, key, &nonce, sts.now());
    send(sts, &call, PATIENCE).await.unwrap()
}

async fn identity(sts: &Emulator, key: &AccessKey) -> Reply {
    let call = Call::acs3("GetCallerIdentity", &[], key, sts.now());
    send(sts, &call, PATIENCE).await.unwrap()
}

fn outcome(reply: &Reply) -> (u16, String) {
    (reply.status, reply.text("Code"))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn caller_outside_the_trust_policy_is_refused() {
    let ok = || refused(200, "");
    let no = || refused(403, "NoPermission");
    for (trusted, user, stranger, session) in [
        (vec![demo::ROOT_ARN], ok(), ok(), ok()),
        (vec![demo::USER_ARN], ok(), no(), no()),
        (vec![demo::ROLE_ARN], no(), no(), ok()),
        (vec![demo::USER_ARN, demo::ROLE_ARN], ok(), no(), ok()),
        (vec![OTHER_ROOT_ARN], no(), no(), no()),
        (vec![demo::OIDC_PROVIDER_ARN], no(), no(), no()),
        (vec![], no(), no(), no()),
    ] {
        let sts = start(guarded().trusts(&trusted));
        for (key, expected) in [
            (demo::user_key(), user),
            (demo::stranger_key(), stranger),
            (demo::session_key(), session),
            (demo::root_key(), no()),
        ] {
            let reply = assume(&sts, &key, &[]).await;
            assert_eq!(outcome(&reply), expected, "{trusted:?} {}", key.id);
        }
    }
}

#[tokio::test]
async fn user_without_the_policy_assumes_no_role() {
    let key = AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeFrank0000001").unwrap(),
        ..demo::user_key()
    };
    let arn = "acs:ram::1234567890123456:user/frank";
    for trusted in [&[demo::ROOT_ARN][..], &[arn], &[]] {
        let sts = Emulator::builder()
            .demo()
            .user_without_policy(demo::ACCOUNT, "frank", "200000000000000003", key.clone())
            .role_with(guarded().trusts(trusted))
            .start()
            .unwrap();
        let reply = assume(&sts, &key, &[]).await;
        assert_eq!(outcome(&reply), refused(403, "NoPermission"), "{trusted:?}");
        let text = "You are not authorized to do this action. You should be authorized by RAM.";
        assert_eq!(reply.text("Message"), text, "{trusted:?}");
        // STS does not tell such a user which roles exist.
        let absent = ("RoleArn", "acs:ram::1234567890123456:role/absent");
        let parameters = [absent, ("RoleSessionName", "work")];
        let call = Call::acs3_in_query("AssumeRole", &parameters, &key, "absent", sts.now());
        let reply = send(&sts, &call, PATIENCE).await.unwrap();
        assert_eq!(outcome(&reply), refused(403, "NoPermission"), "{trusted:?}");
        assert_eq!(identity(&sts, &key).await.text("Arn"), arn);
    }
}

#[tokio::test]
async fn role_of_another_account_is_assumed_if_it_trusts_the_account() {
    let role = Role::new(OTHER_ACCOUNT, "guest", "1").trusts(&[demo::ROOT_ARN]);
    let sts = start(role);
    let arn = format!("acs:ram::{OTHER_ACCOUNT}:role/guest");
    let parameters = [("RoleArn", &*arn), ("RoleSessionName", "work")];
    let key = demo::user_key();
    let call = Call::acs3_in_query("AssumeRole", &parameters, &key, "n", sts.now());
    let reply = send(&sts, &call, PATIENCE).await.unwrap();
    let expected = format!("acs:ram::{OTHER_ACCOUNT}:assumed-role/guest/work");
    assert_eq!(reply.text("AssumedRoleUser.Arn"), expected);
}

#[tokio::test]
async fn wrong_external_id_is_refused() {
    let long = "a".repeat(1225);
    for (required, given, expected) in [
        (Some("id:1/a=b"), Some("id:1/a=b"), refused(200, "")),
        (Some("id:1/a=b"), Some("id:2"), refused(403, "NoPermission")),
        (Some("id:1/a=b"), None, refused(403, "NoPermission")),
        (None, Some("id:2"), refused(200, "")),
        (None, Some("a"), refused(400, "InvalidParameter.ExternalId")),
        (
            None,
            Some("a b"),
            refused(400, "InvalidParameter.ExternalId"),
        ),
        (
            None,
            Some(&long),
            refused(400, "InvalidParameter.ExternalId"),
        ),
    ] {
        let role = match required {
            Some(id) => guarded().requires_external_id(id),
            None => guarded(),
        };
        let more: Vec<_> = given.map(|id| ("ExternalId", id)).into_iter().collect();
        let reply = assume(&start(role), &demo::user_key(), &more).await;
        assert_eq!(outcome(&reply), expected, "{required:?} {given:?}");
    }
}

#[tokio::test]
async fn duration_beyond_the_maximum_of_the_role_is_refused() {
    for (maximum, given, lasts) in [
        (3600, None, Some(3600)),
        (3600, Some("900"), Some(900)),
        (3600, Some("3600"), Some(3600)),
        (3600, Some("899"), None),
        (3600, Some("3601"), None),
        (3600, Some("1h"), None),
        (3600, Some(""), None),
        (3600, Some("-900"), None),
        (43_200, None, Some(3600)),
        (43_200, Some("43200"), Some(43_200)),
        (43_200, Some("43201"), None),
    ] {
        let sts = start(guarded().max_session_seconds(maximum));
        let more: Vec<_> = given
            .map(|value| ("DurationSeconds", value))
            .into_iter()
            .collect();
        let reply = assume(&sts, &demo::user_key(), &more).await;
        let Some(seconds) = lasts else {
            let expected = refused(400, "InvalidParameter.DurationSeconds");
            assert_eq!(outcome(&reply), expected, "{maximum} {given:?}");
            continue;
        };
        let key = key_in(&reply);
        for (moved, expected) in [
            (seconds - 60, refused(200, "")),
            (60, refused(400, "InvalidSecurityToken.Expired")),
        ] {
            sts.advance(moved);
            assert_eq!(
                outcome(&identity(&sts, &key).await),
                expected,
                "{maximum} {given:?}"
            );
        }
    }
}

#[tokio::test]
async fn fixed_lifetime_ends_sessions_whatever_duration_is_requested() {
    let durations: [&[(&str, &str)]; 2] = [&[], &[("DurationSeconds", "900")]];
    for duration in durations {
        let sts = start(guarded().sessions_last(600));
        let key = key_in(&assume(&sts, &demo::user_key(), duration).await);
        assert_eq!(outcome(&identity(&sts, &key).await), refused(200, ""));
        sts.advance(600);
        let expired = refused(400, "InvalidSecurityToken.Expired");
        assert_eq!(outcome(&identity(&sts, &key).await), expired);
    }
}

#[tokio::test]
async fn policy_with_a_wrong_grammar_is_refused() {
    let long = POLICY.replace('*', &"*".repeat(2048));
    let grammar = || refused(400, "InvalidParameter.PolicyGrammar");
    for (policy, expected) in [
        (POLICY, refused(200, "")),
        ("", grammar()),
        ("{}", grammar()),
        ("[]", grammar()),
        ("not JSON", grammar()),
        (&POLICY.replace("\"1\"", "\"2012-10-17\""), grammar()),
        (&POLICY.replace("Allow", "Maybe"), grammar()),
        (&POLICY.replace("Action", "NoSuchMember"), grammar()),
        (&POLICY.replace("\"*\"", "1"), grammar()),
        (r#"{"Version":"1","Statement":[]}"#, grammar()),
        (&long, refused(400, "InvalidParameter.PolicySize")),
    ] {
        let more = [("Policy", policy)];
        let reply = assume(&start(guarded()), &demo::user_key(), &more).await;
        assert_eq!(outcome(&reply), expected, "{policy}");
    }
}

/// A request whose query was changed after it was signed is refused.
#[tokio::test]
async fn parameter_outside_the_signature_is_refused() {
    let sts = start(guarded());
    let parameters = [
        ("DurationSeconds", "900"),
        ("ExternalId", "a=b,c@d"),
        ("Policy", POLICY),
        ("RoleArn", GUARDED_ARN),
        ("RoleSessionName", "a.b@c-d_1"),
    ];
    let signed = |nonce: &str| {
        Call::acs3_in_query(
            "AssumeRole",
            &parameters,
            &demo::session_key(),
            nonce,
            sts.now(),
        )
    };
    for (nonce, from, to, expected) in [
        ("1", "=900", "=900", refused(200, "")),
        ("2", "=900", "=901", refused(400, "SignatureDoesNotMatch")),
        ("3", "guarded", "dev", refused(400, "SignatureDoesNotMatch")),
        ("4", "a.b", "b.b", refused(400, "SignatureDoesNotMatch")),
        (
            "5",
            "&Policy",
            "&More=1&Policy",
            refused(400, "SignatureDoesNotMatch"),
        ),
        ("1", "=900", "=900", refused(400, "SignatureNonceUsed")),
    ] {
        let reply = send(&sts, &signed(nonce).target(from, to), PATIENCE)
            .await
            .unwrap();
        assert_eq!(outcome(&reply), expected, "{from} {to}");
    }
}

#[tokio::test]
async fn chain_of_roles_ends_with_the_last_session() {
    let sts = start(guarded().trusts(&[demo::ROLE_ARN]));
    let first = [("RoleArn", demo::ROLE_ARN), ("RoleSessionName", "first")];
    let user = demo::user_key();
    let call = Call::acs3_in_query("AssumeRole", &first, &user, "first", sts.now());
    let source = key_in(&send(&sts, &call, PATIENCE).await.unwrap());
    let chained = key_in(&assume(&sts, &source, &[]).await);
    let arn = identity(&sts, &chained).await.text("Arn");
    assert_eq!(arn, "acs:ram::1234567890123456:assumed-role/guarded/work");

    sts.advance(3601);
    let expired = refused(400, "InvalidSecurityToken.Expired");
    assert_eq!(outcome(&assume(&sts, &source, &[]).await), expired);
    assert_eq!(outcome(&identity(&sts, &chained).await), expired);
}

#[tokio::test]
async fn revoked_session_is_refused_and_others_stay() {
    let sts = start(guarded());
    let session = "acs:ram::1234567890123456:assumed-role/guarded/work";
    let key = key_in(&assume(&sts, &demo::user_key(), &[]).await);
    assert_eq!(
        sts.revoke_sessions("acs:ram::1234567890123456:assumed-role/guarded/x"),
        0
    );
    assert_eq!(identity(&sts, &key).await.status, 200);
    assert_eq!(sts.revoke_sessions(session), 1);
    let expired = refused(400, "InvalidSecurityToken.Expired");
    assert_eq!(outcome(&identity(&sts, &key).await), expired);

    let new = key_in(&assume(&sts, &demo::user_key(), &[]).await);
    assert_eq!(identity(&sts, &new).await.status, 200);
    assert_eq!(sts.revoke_sessions(GUARDED_ARN), 2);
    assert_eq!(outcome(&identity(&sts, &new).await), expired);
    assert_eq!(identity(&sts, &demo::session_key()).await.status, 200);
    assert_eq!(identity(&sts, &demo::user_key()).await.status, 200);
}

#[tokio::test]
async fn key_of_an_issuer_is_valid_until_its_end() {
    let sts = Emulator::builder().demo().start().unwrap();
    let owner = Principal::AssumedRole {
        account: demo::ACCOUNT.to_owned(),
        role: "ecs".to_owned(),
        role_id: "1".to_owned(),
        session: "i-1".to_owned(),
    };
    let issuer = sts.key_issuer(owner);
    let key = issuer.clone().lasting(900).issue();
    assert_ne!(key.key.id, issuer.issue().key.id);
    assert_eq!(key.to_json()["Expiration"], key.expires.to_string());
    let arn = "acs:ram::1234567890123456:assumed-role/ecs/i-1";
    assert_eq!(identity(&sts, &key.key).await.text("Arn"), arn);
    let ended = issuer.lasting(-1).issue();
    let expired = refused(400, "InvalidSecurityToken.Expired");
    assert_eq!(outcome(&identity(&sts, &ended.key).await), expired);
    sts.set_now(key.expires);
    assert_eq!(outcome(&identity(&sts, &key.key).await), expired);
}

#[tokio::test]
async fn next_calls_of_an_action_are_throttled_and_counted() {
    let sts = start(guarded());
    sts.fault_next_of_action("AssumeRole", 2, Fault::ThrottleUser);
    let user = demo::user_key();
    for expected in [
        refused(400, "Throttling.User"),
        refused(400, "Throttling.User"),
        refused(200, ""),
    ] {
        assert_eq!(identity(&sts, &user).await.status, 200);
        assert_eq!(outcome(&assume(&sts, &user, &[]).await), expected);
    }
    assert_eq!(
        (sts.count("AssumeRole"), sts.count("GetCallerIdentity")),
        (3, 3)
    );
    assert_eq!(sts.count("AssumeRoleWithOIDC"), 0);
}

/// Clients tell by the date of the reply how far their clock is off.
#[tokio::test]
async fn reply_to_a_wrong_clock_has_the_date_of_sts() {
    let sts = start(guarded());
    let call = Call::acs3("GetCallerIdentity", &[], &demo::user_key(), sts.now());
    let time = ack_ram_core::time::UnixTime::parse("2033-05-18T03:33:20Z").unwrap();
    sts.set_now(time);
    let reply = send(&sts, &call, PATIENCE).await.unwrap();
    assert_eq!(outcome(&reply), refused(400, "InvalidTimeStamp.Expired"));
    let date = reply.headers[DATE].to_str().unwrap();
    assert!(date.starts_with("Wed, 18 May 2033 03:3"), "{date}");
}
