//! The target for tokens of both versions.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::sts::StsRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{NOW, check_decision_output};

/// The cluster ID of the seeds.
const CLUSTER_ID: &str = "c0123456789abcdef0123456789abcdef";

/// Parses the input as `1:` and the URL of a token v1, as `2:` and the JSON of a token v2, or as a whole token.
pub fn token(input: &[u8]) {
    let token = match input {
        [version @ (b'1' | b'2'), b':', payload @ ..] => {
            let version = char::from(*version);
            format!("k8s-ack-v{version}.{}", STANDARD.encode(payload))
        }
        text => String::from_utf8_lossy(text).into_owned(),
    };
    let strict = TokenPolicy::new(ClusterId::parse(CLUSTER_ID).unwrap());
    let lenient = TokenPolicy {
        accept_v1: true,
        extra_query_keys: ["x".to_owned(), "team".to_owned()].into(),
        ..strict.clone()
    };
    let by_strict = check_token(&token, &strict);
    let by_lenient = check_token(&token, &lenient);
    if let Some(request) = by_strict {
        assert_eq!(
            Some(request),
            by_lenient,
            "the lenient policy must accept what the strict policy accepts"
        );
    }
}

/// Checks the result for `token`. Returns the request to STS, if there is one.
fn check_token(token: &str, policy: &TokenPolicy) -> Option<SentRequest> {
    match begin(token, policy, NOW) {
        Step::CallSts(awaiting) => {
            assert_eq!(awaiting.fingerprint(), Fingerprint::from_text(token));
            assert!(
                awaiting.expires() > NOW.plus_seconds(-300),
                "the token has expired"
            );
            Some(check_request(awaiting.request()))
        }
        Step::Decided(decision) => {
            assert_eq!(
                decision.code() == "not_ours",
                !token.starts_with("k8s-ack-")
            );
            check_decision_output(&decision);
            None
        }
    }
}

type SentRequest = (String, Vec<(&'static str, String)>);

fn check_request(request: &StsRequest) -> SentRequest {
    let target = request.path_and_query().expose();
    match request.method() {
        "POST" => assert!(
            target.starts_with(&format!("/?ACKClusterId={CLUSTER_ID}")),
            "{target}"
        ),
        "GET" => assert!(target.starts_with("/?AccessKeyId="), "{target}"),
        other => panic!("`{other}`"),
    }
    let is_escaped = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%=&".contains(&byte);
    assert!(target["/?".len()..].bytes().all(is_escaped), "{target}");
    let headers = request.headers().map(|(name, value)| {
        let value = value.expose();
        let is_one_line = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(is_one_line, "{name}: {value:?}");
        (name, value.to_owned())
    });
    (target.to_owned(), headers.collect())
}
