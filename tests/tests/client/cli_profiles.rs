//! Every mode of profiles in the file of the CLI.

use std::path::PathBuf;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::http_service::ServiceFault;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::case::{Case, Program, growing_timeouts, profile};
use crate::fixture::{Calls, ClientFixture, EXTERNAL_ID, OIDC_PROVIDER_ARN, key_members, role_arn};

const METADATA_ENDPOINT: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";
const POLICY: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn user() -> Value {
    key_members(&demo::user_key())
}

fn session() -> Value {
    key_members(&demo::session_key())
}

/// Returns the members of a profile with a role.
fn role(name: &str, session: &str) -> Value {
    json!({ "ram_role_arn": role_arn(name), "ram_session_name": session })
}

fn source(name: &str) -> Value {
    json!({ "source_profile": name })
}

#[tokio::test]
async fn profile_with_a_key_or_role_logs_in() {
    let fixture = ClientFixture::start();
    let guarded = json!({
        "external_id": EXTERNAL_ID,
        "expired_seconds": 43_200,
        "policy": POLICY,
    });
    for case in [
        Case::new("AK")
            .profile("AK", &[&user()])
            .granted("alice", Calls::NONE),
        Case::new("AK with a security token, which does not belong to it")
            .profile("AK", &[&user(), &json!({ "sts_token": "CAISFake" })])
            .granted("alice", Calls::NONE),
        Case::new("StsToken")
            .profile("StsToken", &[&session()])
            .granted("dev:alice-example.com", Calls::NONE),
        Case::new("RamRoleArn")
            .profile("RamRoleArn", &[&user(), &role("deploy", "work")])
            .granted("deploy:work", Calls::ASSUME_ROLE),
        Case::new("RamRoleArn with a temporary key")
            .profile("RamRoleArn", &[&session(), &role("inner", "work")])
            .granted("inner:work", Calls::ASSUME_ROLE),
        Case::new("RamRoleArn with every parameter")
            .profile(
                "RamRoleArn",
                &[&user(), &role("guarded", "a.b-c_1"), &guarded],
            )
            .granted("guarded:a.b-c_1", Calls::ASSUME_ROLE),
        Case::new("ChainableRamRoleArn")
            .profiles(&[
                profile(
                    "end",
                    "ChainableRamRoleArn",
                    &[&role("deploy", "end"), &source("key")],
                ),
                profile("key", "AK", &[&user()]),
            ])
            .granted("deploy:end", Calls::ASSUME_ROLE),
        Case::new("ChainableRamRoleArn over two roles")
            .profiles(&[
                profile(
                    "end",
                    "ChainableRamRoleArn",
                    &[&role("last", "end"), &source("b")],
                ),
                profile("a", "RamRoleArn", &[&user(), &role("deploy", "first")]),
                profile(
                    "b",
                    "ChainableRamRoleArn",
                    &[&role("inner", "second"), &source("a")],
                ),
            ])
            .granted("last:end", Calls::NONE.and_assume_role(3)),
        Case::new("--profile-name")
            .profiles(&[
                profile("stranger", "AK", &[&key_members(&demo::stranger_key())]),
                profile("me", "AK", &[&user()]),
            ])
            .args(&["--profile-name", "me"])
            .granted("alice", Calls::NONE),
        Case::new("--profile-file, without a look at the environment")
            .key_variables(&demo::stranger_key())
            .file(
                "other.json",
                json!({ "current": "a", "profiles": [profile("a", "AK", &[&user()])] }).to_string(),
            )
            .args(&["--profile-file", "{home}/other.json"])
            .granted("alice", Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
    let last = fixture.sts().requests_for("AssumeRole");
    let with_policy = last.iter().filter(|call| call.target.contains("Policy="));
    assert_eq!(with_policy.count(), 2, "both commands send the policy");
}

#[tokio::test]
async fn profile_with_another_service_logs_in() {
    let fixture = ClientFixture::start();
    let endpoint = fixture.metadata.http.url();
    let named = json!({ "ram_role_name": "ecs" });
    let uri = json!({ "credentials_uri": fixture.url.url() });
    let oidc = json!({
        "oidc_provider_arn": OIDC_PROVIDER_ARN,
        "oidc_token_file": "~/token",
        "expired_seconds": 900,
    });
    let on_ecs = |name: &str| Case::new(name).variable(METADATA_ENDPOINT, &endpoint);
    for case in [
        on_ecs("EcsRamRole")
            .profile("EcsRamRole", &[&named])
            .granted("ecs:i-0001", Calls::METADATA_KEY),
        on_ecs("EcsRamRole without a name")
            .profile("EcsRamRole", &[])
            .granted("ecs:i-0001", Calls::METADATA_ROLE_AND_KEY),
        on_ecs("RamRoleArnWithRoleName")
            .profile("RamRoleArnWithRoleName", &[&named, &role("inner", "work")])
            .granted("inner:work", Calls::METADATA_KEY.and_assume_role(1)),
        on_ecs("RamRoleArnWithRoleName without a session name")
            .profile(
                "RamRoleArnWithRoleName",
                &[&json!({ "ram_role_arn": role_arn("inner") })],
            )
            .granted(
                "inner:default-session-name",
                Calls::METADATA_ROLE_AND_KEY.and_assume_role(1),
            ),
        on_ecs("ChainableRamRoleArn over the metadata service")
            .profiles(&[
                profile(
                    "end",
                    "ChainableRamRoleArn",
                    &[&role("inner", "end"), &source("ecs")],
                ),
                profile("ecs", "EcsRamRole", &[]),
            ])
            .granted("inner:end", Calls::METADATA_ROLE_AND_KEY.and_assume_role(1)),
        Case::new("CredentialsURI")
            .profile("CredentialsURI", &[&uri])
            .granted("url:sidecar", Calls::URL),
        Case::new("ChainableRamRoleArn over a URL")
            .profiles(&[
                profile(
                    "end",
                    "ChainableRamRoleArn",
                    &[&role("last", "end"), &source("url")],
                ),
                profile("url", "CredentialsURI", &[&uri]),
            ])
            .granted("last:end", Calls::URL.and_assume_role(1)),
        Case::new("OIDC")
            .profile("OIDC", &[&oidc, &role("pod", "app")])
            .file("token", fixture.pod_token(3600))
            .granted("pod:app", Calls::OIDC),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn profile_that_a_process_prints_logs_in() {
    let fixture = ClientFixture::start();
    let command = |command: &str| json!({ "process_command": command });
    let prints = |name: &str, printed: &Value| {
        Case::new(name)
            .file("printed", printed.to_string())
            .profile("External", &[&command("cat {home}/printed")])
    };
    for case in [
        prints("AK", &profile("x", "AK", &[&user()])).granted("alice", Calls::NONE),
        prints("StsToken", &profile("x", "StsToken", &[&session()]))
            .granted("dev:alice-example.com", Calls::NONE),
        prints(
            "RamRoleArn",
            &profile("x", "RamRoleArn", &[&user(), &role("deploy", "work")]),
        )
        .granted("deploy:work", Calls::ASSUME_ROLE),
        prints(
            "CredentialsURI",
            &profile(
                "x",
                "CredentialsURI",
                &[&json!({ "credentials_uri": fixture.url.url() })],
            ),
        )
        .granted("url:sidecar", Calls::URL),
        Case::new("quotes, and output around the profile")
            .file(
                "with space.sh",
                format!(
                    "#!/bin/sh\necho hello $1\ncat <<'END'\n{}\nEND\n",
                    profile("x", "AK", &[&user()])
                ),
            )
            .profile("External", &[&command("'{home}/with space.sh' \"a b\"")])
            .granted("alice", Calls::NONE),
        Case::new("a process that fails")
            .file("fail.sh", "#!/bin/sh\necho no session >&2\nexit 3\n")
            .profile("External", &[&command("{home}/fail.sh")])
            .refused(&["no session", "exit status: 3"], Calls::NONE),
        Case::new("no such program")
            .profile("External", &[&command("{home}/missing --now")])
            .refused(&["{home}/missing"], Calls::NONE),
        Case::new("a key that has ended")
            .file(
                "printed",
                profile(
                    "x",
                    "StsToken",
                    &[&session(), &json!({ "sts_expiration": 1_577_836_800 })],
                )
                .to_string(),
            )
            .profile("External", &[&command("cat {home}/printed")])
            .refused(&["2020-01-01T00:00:00Z"], Calls::NONE),
        prints(
            "External again",
            &profile("x", "External", &[&command("true")]),
        )
        .refused(&["External"], Calls::NONE),
        prints("nothing with a mode", &json!({ "a": 1 })).refused(&["mode"], Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn refused_profile_ends_the_search() {
    let fixture = ClientFixture::start();
    let wrong = key_members(&AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    });
    // The INI file has another identity, which must not be used.
    let ini = "[default]\ntype = access_key\naccess_key_id = LTAI5tDemoAlice0000001\n\
               access_key_secret = DemoAliceSecret00000000000001\n";
    let case = |name: &str| Case::new(name).ini(ini);
    for case in [
        case("AK with a wrong secret")
            .profile("AK", &[&wrong])
            .denied(Calls::NONE),
        case("AK without a secret")
            .profile("AK", &[&json!({ "access_key_id": "LTAI5tFakeAccessKeyId001" })])
            .refused(&["access_key_secret", "config.json"], Calls::NONE),
        case("StsToken with a foreign token")
            .profile("StsToken", &[&user(), &json!({ "sts_token": "CAISFake" })])
            .denied(Calls::NONE),
        case("RamRoleArn with a wrong secret")
            .profile("RamRoleArn", &[&wrong, &role("deploy", "work")])
            .refused(&["SignatureDoesNotMatch", "config.json"], Calls::ASSUME_ROLE),
        case("RamRoleArn that does not trust the user")
            .profile("RamRoleArn", &[&user(), &role("inner", "work")])
            .refused(&["NoPermission"], Calls::ASSUME_ROLE),
        case("RamRoleArn with a user's ARN")
            .profile("RamRoleArn", &[&user(), &json!({ "ram_role_arn": demo::USER_ARN, "ram_session_name": "work" })])
            .refused(&["ram_role_arn"], Calls::NONE),
        case("RamRoleArn without a session name")
            .profile("RamRoleArn", &[&user(), &json!({ "ram_role_arn": role_arn("deploy") })])
            .refused(&["ram_session_name"], Calls::NONE),
        case("RamRoleArn with a wrong session name")
            .profile("RamRoleArn", &[&user(), &role("deploy", "a b")])
            .refused(&["ram_session_name"], Calls::NONE),
        case("RamRoleArn beyond the maximum of the role")
            .profile("RamRoleArn", &[&user(), &role("deploy", "work"), &json!({ "expired_seconds": 7200 })])
            .refused(&["InvalidParameter.DurationSeconds", "expired_seconds"], Calls::ASSUME_ROLE),
        case("RamRoleArn with a policy that is none")
            .profile("RamRoleArn", &[&user(), &role("deploy", "work"), &json!({ "policy": "{}" })])
            .refused(&["InvalidParameter.PolicyGrammar", "policy"], Calls::ASSUME_ROLE),
        case("RamRoleArn with another external ID")
            .profile("RamRoleArn", &[&user(), &role("guarded", "work"), &json!({ "external_id": "other" })])
            .refused(&["NoPermission"], Calls::ASSUME_ROLE),
        case("ChainableRamRoleArn in a loop")
            .profiles(&[
                profile("a", "ChainableRamRoleArn", &[&role("deploy", "first"), &source("b")]),
                profile("b", "ChainableRamRoleArn", &[&role("deploy", "second"), &source("a")]),
            ])
            .refused(&["`a`", "`b`"], Calls::NONE),
        case("ChainableRamRoleArn whose second role does not trust the first")
            .profiles(&[
                profile("end", "ChainableRamRoleArn", &[&role("closed", "end"), &source("a")]),
                profile("a", "RamRoleArn", &[&user(), &role("deploy", "first")]),
            ])
            .refused(&["NoPermission"], Calls::NONE.and_assume_role(2)),
        case("OIDC with an expired token")
            .profile("OIDC", &[
                &json!({ "oidc_provider_arn": OIDC_PROVIDER_ARN, "oidc_token_file": "~/token" }),
                &role("pod", "app"),
            ])
            .file("token", fixture.pod_token(-1))
            .refused(&["AuthenticationFail.OIDCToken.Expired", "token"], Calls::OIDC),
        case("RsaKeyPair")
            .profile("RsaKeyPair", &[])
            .refused(&["RsaKeyPair"], Calls::NONE),
        case("BearerToken")
            .profile("BearerToken", &[])
            .refused(&["BearerToken"], Calls::NONE),
        case("Anonymous")
            .profile("Anonymous", &[])
            .refused(&["Anonymous"], Calls::NONE),
        case("a mode in other case")
            .profile("ak", &[&user()])
            .refused(&["ak"], Calls::NONE),
        case("no such profile")
            .profile("AK", &[&user()])
            .args(&["--profile-name", "Default"])
            .refused(&["`Default`"], Calls::NONE),
        case("half a file")
            .file(".aliyun/config.json", "{\"current\":\"default\",\"prof")
            .refused(&["config.json"], Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
}

/// A session that ends within a minute signs no token.
#[tokio::test]
async fn session_that_ends_at_once_is_refused() {
    let fixture = ClientFixture::start();
    let short = json!({ "expired_seconds": 900 });
    // STS dates the end by its own clock: a minute is left.
    fixture.sts().advance(-840);
    let oidc = json!({ "oidc_provider_arn": OIDC_PROVIDER_ARN, "oidc_token_file": "~/token" });
    for case in [
        Case::new("RamRoleArn")
            .profile("RamRoleArn", &[&user(), &role("deploy", "work"), &short])
            .refused(&["ends at"], Calls::ASSUME_ROLE),
        Case::new("ChainableRamRoleArn")
            .profiles(&[
                profile(
                    "end",
                    "ChainableRamRoleArn",
                    &[&role("deploy", "end"), &source("key"), &short],
                ),
                profile("key", "AK", &[&user()]),
            ])
            .refused(&["ends at"], Calls::ASSUME_ROLE),
        Case::new("OIDC")
            .profile("OIDC", &[&oidc, &role("pod", "app"), &short])
            .file("token", fixture.pod_token(3600))
            .refused(&["ends at"], Calls::OIDC),
    ] {
        case.only(Program::Token).check(&fixture).await;
    }
}

/// A key of another service that has ended signs no token.
#[tokio::test]
async fn key_of_a_service_that_has_ended_is_refused() {
    let fixture = ClientFixture::start();
    let ended = ServiceFault::Patch(json!({ "Expiration": "2020-01-01T00:00:00Z" }));
    let key_path = "/latest/meta-data/ram/security-credentials/ecs";
    fixture.url.http.set_fault(Some(ended.clone()));
    fixture.metadata.http.set_fault_of_path(key_path, ended);
    let endpoint = fixture.metadata.http.url();
    let uri = json!({ "credentials_uri": fixture.url.url() });
    let on_ecs = |name: &str| Case::new(name).variable(METADATA_ENDPOINT, &endpoint);
    let texts = ["ended at 2020-01-01T00:00:00Z"];
    for case in [
        on_ecs("EcsRamRole")
            .profile("EcsRamRole", &[])
            .refused(&texts, Calls::METADATA_ROLE_AND_KEY),
        on_ecs("RamRoleArnWithRoleName")
            .profile("RamRoleArnWithRoleName", &[&role("inner", "work")])
            .refused(&texts, Calls::METADATA_ROLE_AND_KEY),
        on_ecs("ecs_ram_role")
            .ini("[default]\ntype = ecs_ram_role\n")
            .refused(&texts, Calls::METADATA_ROLE_AND_KEY),
        Case::new("CredentialsURI")
            .profile("CredentialsURI", &[&uri])
            .refused(&texts, Calls::URL),
        Case::new("credentials_uri")
            .ini(format!(
                "[default]\ntype = credentials_uri\ncredentials_uri = {}\n",
                fixture.url.url()
            ))
            .refused(&texts, Calls::URL),
    ] {
        case.check(&fixture).await;
    }
}

/// The client does not know the end of a pasted key, but the server asks STS.
#[tokio::test]
async fn pasted_key_that_has_ended_is_denied() {
    let fixture = ClientFixture::start();
    fixture.sts().revoke_sessions(demo::SESSION_ARN);
    let section = format!(
        "[default]\ntype = sts\naccess_key_id = {}\naccess_key_secret = {}\nsts_token = {}\n",
        session()["access_key_id"].as_str().unwrap(),
        session()["access_key_secret"].as_str().unwrap(),
        session()["sts_token"].as_str().unwrap(),
    );
    for case in [
        Case::new("StsToken")
            .profile("StsToken", &[&session()])
            .denied(Calls::NONE),
        Case::new("sts").ini(section).denied(Calls::NONE),
        Case::new("RamRoleArn with a temporary key")
            .profile("RamRoleArn", &[&session(), &role("inner", "work")])
            .refused(
                &["InvalidSecurityToken.Expired", "config.json"],
                Calls::ASSUME_ROLE,
            ),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn process_that_does_not_end_is_killed_with_its_children() {
    let fixture = ClientFixture::start();
    let command = json!({ "process_command": "{home}/run.sh" });
    // The child has its own standard output, so that only its death can end it.
    let script = "#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\necho $! >{home}/child\nwait\n";
    let mut timeouts = growing_timeouts();
    // The process must start its child before the time is over.
    let child = loop {
        let timeout = timeouts.next().expect("a child within a minute");
        let case = Case::new("a process that waits")
            .file("run.sh", script)
            .file("child", "")
            .profile("External", &[&command])
            .args(&["--timeout", &timeout])
            .refused(&["did not end in time"], Calls::NONE);
        let home = case.home(&fixture);
        case.check_in(&fixture, &home, Program::Token).await;
        match home.read("child").trim() {
            "" => {}
            child => break PathBuf::from("/proc").join(child),
        }
    };
    eventually("the child is gone", async || !child.exists()).await;

    Case::new("a process that prints without end")
        .file("run.sh", "#!/bin/sh\nexec cat /dev/zero\n")
        .profile("External", &[&command])
        .refused(&["64 KiB"], Calls::NONE)
        .check(&fixture)
        .await;
}
