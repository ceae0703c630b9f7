use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::arn::Arn;
use crate::cluster_id::ClusterId;
use crate::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
use crate::sign::{self, AccessKey};

const NOW: UnixTime = UnixTime::from_seconds(1_780_000_000);
const KEY_ID: &str = "LTAI5tFakeAccessKeyId001";

fn policy() -> TokenPolicy {
    TokenPolicy {
        accept_v1: true,
        ..TokenPolicy::new(ClusterId::parse("c1").unwrap())
    }
}

fn token_v2(security_token: Option<&str>) -> String {
    let key = AccessKey {
        id: AccessKeyId::parse(KEY_ID).unwrap(),
        secret: Secret::new("secret"),
        security_token: security_token.map(Secret::new),
    };
    let token = sign::sign_token_v2(&key, &policy().cluster_id, "test", NOW);
    token.unwrap().expose().to_owned()
}

fn token_v1() -> String {
    let url = format!(
        "https://sts.aliyuncs.com/?Action=GetCallerIdentity&Format=JSON&SignatureMethod=HMAC-SHA1\
         &SignatureVersion=1.0&Version=2015-04-01&AccessKeyId={KEY_ID}&ClusterId=c1&Signature=s\
         &SignatureNonce=n&Timestamp={NOW}"
    );
    format!("k8s-ack-v1.{}", STANDARD.encode(url))
}

fn begin_login(token: &str) -> AwaitingSts {
    match begin(token, &policy(), NOW) {
        Step::CallSts(awaiting) => awaiting,
        Step::Decided(decision) => panic!("{decision:?}"),
    }
}

const ALICE: StsReply<'static> = StsReply::Response {
    status: 200,
    body: br#"{"IdentityType":"RAMUser","AccountId":"1","PrincipalId":"200","Arn":"acs:ram::1:user/alice"}"#,
};

#[test]
fn reply_later_than_clock_margin_after_expiry_is_unavailable() {
    for (seconds, is_late) in [
        (-1, false),
        (0, false),
        (CLOCK_MARGIN_SECONDS - 1, false),
        (CLOCK_MARGIN_SECONDS, false),
        (CLOCK_MARGIN_SECONDS + 1, true),
        (10 * CLOCK_MARGIN_SECONDS, true),
    ] {
        let awaiting = begin_login(&token_v2(None));
        let expired = awaiting.expires();
        let late = StsError::Unavailable(StsUnavailable::ExpiredInFlight { expired });
        let error = awaiting.resume(ALICE, expired.plus_seconds(seconds)).err();
        assert_eq!(error, is_late.then_some(late), "{seconds} s after expiry");
    }
}

#[test]
fn token_version_determines_method_and_resend() {
    let describe = |token: &str| {
        let awaiting = begin_login(token);
        assert_eq!(awaiting.fingerprint(), Fingerprint::from_text(token));
        assert_eq!(awaiting.expires(), NOW.plus_seconds(STS_WINDOW_SECONDS));
        assert_eq!(awaiting.access_key_id().as_str(), KEY_ID);
        let request = awaiting.request();
        (request.method(), request.may_be_resent())
    };
    assert_eq!(describe(&token_v2(None)), ("POST", true));
    assert_eq!(describe(&token_v1()), ("GET", false));
}

#[test]
fn credential_of_temporary_key_depends_on_its_security_token() {
    let credential = |token: Option<&str>| begin_login(&token_v2(token)).credential_id();
    assert_eq!(credential(None), credential(None));
    assert_eq!(credential(Some("a")), credential(Some("a")));
    assert_ne!(credential(Some("a")), credential(Some("b")));
    assert_ne!(credential(Some("a")), credential(None));
}

#[test]
fn verified_identity_combines_reply_and_token() {
    let token = token_v2(None);
    let awaiting = begin_login(&token);
    let verified = awaiting.resume(ALICE, NOW).unwrap();
    assert_eq!(verified.fingerprint(), Fingerprint::from_text(&token));
    assert_eq!(verified.expires(), NOW.plus_seconds(STS_WINDOW_SECONDS));
    let Identity {
        arn,
        user_id,
        access_key_id,
    } = verified.identity();
    assert_eq!(*arn, Arn::parse("acs:ram::1:user/alice").unwrap());
    assert_eq!((&**user_id, access_key_id.as_str()), ("200", KEY_ID));

    let source = Source {
        backend: Backend::Crd,
        position: "alice".to_owned(),
    };
    let mapping = Mapping::for_arn(
        source,
        Precedence::ListIndex(0),
        "acs:ram::1:user/alice",
        "a",
        vec![],
    );
    let mut rules = BackendRules::new(Backend::Crd);
    rules.apply(Rule::compile(mapping).unwrap());
    let decision = verified.decide(&RuleSet::new(vec![rules], []));
    assert_eq!(decision.code(), "granted");
    assert_eq!(
        decision.explanation.fingerprint,
        Some(Fingerprint::from_text(&token))
    );
}

#[test]
fn token_without_family_prefix_is_unrecognized() {
    for token in [
        "",
        "k8s-ack",
        "k8s-aws-v1.x",
        " k8s-ack-v2.x",
        "K8S-ACK-V2.x",
    ] {
        assert!(RecognizedToken::recognize(token).is_none(), "{token}");
        let Step::Decided(decision) = begin(token, &policy(), NOW) else {
            panic!("{token}");
        };
        assert_eq!(decision.code(), "not_ours", "{token}");
    }
    for token in ["k8s-ack-", "k8s-ack-v9.x"] {
        let recognized = RecognizedToken::recognize(token).unwrap();
        assert_eq!(recognized.fingerprint(), Fingerprint::from_text(token));
    }
}

#[test]
fn token_longer_than_byte_limit_is_refused() {
    let token = token_v2(None);
    let bytes = token.len();
    for (limit, is_refused) in [(bytes - 1, true), (bytes, false), (bytes + 1, false)] {
        let policy = TokenPolicy {
            max_token_bytes: limit,
            ..policy()
        };
        match begin(&token, &policy, NOW) {
            Step::CallSts(_) => assert!(!is_refused, "{limit}"),
            Step::Decided(decision) => {
                assert!(is_refused, "{limit}");
                assert_eq!(decision.code(), "token_too_large");
            }
        }
    }
}

#[test]
fn date_outside_window_and_margin_is_refused() {
    let limit = STS_WINDOW_SECONDS + CLOCK_MARGIN_SECONDS;
    assert_eq!((STS_WINDOW_SECONDS, CLOCK_MARGIN_SECONDS), (900, 300));
    let token = token_v2(None);
    for (age, code) in [
        (0, None),
        (limit, None),
        (-limit, None),
        (limit + 1, Some("token_expired")),
        (-limit - 1, Some("token_not_yet_valid")),
    ] {
        let found = match begin(&token, &policy(), NOW.plus_seconds(age)) {
            Step::CallSts(_) => None,
            Step::Decided(decision) => Some(decision.code()),
        };
        assert_eq!(found, code, "{age} s old");
    }
}
