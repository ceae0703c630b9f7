//! No input causes a panic, and every refusal has a reason without any part of a token.

use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::review::{self, ReviewVersion, TokenReview};
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, MappingSpec, Precedence, Rule, Source, WildcardMode,
};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::option;
use proptest::prelude::*;

use crate::inputs::{NOW, awaiting_sts, cluster_id};
use crate::{CASES, cases};

proptest! {
    #![proptest_config(cases(4 * CASES))]

    #[test]
    fn arbitrary_tokens_never_panic(token in token(), cluster_id in cluster_id(), accept_v1 in any::<bool>(), seconds in any::<i64>()) {
        let policy = TokenPolicy { accept_v1, ..TokenPolicy::new(cluster_id) };
        if let Step::Decided(decision) = begin(&token, &policy, UnixTime::from_seconds(seconds)) {
            let is_ours = token.starts_with("k8s-ack-");
            prop_assert_eq!(decision.code() == "not_ours", !is_ours);
            prop_assert_eq!(decision.public_message().is_some(), is_ours);
            let answer = review::render_decision(ReviewVersion::V1, &decision);
            prop_assert_eq!(answer.status, 200);
        }
    }

    #[test]
    fn arbitrary_sts_replies_never_panic(status in prop_oneof![Just(200), Just(400), any::<u16>()], body in reply()) {
        let awaiting = awaiting_sts();
        let fingerprint = awaiting.fingerprint();
        let reply = StsReply::Response { status, body: &body };
        match awaiting.resume(reply, NOW) {
            Ok(verified) => {
                prop_assert_eq!(status, 200);
                prop_assert_eq!(verified.fingerprint(), fingerprint);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn arbitrary_token_reviews_never_panic(body in prop_oneof![any::<Vec<u8>>(), "[{}\\[\\]\",:a-zA-Z0-9. ]{0,80}".prop_map(String::into_bytes)]) {
        if let Err(error) = TokenReview::parse(&body) {
            prop_assert!(error.to_string().starts_with("the body is not a TokenReview: "));
        }
    }

    #[test]
    fn arbitrary_rules_never_panic(mapping in mapping()) {
        match Rule::compile(mapping) {
            Ok(rule) => {
                let mut rules = BackendRules::new(Backend::Crd);
                rules.apply(rule);
                prop_assert_eq!(rules.len(), 1);
            }
            Err(error) => {
                let message = error.to_string();
                let starts = ["no subject: ", "two subjects: ", "invalid ", "the ARN names one session", "`groupsExpressionMayAdd` requires "];
                prop_assert!(starts.iter().any(|start| message.starts_with(start)), "{}", message);
            }
        }
    }
}

/// Generates text, base64 of any bytes, or text that resembles the content of a token.
fn token() -> impl Strategy<Value = String> {
    let payload = prop_oneof![
        any::<Vec<u8>>(),
        "[{}\\[\\]\",:/?=&%a-zA-Z0-9. -]{0,200}".prop_map(String::into_bytes),
        "https://sts[.]aliyuncs[.]com/[?]([A-Za-z]{1,16}=[!-~]{0,20}&){0,12}".prop_map(String::into_bytes),
        r#"\{"clusterId":"c1","method":"POST","path":"/","query":\{"ACKClusterId":"[!-~]{0,4}"\},"headers":\{("[a-zA-Z-]{1,20}":"[!-~]{0,20}",?){0,9}\}\}"#
            .prop_map(String::into_bytes),
    ];
    let encoded = ("k8s-ack-(v1|v2|v3|)[.]?", payload)
        .prop_map(|(prefix, payload)| prefix + &STANDARD.encode(payload));
    prop_oneof![
        1 => any::<String>(),
        1 => "k8s-ack-(v1|v2)[.][A-Za-z0-9+/=]{0,100}",
        6 => encoded,
    ]
}

fn reply() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        r#"\{("(IdentityType|AccountId|PrincipalId|Arn|UserId|RoleId|Code|RequestId)":"(RAMUser|Account|AssumedRoleUser|1|1:s|acs:ram::1:[a-z/-]{0,20}|[!-~]{0,9})",?){0,7}\}"#
            .prop_map(String::into_bytes),
    ]
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let arn = || {
        prop_oneof![
            any::<String>(),
            "acs:ram::[0-9*]{1,3}:(user|role|root)?/?[a-z*?/]{0,9}"
        ]
    };
    let name = || prop_oneof![any::<String>(), "[a-z:]{0,9}([{]{2}[A-Za-z]{0,14}[}]{2})?"];
    let expression = || {
        option::weighted(
            0.5,
            prop_oneof![
                any::<String>(),
                "identity[.](arn|sessionName|roleName)( (==|[+]|in|&&) ('[a-z]{0,9}'|[\\[]'a'[\\]]|true)){0,4}",
                "[()\\[\\]!?:.,a-z0-9'\" +-]{0,60}",
            ],
        )
    };
    let subject = (
        option::of(arn()),
        option::of(arn()),
        option::of(any::<String>()),
    );
    let names = (name(), prop::collection::vec(name(), 0..4));
    (
        subject,
        names,
        (expression(), expression(), expression()),
        any::<bool>(),
    )
        .prop_map(|(subject, (username, groups), expressions, is_literal)| {
            let source = Source {
                backend: Backend::Crd,
                position: "rule".to_owned(),
            };
            let (arn, arn_pattern, id) = subject;
            let (condition, username_expression, groups_expression) = expressions;
            let spec = MappingSpec {
                arn: arn.unwrap_or_default(),
                arn_pattern,
                user_id: id,
                condition,
                username,
                username_expression,
                groups,
                groups_expression,
                ..MappingSpec::default()
            };
            Mapping {
                wildcards: if is_literal {
                    WildcardMode::Disabled
                } else {
                    WildcardMode::Enabled
                },
                ..Mapping::new(source, Precedence::ListIndex(0), spec)
            }
        })
}
