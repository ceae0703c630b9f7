//! Each decision that is not a grant: its code, the label of the metric, the text in the log, the text for the caller,
//! and the replies to API servers and proxies. No other file of this test names the types of decisions.

use std::fmt::Write as _;

use ack_ram_core::decision::{Decision, Unavailable};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::gateway::{BearerError, Gateway, IdentityHeaders, Refusal, TokenHeader};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::review::{ReviewVersion, TokenReview, render_decision};
use ack_ram_core::rules::{Backend, RulesUnavailable};
use ack_ram_core::sts::{MalformedReply, StsError, StsRefusal, StsUnavailable};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::vectors;

use crate::snapshot;

/// The reference in all texts.
const TOKEN: &str = "k8s-ack-v2.e30=";

fn fingerprint() -> Fingerprint {
    Fingerprint::from_text(TOKEN)
}

#[test]
fn decisions_of_sts_have_these_texts() {
    let refused = |code: &str, request_id: &str| {
        StsError::Refused(StsRefusal {
            code: code.into(),
            request_id: request_id.into(),
            status: 400,
        })
    };
    let throttled = |code: &str| StsUnavailable::Throttled {
        code: code.into(),
        request_id: "6B2F4C0A".into(),
    };
    let refusals = [
        refused("InvalidTimeStamp.Expired", ""),
        refused("SignatureDoesNotMatch", "6B2F4C0A"),
        refused("SignatureNonceUsed", "6B2F4C0A"),
        refused("MissingSecurityToken", "6B2F4C0A"),
        refused("InvalidAccessKeyId.Inactive", "6B2F4C0A"),
        refused("InvalidAccessKeyId.NotFound", "6B2F4C0A"),
        refused("InvalidAccessKeyId.Other", "6B2F4C0A"),
        refused("InvalidSecurityToken.Expired", "6B2F4C0A"),
        refused("InvalidSecurityToken.Malformed", "6B2F4C0A"),
        refused("Forbidden", "6B2F4C0A"),
    ];
    let malformed = [
        MalformedReply::NotJson,
        MalformedReply::Status,
        MalformedReply::NoCode,
        MalformedReply::MissingField("Arn"),
        MalformedReply::NotText("Arn"),
        MalformedReply::IdentityType,
        MalformedReply::Arn,
        MalformedReply::ArnKind,
        MalformedReply::Account,
        MalformedReply::PrincipalId,
    ];
    let unavailable = [
        StsUnavailable::Unreachable,
        StsUnavailable::TimedOut,
        throttled("Throttling.User"),
        throttled("Throttling.Api"),
        StsUnavailable::Failing { status: 500 },
        StsUnavailable::ExpiredInFlight {
            expired: UnixTime::from_seconds(1_800_000_000),
        },
    ];
    let unavailable = unavailable
        .into_iter()
        .chain(malformed.map(|detail| StsUnavailable::Malformed { detail }));
    let errors = refusals
        .into_iter()
        .chain(unavailable.map(StsError::Unavailable));
    let decisions: Vec<_> = errors
        .map(|error| Decision::from_sts_error(fingerprint(), error))
        .collect();
    snapshot::check("decisions_of_sts", &describe(&decisions));
}

#[test]
fn decisions_about_this_server_have_these_texts() {
    let mut reasons = vec![Unavailable::Overloaded, Unavailable::Internal];
    for backend in [
        Backend::MountedFile,
        Backend::ConfigMap,
        Backend::Crd,
        Backend::DynamicFile,
    ] {
        reasons.extend([
            Unavailable::Rules(RulesUnavailable::NotReady(backend)),
            Unavailable::Rules(RulesUnavailable::Broken(backend)),
            Unavailable::Rules(RulesUnavailable::Stale(backend)),
        ]);
    }
    let unavailable = |reason| Decision::unavailable(fingerprint(), reason);
    let decisions: Vec<_> = [Decision::unrecognized_token()]
        .into_iter()
        .chain(reasons.into_iter().map(unavailable))
        .collect();
    snapshot::check("decisions_about_this_server", &describe(&decisions));
}

