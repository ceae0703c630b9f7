use std::sync::Arc;

use ack_ram_config::StsEndpoint;
use ack_ram_core::sts::{OidcProviderArn, SessionName, SessionPolicy, SessionSeconds, StsRefusal};

use super::{CallOrigins, Credential};
use crate::flow::script::{
    failed, key_plan, moment, plan_of_profiles, response, response_at, role_plan, role_settings,
    run, run_with_token, time, too_large, untrusted,
};
use crate::flow::{Flow, Moment, Outcome, Plan, Step};
use crate::http::{Call, HttpReply};
use crate::origin::{Origin, Profile, Setting};
use crate::plan::{AssumeRolePlan, OidcPlan, RoleSessionName};

fn role() -> AssumeRolePlan {
    role_plan(key_plan(), Some("alice"))
}

fn refusal(code: &str) -> Outcome {
    let body = format!(r#"{{"Code":"{code}","RequestId":"r-1","Message":"CANARY","HostId":"h"}}"#);
    response(400, body)
}

/// Returns the remedy of a refusal of AssumeRole.
fn remedy(plan: AssumeRolePlan, code: &str) -> String {
    let script = run(Plan::AssumeRole(Box::new(plan)), [refusal(code)]);
    let cause = format!(
        "refused: STS refused AssumeRole for acs:ram::1234567890123456:role/dev from `--role-arn` with `{code}` (STS request ID r-1); "
    );
    let text = script.text();
    text.strip_prefix(&cause)
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned()
}

#[test]
fn refusal_of_assume_role_has_the_advice_for_its_code() {
    let option = |name| Origin::Option(name);
    let mut full = role();
    full.session.seconds =
        SessionSeconds::new(43_200).map(|s| Setting::new(s, option("--duration")));
    full.session.policy =
        SessionPolicy::parse("{}").map(|p| Setting::new(p, option("--session-policy")));
    let key = "the access key `LTAI5tFakeAccessKeyId001` from `ALIBABA_CLOUD_ACCESS_KEY_ID`";
    let check_key = format!("check {key}");
    let new_key = format!("get a new temporary key, or sign in again, to replace {key}");
    for (code, expected) in [
        (
            "NoPermission",
            "attach the policy `AliyunSTSAssumeRoleAccess` to the owner of the key, and add the owner to the trust policy of the role, with the external ID that it requires; the key of an account (root) cannot assume roles",
        ),
        (
            "EntityNotExist.Role",
            "correct the ARN of the role: `--role-arn`",
        ),
        (
            "InvalidParameter.RoleArn",
            "correct the ARN of the role: `--role-arn`",
        ),
        (
            "InvalidParameter.RoleSessionName",
            "correct the session name: `--session-name`",
        ),
        (
            "InvalidParameter.DurationSeconds",
            "shorten the session to the maximum of the role: `--duration`",
        ),
        (
            "InvalidParameter.PolicyGrammar",
            "correct the policy: `--session-policy`",
        ),
        ("InvalidTimeStamp.Expired", "set the clock of this machine"),
        ("InvalidAccessKeyId.NotFound", &check_key),
        ("InvalidAccessKeyId.Inactive", &check_key),
        ("InvalidAccessKeyId", &check_key),
        (
            "SignatureDoesNotMatch",
            "correct the access key secret: `ALICLOUD_SECRET_KEY`",
        ),
        ("InvalidSecurityToken.Expired", &new_key),
        ("InvalidSecurityToken.Malformed", &new_key),
        ("InvalidSecurityToken.MismatchWithAccessKey", &new_key),
        ("MissingSecurityToken", &new_key),
        ("Unknown.Code", "look up the code in the STS API reference"),
    ] {
        assert_eq!(remedy(full.clone(), code), expected);
    }
    let mut bare = role();
    bare.name = RoleSessionName::Given(Setting::new(
        SessionName::parse("alice").unwrap(),
        Origin::Default,
    ));
    for (code, expected) in [
        (
            "InvalidParameter.DurationSeconds",
            "set `--duration` to at most the maximum of the role",
        ),
        ("InvalidParameter.PolicyGrammar", "correct the policy"),
        (
            "InvalidParameter.RoleSessionName",
            "correct the session name: the default",
        ),
    ] {
        assert_eq!(remedy(bare.clone(), code), expected);
    }
}

#[test]
fn refused_key_of_a_session_names_the_command_that_signs_in() {
    let key = r#""access_key_id":"STS.a","access_key_secret":"CANARY","sts_token":"CANARY","sts_expiration":2000000000"#;
    for (members, command) in [
        (
            r#""mode":"CloudSSO","cloud_sso_sign_in_url":"https://h","cloud_sso_account_id":"1","cloud_sso_access_config":"a""#,
            "sign in again: run `aliyun configure --mode CloudSSO --profile dev`",
        ),
        (
            r#""mode":"OAuth","oauth_site_type":"INTL""#,
            "sign in again: run `aliyun configure --mode OAuth --oauth-site-type INTL --profile dev`",
        ),
    ] {
        let source = plan_of_profiles(&format!(r#"{{"name":"dev",{members},{key}}}"#));
        let role = role_plan(source, Some("alice"));
        assert_eq!(
            remedy(role.clone(), "InvalidSecurityToken.Expired"),
            command
        );
        let text = remedy(role, "SignatureDoesNotMatch");
        assert!(text.starts_with("check the "), "{text}");
    }
}

fn oidc() -> OidcPlan {
    OidcPlan {
        session: role_settings(),
        name: Setting::new(
            SessionName::parse("alice").unwrap(),
            Origin::Variable("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
        ),
        provider: Setting::new(
            OidcProviderArn::parse("acs:ram::1:oidc-provider/p").unwrap(),
            Origin::Default,
        ),
        token_file: Setting::new("/token".into(), Origin::Default),
    }
}

#[test]
fn failure_of_the_network_names_the_place_of_the_endpoint_and_the_advice() {
    let profile = Arc::new(Profile {
        file: "/config.json".into(),
        name: "dev".to_owned(),
    });
    let variable = || Origin::Variable("ALIBABA_CLOUD_STS_REGION");
    let network = "check the network, ";
    let advice = "invalid peer certificate; set `SSL_CERT_FILE` to a file";
    type Reply = fn() -> Outcome;
    let refused: Reply = || failed("connection refused", false);
    for (place, reply, expected) in [
        (
            Origin::Default,
            refused,
            format!(
                "{network}and the proxy in `HTTPS_PROXY`; `--sts-endpoint` selects another endpoint"
            ),
        ),
        (
            variable(),
            refused,
            format!(
                "{network}the proxy in `HTTPS_PROXY`, and the endpoint, which comes from `ALIBABA_CLOUD_STS_REGION`"
            ),
        ),
        (
            Origin::Option("--sts-endpoint"),
            || failed("the time limit passed", true),
            format!(
                "{network}the proxy in `HTTPS_PROXY`, and the endpoint, which comes from `--sts-endpoint`"
            ),
        ),
        (
            Origin::Member(profile, "sts_endpoint"),
            too_large,
            format!(
                "{network}the proxy in `HTTPS_PROXY`, and the endpoint, which comes from `sts_endpoint` of the profile `dev` in `/config.json`"
            ),
        ),
        (Origin::Default, untrusted, advice.to_owned()),
        (
            variable(),
            untrusted,
            format!("{advice}; the endpoint comes from `ALIBABA_CLOUD_STS_REGION`"),
        ),
    ] {
        let mut given = role();
        given.session.endpoint.origin = place.clone();
        let mut forwarded = role_plan(key_plan(), None);
        forwarded.session.endpoint.origin = place.clone();
        let mut oidc = oidc();
        oidc.session.endpoint.origin = place;
        for (plan, call) in [
            (Plan::AssumeRole(Box::new(given)), "AssumeRole"),
            (Plan::AssumeRole(Box::new(forwarded)), "GetCallerIdentity"),
            (Plan::Oidc(oidc), "AssumeRoleWithOIDC"),
        ] {
            let script = run_with_token(plan, Some("CANARY"), [reply()]);
            let text = script.text();
            assert!(
                text.starts_with(&format!("unavailable: {call} for ")),
                "{text}"
            );
            assert!(text.ends_with(&format!(" {expected}")), "{text}");
        }
    }
}

#[test]
fn refusal_of_oidc_has_the_advice_for_its_code() {
    let plan = || Plan::Oidc(oidc());
    let token = "check the OIDC token in `/token`: its issuer and audience must be those of the OIDC provider, and it must not have expired";
    for (code, expected) in [
        (
            "AuthenticationFail.NoPermission",
            "check the trust policy of the role, and that the account has this OIDC provider",
        ),
        ("AuthenticationFail.OIDCToken.Expired", token),
        ("AuthenticationFail.OIDCToken.Invalid", token),
        ("AuthenticationFail.OIDCToken.InvalidSignature", token),
        ("AuthenticationFail.OIDCToken.AudienceNotMatch", token),
        ("AuthenticationFail.OIDCToken.HttpsUrlInvalid", token),
        (
            "EntityNotExist.Role",
            "correct the ARN of the role: `--role-arn`",
        ),
        (
            "InvalidParameter.RoleSessionName",
            "correct the session name: `ALIBABA_CLOUD_ROLE_SESSION_NAME`",
        ),
    ] {
        let script = run_with_token(plan(), Some("CANARY"), [refusal(code)]);
        let text = script.text();
        assert!(
            text.starts_with("refused: STS refused AssumeRoleWithOIDC for"),
            "{text}"
        );
        assert!(
            text.ends_with(&format!("with `{code}` (STS request ID r-1); {expected}")),
            "{text}"
        );
    }
}

#[test]
fn wrong_clock_is_measured_by_the_date_of_the_reply() {
    for (now, expected) in [
        ("2026-01-02T03:04:05Z", "set the clock of this machine"),
        (
            "2026-01-03T03:04:05Z",
            "set the clock of this machine: it is 86400 s ahead of the clock of STS",
        ),
        (
            "2026-01-02T02:04:05Z",
            "set the clock of this machine: it is 3600 s behind the clock of STS",
        ),
        ("1970-01-01T00:00:00Z", "s behind the clock of STS"),
        ("9999-12-31T23:59:59Z", "s ahead of the clock of STS"),
    ] {
        let moment = Moment {
            now: time(now),
            ..crate::flow::script::moment()
        };
        let reply = response_at(
            400,
            r#"{"Code":"InvalidTimeStamp.Expired"}"#,
            Some("2026-01-02T03:04:05Z"),
        );
        let Step::Continue(flow, _) =
            Flow::start(Plan::AssumeRole(Box::new(role())), None, &moment)
        else {
            panic!("the flow has ended");
        };
        let Step::Done(Err(error)) = flow.resume(reply, &moment) else {
            panic!("the flow has no error");
        };
        assert!(error.remedy().ends_with(expected), "{error}");
        assert!(error.is_definite());
    }
}

#[test]
fn refusal_of_a_cached_key_has_the_advice_to_clear_the_cache() {
    let plan = key_plan();
    let endpoint = Setting::new(StsEndpoint::global(), Origin::Default);
    for (code, is_cached, expected) in [
        ("InvalidAccessKeyId.NotFound", true, true),
        ("InvalidSecurityToken.Expired", true, true),
        ("MissingSecurityToken", true, true),
        ("SignatureDoesNotMatch", true, false),
        ("InvalidAccessKeyId.NotFound", false, false),
        ("InvalidSecurityToken.Expired", false, false),
    ] {
        let origins = CallOrigins {
            call: Call::GetCallerIdentity,
            subject: String::new(),
            endpoint: &endpoint,
            credential: Credential {
                is_cached,
                ..Credential::of_plan(&plan)
            },
            role: &Origin::Default,
            name: None,
            seconds: None,
            policy: None,
        };
        let refusal = StsRefusal {
            code: code.into(),
            request_id: "r-1".into(),
            status: 403,
        };
        let text = super::remedy(&refusal, &HttpReply::TooLarge, &origins, &moment());
        assert_eq!(text.contains("cache clear"), expected, "{code}: {text}");
    }
}
