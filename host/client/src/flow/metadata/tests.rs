use super::*;
use crate::flow::script::{
    HalfKeys, KEY_TEXT, UPPER_NAMES, assert_half_keys_are_refused,
    assert_unusable_results_give_no_key, failed, response, run, too_large, untrusted, upper_key,
};
use crate::flow::{Outcome, Plan};
use crate::origin::{Origin, Setting};
use crate::plan::HttpUrl;

fn plan(role: Option<&str>, tokens: MetadataTokens) -> Plan {
    let variable = Origin::Variable("ALIBABA_CLOUD_ECS_METADATA");
    Plan::Metadata(MetadataPlan {
        endpoint: HttpUrl::parse("http://100.100.100.200/ignored").unwrap(),
        role: role.map(|role| Setting::new(role.to_owned(), variable.clone())),
        tokens,
        origin: variable,
    })
}

fn token() -> Outcome {
    response(200, "TokenCANARY==\n")
}

fn role() -> Outcome {
    response(200, "dev-role\n")
}

#[test]
fn requests_are_those_of_the_documentation() {
    let script = run(
        plan(None, MetadataTokens::Preferred),
        [token(), role(), response(200, upper_key())],
    );
    let base = "http://100.100.100.200/latest/";
    assert_eq!(
        script.request(0),
        format!("PUT {base}api/token\nx-aliyun-ecs-metadata-token-ttl-seconds: 3600\n")
    );
    let key = format!("GET {base}meta-data/ram/security-credentials/");
    let header = "x-aliyun-ecs-metadata-token: TokenCANARY==\n";
    assert_eq!(script.request(1), format!("{key}\n{header}"));
    assert_eq!(script.request(2), format!("{key}dev-role\n{header}"));
    assert_eq!(script.text(), format!("{KEY_TEXT} -"));
    for effect in &script.effects {
        let Effect::Send(request) = effect else {
            panic!("{effect:?}");
        };
        assert_eq!(request.limits, CallLimits::METADATA);
        assert!(!request.limits.by_proxy);
    }
    let script = run(plan(Some("../a b"), MetadataTokens::Disabled), []);
    assert_eq!(script.request(0), format!("{key}..%2Fa%20b\n"));
}

#[test]
fn versions_of_the_service_lead_to_a_key() {
    use MetadataTokens::{Disabled, Preferred, Required};
    let with_token = ["MetadataToken", "MetadataRole", "MetadataKey"];
    for (tokens, name, replies, steps) in [
        (Preferred, None, vec![token(), role()], &with_token[..]),
        (Required, None, vec![token(), role()], &with_token),
        (
            Preferred,
            Some("r"),
            vec![token()],
            &["MetadataToken", "MetadataKey"],
        ),
        // The service has no tokens.
        (
            Preferred,
            None,
            vec![response(404, ""), role()],
            &with_token,
        ),
        (
            Preferred,
            None,
            vec![response(403, "x"), role()],
            &with_token,
        ),
        (
            Disabled,
            None,
            vec![role()],
            &["MetadataRole", "MetadataKey"],
        ),
        (Disabled, Some("r"), vec![], &["MetadataKey"]),
        // Each request has one retry.
        (
            Preferred,
            None,
            vec![
                failed("connection refused", false),
                token(),
                response(503, ""),
                role(),
                failed("the time limit passed", true),
            ],
            &[
                "MetadataToken",
                "MetadataToken",
                "MetadataRole",
                "MetadataRole",
                "MetadataKey",
                "MetadataKey",
            ],
        ),
    ] {
        let replies = replies.into_iter().chain([response(200, upper_key())]);
        let script = run(plan(name, tokens), replies);
        assert_eq!(script.text(), format!("{KEY_TEXT} -"));
        assert_eq!(script.steps(), steps);
        let is_v1 = script.request(steps.len() - 1).lines().count() == 1;
        let has_token =
            steps[0] == "MetadataToken" && script.request(steps.len() - 1).contains("TokenCANARY");
        assert_eq!(is_v1, !has_token);
    }
}

