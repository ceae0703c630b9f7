//! The role that `--role-arn` asks for, and the settings of its session.

use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::case::{Case, Program, profile};
use crate::fixture::{Calls, ClientFixture, EXTERNAL_ID, key_members, powerless_key, role_arn};

const METADATA_ENDPOINT: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";

fn user(name: &str, role: &str) -> Case {
    let case = Case::new(name).key_variables(&demo::user_key());
    case.args(&["--role-arn", &role_arn(role)])
}

#[tokio::test]
async fn requested_role_is_assumed_last() {
    let fixture = ClientFixture::start();
    let user_members = key_members(&demo::user_key());
    let deploy = json!({ "ram_role_arn": role_arn("deploy"), "ram_session_name": "work" });
    for case in [
        user("a permanent key", "deploy").granted("deploy:*", Calls::ASSUME_ROLE),
        user("a session name in the environment", "deploy")
            .variable("ALIBABA_CLOUD_ROLE_SESSION_NAME", "named")
            .granted("deploy:named", Calls::ASSUME_ROLE),
        Case::new("a temporary key")
            .key_variables(&demo::session_key())
            .args(&["--role-arn", &role_arn("inner")])
            .granted("inner:*", Calls::ASSUME_ROLE),
        Case::new("a profile with a role")
            .profile("RamRoleArn", &[&user_members, &deploy])
            .args(&["--role-arn", &role_arn("inner")])
            .granted("inner:*", Calls::NONE.and_assume_role(2)),
        Case::new("the metadata service")
            .profile("EcsRamRole", &[])
            .variable(METADATA_ENDPOINT, fixture.metadata.http.url())
            .args(&["--role-arn", &role_arn("inner")])
            .granted("inner:*", Calls::METADATA_ROLE_AND_KEY.and_assume_role(1)),
        Case::new("a URL")
            .variable("ALIBABA_CLOUD_CREDENTIALS_URI", fixture.url.url())
            .args(&["--role-arn", &role_arn("last")])
            .granted("last:*", Calls::URL.and_assume_role(1)),
        user("a role that does not trust the user", "inner")
            .refused(&["NoPermission"], Calls::ASSUME_ROLE),
        user("a role that does not exist", "nobody")
            .refused(&["EntityNotExist.Role", "--role-arn"], Calls::ASSUME_ROLE),
    ] {
        case.check(&fixture).await;
    }
}

/// STS gives the same reply without the policy of the user and without the trust of the role.
#[tokio::test]
async fn missing_policy_and_missing_trust_have_a_remedy_with_both() {
    let fixture = ClientFixture::start();
    let texts = [
        "STS refused AssumeRole for ",
        "`NoPermission`",
        "attach the policy `AliyunSTSAssumeRoleAccess` to the owner of the key",
        "add the owner to the trust policy of the role",
    ];
    let frank = |name| Case::new(name).key_variables(&powerless_key());
    for case in [
        frank("no policy").args(&["--role-arn", &role_arn("last")]),
        frank("neither policy nor trust").args(&["--role-arn", &role_arn("deploy")]),
        user("no trust", "closed"),
    ] {
        let case = case.refused(&texts, Calls::ASSUME_ROLE);
        case.check(&fixture).await;
    }
    frank("the user itself")
        .granted("frank", Calls::NONE)
        .check(&fixture)
        .await;
}

