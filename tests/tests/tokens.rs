//! Valid and hostile tokens: `tests/vectors/tokens.json` contains tokens with their expected results.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::vectors::{self, SentRequest, TokenCase};

#[test]
fn token_vectors_get_expected_decisions_or_requests() {
    let tokens = vectors::tokens();
    for case in &tokens.cases {
        check(case, &tokens.policy(case));
    }
}

fn check(case: &TokenCase, policy: &TokenPolicy) {
    let name = &case.name;
    let token = case.token();
    let now = UnixTime::parse(&case.now).unwrap();
    match begin(&token, policy, now) {
        Step::CallSts(awaiting) => {
            let sent = awaiting.request();
            let request = SentRequest {
                method: sent.method().to_owned(),
                path_and_query: sent.path_and_query().expose().to_owned(),
                headers: sent
                    .headers()
                    .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
                    .collect(),
            };
            assert_eq!(Some(&request), case.request.as_ref(), "{name}");
            assert_eq!(
                awaiting.fingerprint(),
                Fingerprint::from_text(&token),
                "{name}"
            );
        }
        Step::Decided(decision) => {
            assert_eq!(Some(decision.code()), case.code.as_deref(), "{name}");
            let message = decision.public_message();
            if let Some(expected) = &case.message {
                let expected = expected.replace("REF", &Fingerprint::from_text(&token).to_string());
                assert_eq!(message.as_ref(), Some(&expected), "{name}");
            }
            let output = format!("{message:?} {decision:?}");
            for secret in ["3c383615ea763091", "rd6GHZQn", "CAIS"] {
                assert!(!output.contains(secret), "{name}: a secret in {output}");
            }
        }
    }
}

#[test]
fn length_limit_covers_the_whole_token() {
    let policy = TokenPolicy::new(ClusterId::parse("c1").unwrap());
    let now = UnixTime::from_seconds(0);
    for (bytes, code) in [
        (16 * 1024, "token_base64"),
        (16 * 1024 + 1, "token_too_large"),
    ] {
        let token = format!("{:-<bytes$}", "k8s-ack-v2.");
        let Step::Decided(decision) = begin(&token, &policy, now) else {
            panic!("a token over the size limit was accepted");
        };
        assert_eq!(decision.code(), code);
    }
}