#[test]
fn decisions_about_tokens_have_these_texts() {
    let tokens = vectors::tokens();
    let mut decisions = Vec::new();
    for case in &tokens.cases {
        let now = UnixTime::parse(&case.now).unwrap();
        if let Step::Decided(decision) = begin(&case.token(), &tokens.policy(case), now) {
            decisions.push(decision);
        }
    }
    let endless = format!("{:-<20000}", "k8s-ack-v2.");
    let now = UnixTime::from_seconds(1_800_000_000);
    let policy = tokens.policy(&tokens.cases[0]);
    let Step::Decided(decision) = begin(&endless, &policy, now) else {
        panic!("a token over the size limit was accepted");
    };
    decisions.push(decision);
    // One decision for each text: the vectors have several decisions with the same text.
    decisions.sort_by_cached_key(|decision| (decision.code(), decision.reason()));
    decisions.dedup_by_key(|decision| (decision.code(), decision.reason()));
    let lines = decisions.iter().map(|decision| {
        let reason = decision.reason().unwrap_or_default();
        format!(
            "{} | {} | {reason}\n",
            decision.code(),
            decision.metric_result()
        )
    });
    snapshot::check("decisions_about_tokens", &lines.collect::<String>());
}

#[test]
fn requests_refused_by_gateway_have_these_texts() {
    let own = TokenHeader::new("x-ram-token").unwrap();
    let mut refusals = vec![Refusal::identity_header_present(&IdentityHeaders::default())];
    for header in [&TokenHeader::default(), &own] {
        refusals.push(Refusal::stray_token(header));
        for none in [
            BearerError::Missing,
            BearerError::Multiple,
            BearerError::Malformed,
        ] {
            refusals.push(Refusal::from_bearer_error(none, header));
        }
    }
    refusals.push(Refusal::unavailable("the gateway's reason"));
    let mut text = String::new();
    for refusal in &refusals {
        describe_refusal(&mut text, refusal);
        text.push('\n');
    }
    snapshot::check("gateway_refusals", &text);
}

#[test]
fn malformed_reviews_have_these_texts() {
    let deep = "[".repeat(200);
    let many = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(5000));
    let mut text = String::new();
    for body in [
        "",
        "[]",
        "not json",
        "{\"a\":}",
        &deep,
        &many,
        "{\"kind\":\"TokenReview\",\"kind\":\"TokenReview\"}",
        "{}",
        r#"{"kind":1}"#,
        r#"{"kind":"Pod"}"#,
        r#"{"kind":"Pod or no pod"}"#,
        r#"{"kind":"TokenReview"}"#,
        r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v2"}"#,
        r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1"}"#,
        r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":""}}"#,
        r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":["x"]}}"#,
    ] {
        let error = TokenReview::parse(body.as_bytes()).unwrap_err();
        writeln!(text, "{body:.90}\n  {error}").unwrap();
    }
    snapshot::check("malformed_reviews", &text);
}

fn describe(decisions: &[Decision]) -> String {
    let mut text = String::new();
    let reference = fingerprint().to_string();
    for decision in decisions {
        let reviewed = render_decision(ReviewVersion::V1, decision);
        writeln!(
            text,
            "# {} | {}\nreason: {}\npublic: {}\nTokenReview: {} {}",
            decision.code(),
            decision.metric_result(),
            decision.reason().unwrap_or_default(),
            decision.public_message().unwrap_or_default(),
            reviewed.status,
            String::from_utf8(reviewed.body).unwrap(),
        )
        .unwrap();
        let refusal = Gateway::default().admit(decision).unwrap_err();
        describe_refusal(&mut text, &refusal);
        text.push('\n');
    }
    text.replace(&reference, "REF")
}

fn describe_refusal(text: &mut String, refusal: &Refusal) {
    let kind = refusal.kind();
    let headers: Vec<_> = refusal
        .headers()
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    writeln!(
        text,
        "gateway: {} {} grpc={} {}\n{}{}",
        kind.status(),
        kind.code(),
        kind.grpc_status(),
        refusal.message(),
        headers.concat(),
        String::from_utf8(refusal.problem()).unwrap(),
    )
    .unwrap();
}