#[tokio::test]
async fn settings_of_the_session_are_sent() {
    let fixture = ClientFixture::start();
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let id = EXTERNAL_ID;
    let token = |case: Case| case.only(Program::Token);
    let deploy = json!({ "ram_role_arn": role_arn("deploy"), "ram_session_name": "work" });
    let forward = ["--forward-session-name", "--role-arn", &role_arn("last")];
    for case in [
        user("--session-name", "deploy")
            .args(&["--session-name", "me@example.com"])
            .variable("ALIBABA_CLOUD_ROLE_SESSION_NAME", "named")
            .granted("deploy:me-example.com", Calls::ASSUME_ROLE),
        user("--external-id", "guarded")
            .args(&["--external-id", id])
            .granted("guarded:*", Calls::ASSUME_ROLE),
        user("a wrong --external-id", "guarded")
            .args(&["--external-id", "other"])
            .refused(&["NoPermission", "external ID"], Calls::ASSUME_ROLE),
        user("--duration", "guarded")
            .args(&["--external-id", id, "--duration", "12h"])
            .granted("guarded:*", Calls::ASSUME_ROLE),
        user("--duration beyond the maximum of the role", "deploy")
            .args(&["--duration", "2h"])
            .refused(
                &["InvalidParameter.DurationSeconds", "--duration"],
                Calls::ASSUME_ROLE,
            ),
        user("--session-policy", "deploy")
            .file("policy.json", policy)
            .args(&["--session-policy", "{home}/policy.json"])
            .granted("deploy:*", Calls::ASSUME_ROLE),
        user("--session-policy with a wrong grammar", "deploy")
            .file("policy.json", policy.replace("Deny", "Never"))
            .args(&["--session-policy", "{home}/policy.json"])
            .refused(
                &["InvalidParameter.PolicyGrammar", "--session-policy"],
                Calls::ASSUME_ROLE,
            ),
        Case::new("settings of the session of a profile")
            .profile("RamRoleArn", &[&key_members(&demo::user_key()), &deploy])
            .args(&["--session-name", "other"])
            .granted("deploy:other", Calls::ASSUME_ROLE),
        Case::new("--forward-session-name of a role")
            .profile("RamRoleArn", &[&key_members(&demo::user_key()), &deploy])
            .args(&forward)
            .granted("last:work", Calls::NONE.and_assume_role(2)),
        Case::new("--forward-session-name of a temporary key")
            .key_variables(&demo::session_key())
            .args(&forward)
            .granted("last:alice-example.com", Calls::ASSUME_ROLE),
        Case::new("--forward-session-name of an instance")
            .profile("EcsRamRole", &[])
            .variable(METADATA_ENDPOINT, fixture.metadata.http.url())
            .args(&forward)
            .granted(
                "last:i-0001",
                Calls::METADATA_ROLE_AND_KEY.and_assume_role(1),
            ),
    ] {
        token(case).check(&fixture).await;
    }
}

/// Every source reaches the endpoint that the option or the profile names, without the proxy of the default endpoint.
#[tokio::test]
async fn endpoint_of_the_option_and_of_the_profile_is_called() {
    let fixture = ClientFixture::start();
    let endpoint = format!("localhost:{}", fixture.sts().address().port());
    let members = [
        &key_members(&demo::user_key()),
        &json!({
            "ram_role_arn": role_arn("deploy"),
            "ram_session_name": "work",
            "sts_endpoint": "sts.example.invalid",
        }),
    ];
    let own = [
        members[0],
        members[1],
        &json!({ "sts_endpoint": &endpoint }),
    ];
    for case in [
        user("the option", "deploy")
            .args(&["--sts-endpoint", &endpoint])
            .granted("deploy:*", Calls::ASSUME_ROLE),
        user("the variable", "deploy")
            .variable("ALIBABA_CLOUD_STS_ENDPOINT", &endpoint)
            .granted("deploy:*", Calls::ASSUME_ROLE),
        Case::new("the option before the profile")
            .profiles(&[profile("default", "RamRoleArn", &members)])
            .args(&["--sts-endpoint", &endpoint])
            .granted("deploy:work", Calls::ASSUME_ROLE),
        Case::new("the profile before the variable")
            .profiles(&[profile("default", "RamRoleArn", &own)])
            .variable("ALIBABA_CLOUD_STS_ENDPOINT", "sts.example.invalid")
            .granted("deploy:work", Calls::ASSUME_ROLE),
    ] {
        case.check(&fixture).await;
    }
    assert!(fixture.proxy.requests().is_empty());
    Case::new("an endpoint that does not answer")
        .profiles(&[profile("default", "RamRoleArn", &members)])
        .refused(&["sts.example.invalid", "AssumeRole"], Calls::NONE)
        .check(&fixture)
        .await;
}