#[test]
fn failure_names_service_and_cause() {
    use MetadataTokens::{Disabled, Preferred, Required};
    let refused = || failed("connection refused", false);
    let hangs = || failed("the time limit passed", true);
    for (tokens, name, replies, expected) in [
        (
            Preferred,
            None,
            vec![refused(), refused()],
            "unavailable: the metadata service http://100.100.100.200 did not answer: connection refused; run the command on an ECS instance with a RAM role, or do not select the metadata service: `ALIBABA_CLOUD_ECS_METADATA`",
        ),
        (
            Preferred,
            None,
            vec![untrusted(), untrusted()],
            "unavailable: the metadata service http://100.100.100.200 did not answer: invalid peer certificate; set `SSL_CERT_FILE` to a file",
        ),
        (
            Preferred,
            None,
            vec![hangs(), hangs()],
            "did not answer: the time limit passed;",
        ),
        (
            Preferred,
            None,
            vec![response(500, ""), response(502, "")],
            "returned HTTP status 502;",
        ),
        (
            Preferred,
            None,
            vec![too_large(), too_large()],
            "returned a reply that is too large;",
        ),
        (
            Preferred,
            None,
            vec![token(), refused(), hangs()],
            "did not answer: the time limit passed;",
        ),
        (
            Preferred,
            None,
            vec![response(400, "")],
            "refused: the metadata service http://100.100.100.200 refused the request for a metadata token: HTTP status 400; check the settings",
        ),
        (Preferred, None, vec![response(302, "")], "HTTP status 302;"),
        (
            Required,
            None,
            vec![response(404, "")],
            "HTTP status 404; enable metadata tokens (IMDSv2) for the instance, or unset `ALIBABA_CLOUD_IMDSV1_DISABLED`",
        ),
        (
            Required,
            None,
            vec![response(403, "")],
            "HTTP status 403; enable metadata tokens",
        ),
        (
            Preferred,
            None,
            vec![response(200, "")],
            "unavailable: the metadata service http://100.100.100.200 returned a malformed reply: the metadata token is not a text;",
        ),
        (
            Preferred,
            None,
            vec![response(200, "<html> CANARY")],
            "the metadata token is not a text;",
        ),
        (
            Preferred,
            None,
            vec![response(200, b"\xff")],
            "the metadata token is not a text;",
        ),
        (
            Preferred,
            None,
            vec![response(200, "x".repeat(4097))],
            "the metadata token is not a text;",
        ),
        (
            Disabled,
            None,
            vec![response(404, "")],
            "refused: this ECS instance has no RAM role; attach a RAM role to the instance, or correct its name",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(404, "")],
            "refused: this ECS instance does not have the role of `ALIBABA_CLOUD_ECS_METADATA`;",
        ),
        (
            Disabled,
            None,
            vec![response(401, "")],
            "refused the request for the role of this ECS instance: HTTP status 401;",
        ),
        (
            Disabled,
            None,
            vec![response(200, "<html>CANARY</html>")],
            "the name of the role is not one word of letters, digits and `.-_`;",
        ),
        (
            Disabled,
            None,
            vec![response(200, "a\nb")],
            "the name of the role is not one word of letters, digits and `.-_`;",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(307, "")],
            "refused the request for the key of this ECS instance: HTTP status 307;",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(200, r#"{"Code":"InvalidRole"}"#)],
            "refused: the metadata service http://100.100.100.200 returned no key: `Code` is `InvalidRole`;",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(200, upper_key().replace("\"Success\"", "200"))],
            "unavailable: the metadata service http://100.100.100.200 returned a malformed reply: `Code` is not `Success`;",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(200, upper_key().replace("\"Success\"", "null"))],
            "`Code` is not `Success`;",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(
                200,
                upper_key().replace("Success", "CANARY CANARY"),
            )],
            "`Code` is not `Success`;",
        ),
        (
            Disabled,
            Some("r"),
            vec![response(200, upper_key().replace("Success", "success"))],
            "`Code` is `success`;",
        ),
    ] {
        let count = replies.len();
        let script = run(plan(name, tokens), replies);
        assert!(script.text().contains(expected), "{}", script.text());
        assert_eq!(script.effects.len(), count, "{}", script.text());
    }
}

#[test]
fn half_a_key_is_no_key() {
    assert_half_keys_are_refused(UPPER_NAMES, HalfKeys::Named, |key| {
        let plan = plan(Some("r"), MetadataTokens::Disabled);
        run(plan, [response(200, key)])
    });
}

#[test]
fn unusable_result_is_no_key() {
    for length in 0..3 {
        assert_unusable_results_give_no_key(
            || plan(None, MetadataTokens::Preferred),
            || [token(), role()].into_iter().take(length).collect(),
        );
    }
}
