//! Sources in the environment, in their order.

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::http_service::ServiceFault;
use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::case::{Case, Program};
use crate::fixture::{Calls, ClientFixture, EXTERNAL_ID, OIDC_PROVIDER_ARN, key_members, role_arn};

const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const OIDC_PROVIDER: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
const METADATA: &str = "ALIBABA_CLOUD_ECS_METADATA";
const METADATA_ENDPOINT: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";
const CREDENTIALS_FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
const SESSION_NAME: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";

fn wrong_secret() -> AccessKey {
    AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    }
}

/// Returns a case with the variables that RRSA sets.
fn pod(fixture: &ClientFixture, name: &str) -> Case {
    Case::new(name)
        .variable(ROLE_ARN, role_arn("pod"))
        .variable(OIDC_PROVIDER, OIDC_PROVIDER_ARN)
        .variable(OIDC_FILE, "{home}/token")
        .file("token", fixture.pod_token(3600))
}

fn user(name: &str) -> Case {
    Case::new(name).key_variables(&demo::user_key())
}

#[tokio::test]
async fn each_row_of_the_environment_logs_in() {
    let fixture = ClientFixture::start();
    let url = fixture.url.url();
    let endpoint = fixture.metadata.http.url();
    let deploy = || role_arn("deploy");
    let section = "[default]\ntype = access_key\naccess_key_id = LTAI5tDemoAlice0000001\n\
                   access_key_secret = DemoAliceSecret00000000000001\n";
    let role_section = section.replace(
        "access_key\n",
        "ram_role_arn\nrole_arn = acs:ram::1234567890123456:role/deploy\n",
    );
    for case in [
        Case::new("1: a temporary key; the role is not looked at")
            .key_variables(&demo::session_key())
            .variable(ROLE_ARN, deploy())
            .granted("dev:alice-example.com", Calls::NONE),
        pod(&fixture, "2: OIDC").granted("pod:*", Calls::OIDC),
        pod(&fixture, "2: OIDC with a session name")
            .variable(SESSION_NAME, "app")
            .granted("pod:app", Calls::OIDC),
        pod(&fixture, "2: OIDC before a key with the role")
            .key_variables(&demo::user_key())
            .granted("pod:*", Calls::OIDC),
        pod(&fixture, "2: OIDC; the token file ends with a newline")
            .file("token", format!("{}\n", fixture.pod_token(3600)))
            .granted("pod:*", Calls::OIDC),
        user("3: a role")
            .variable(ROLE_ARN, deploy())
            .granted("deploy:*", Calls::ASSUME_ROLE),
        user("3: a role with a session name")
            .variable(ROLE_ARN, deploy())
            .variable("ALICLOUD_ROLE_SESSION_NAME", "second")
            .variable(SESSION_NAME, "first")
            .granted("deploy:first", Calls::ASSUME_ROLE),
        user("3: a role that requires an external ID")
            .variable(ROLE_ARN, role_arn("guarded"))
            .variable("ALIBABA_CLOUD_EXTERNAL_ID", EXTERNAL_ID)
            .granted("guarded:*", Calls::ASSUME_ROLE),
        user("4: a permanent key").granted("alice", Calls::NONE),
        user("4: a permanent key before everything after it")
            .variable(URI, &url)
            .variable(METADATA, "ecs")
            .variable(CREDENTIALS_FILE, "{home}/missing")
            .granted("alice", Calls::NONE),
        Case::new("5: a URL, before the metadata service")
            .variable(URI, &url)
            .variable(METADATA, "ecs")
            .granted("url:sidecar", Calls::URL),
        Case::new("6: the metadata service, before a file")
            .variable(METADATA, "ecs")
            .variable(METADATA_ENDPOINT, &endpoint)
            .variable(CREDENTIALS_FILE, "{home}/missing")
            .granted("ecs:i-0001", Calls::METADATA_KEY),
        Case::new("7: an INI file, before the file of the CLI")
            .variable(CREDENTIALS_FILE, "{home}/ini")
            .file("ini", section)
            .profile("AK", &[&key_members(&demo::root_key())])
            .granted("alice", Calls::NONE),
        Case::new("7: a section of an INI file")
            .variable(CREDENTIALS_FILE, "{home}/ini")
            .variable("ALIBABA_CLOUD_PROFILE", "mine")
            .file("ini", section.replace("default", "mine"))
            .granted("alice", Calls::NONE),
        Case::new("7: a role in an INI file")
            .variable(CREDENTIALS_FILE, "{home}/ini")
            .file("ini", role_section)
            .granted("deploy:default-session-name", Calls::ASSUME_ROLE),
        Case::new("a half key is passed over")
            .variable("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001")
            .profile("AK", &[&key_members(&demo::user_key())])
            .granted("alice", Calls::NONE)
            .warns("ALIBABA_CLOUD_ACCESS_KEY_ID"),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn key_of_each_family_of_variables_logs_in() {
    const FAMILIES: [[&str; 3]; 5] = [
        [
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIBABA_CLOUD_SECURITY_TOKEN",
        ],
        [
            "ALICLOUD_ACCESS_KEY",
            "ALICLOUD_SECRET_KEY",
            "ALICLOUD_ACCESS_KEY_STS_TOKEN",
        ],
        [
            "ALIBABACLOUD_ACCESS_KEY_ID",
            "ALIBABACLOUD_ACCESS_KEY_SECRET",
            "ALIBABACLOUD_SECURITY_TOKEN",
        ],
        [
            "ALICLOUD_ACCESS_KEY_ID",
            "ALICLOUD_ACCESS_KEY_SECRET",
            "ALICLOUD_SECURITY_TOKEN",
        ],
        ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"],
    ];
    let fixture = ClientFixture::start();
    let set = |case: Case, names: [&str; 3], key: &AccessKey| {
        let case = case
            .variable(names[0], key.id.as_str())
            .variable(names[1], key.secret.expose());
        match &key.security_token {
            Some(token) => case.variable(names[2], token.expose()),
            None => case,
        }
    };
    for (place, names) in FAMILIES.into_iter().enumerate() {
        let permanent = set(Case::new(names[0]), names, &demo::user_key());
        let mut permanent = permanent.granted("alice", Calls::NONE);
        // The first family that is set wins.
        for later in FAMILIES.into_iter().skip(place + 1) {
            permanent = set(permanent, later, &demo::stranger_key());
        }
        permanent.check(&fixture).await;
        let temporary = set(Case::new(names[2]), names, &demo::session_key());
        let temporary = temporary.granted("dev:alice-example.com", Calls::NONE);
        temporary.check(&fixture).await;
    }
}

#[tokio::test]
async fn refused_row_ends_the_search() {
    let fixture = ClientFixture::start();
    // No other source may take the place of the one that is refused.
    let alice = key_members(&demo::user_key());
    let other = |case: Case| case.profile("AK", &[&alice]);
    let pod = |name: &str| other(pod(&fixture, name));
    let role = |name: &str, role: &str| other(user(name).variable(ROLE_ARN, role_arn(role)));
    for case in [
        other(Case::new("4: a wrong secret").key_variables(&wrong_secret())).denied(Calls::NONE),
        other(user("3: a user in place of a role").variable(ROLE_ARN, demo::USER_ARN))
            .refused(&[ROLE_ARN, "a user"], Calls::NONE),
        role("3: a role that does not exist", "nobody")
            .refused(&["EntityNotExist.Role", ROLE_ARN], Calls::ASSUME_ROLE),
        role("3: a role that trusts nobody", "closed")
            .refused(&["NoPermission", "trust policy"], Calls::ASSUME_ROLE),
        role("3: no external ID", "guarded").refused(&["NoPermission"], Calls::ASSUME_ROLE),
        other(
            Case::new("3: the key of an account")
                .key_variables(&demo::root_key())
                .variable(ROLE_ARN, role_arn("last")),
        )
        .refused(&["NoPermission", "root"], Calls::ASSUME_ROLE),
        other(
            Case::new("3: a wrong secret")
                .key_variables(&wrong_secret())
                .variable(ROLE_ARN, role_arn("deploy")),
        )
        .refused(
            &["SignatureDoesNotMatch", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
            Calls::ASSUME_ROLE,
        ),
        pod("2: the token has expired")
            .file("token", fixture.pod_token(-1))
            .refused(
                &["AuthenticationFail.OIDCToken.Expired", "{home}/token"],
                Calls::OIDC,
            ),
        pod("2: the token is damaged")
            .file("token", "a.b.c")
            .refused(&["AuthenticationFail.OIDCToken.Invalid"], Calls::OIDC),
        pod("2: no such provider")
            .variable(OIDC_PROVIDER, "acs:ram::1234567890123456:oidc-provider/no")
            .refused(&["AuthenticationFail.NoPermission"], Calls::OIDC),
        pod("2: the role does not trust the provider")
            .variable(ROLE_ARN, role_arn("deploy"))
            .refused(&["AuthenticationFail.NoPermission"], Calls::OIDC),
        pod("2: no token file")
            .variable(OIDC_FILE, "{home}/missing")
            .refused(&["{home}/missing"], Calls::NONE),
        other(Case::new("5: another path").variable(URI, format!("{}/no", fixture.url.http.url())))
            .refused(&["404", URI], Calls::NONE),
        other(
            Case::new("6: another role")
                .variable(METADATA, "nobody")
                .variable(METADATA_ENDPOINT, fixture.metadata.http.url()),
        )
        .refused(&[METADATA], Calls::METADATA_KEY),
        other(Case::new("7: no file").variable(CREDENTIALS_FILE, "{home}/missing"))
            .refused(&["{home}/missing", CREDENTIALS_FILE], Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn key_that_has_ended_is_refused() {
    let fixture = ClientFixture::start();
    let ended = ServiceFault::Patch(json!({ "Expiration": "2020-01-01T00:00:00Z" }));
    fixture.url.http.set_fault(Some(ended.clone()));
    let key_path = "/latest/meta-data/ram/security-credentials/ecs";
    fixture.metadata.http.set_fault_of_path(key_path, ended);
    for case in [
        Case::new("5: a URL")
            .variable(URI, fixture.url.url())
            .refused(&["ended at 2020-01-01T00:00:00Z"], Calls::URL),
        Case::new("6: the metadata service")
            .variable(METADATA, "ecs")
            .variable(METADATA_ENDPOINT, fixture.metadata.http.url())
            .refused(&["ended at 2020-01-01T00:00:00Z"], Calls::METADATA_KEY),
    ] {
        case.check(&fixture).await;
    }

    // STS dates the end by its own clock: a minute is left.
    fixture.sts().advance(-840);
    user("3: a role")
        .variable(ROLE_ARN, role_arn("deploy"))
        .only(Program::Token)
        .args(&["--duration", "15m"])
        .refused(&["ends at"], Calls::ASSUME_ROLE)
        .check(&fixture)
        .await;
    fixture.sts().advance(840);

    let session = Case::new("1: a temporary key")
        .key_variables(&demo::session_key())
        .only(Program::Token)
        .args(&["--no-cache"]);
    session
        .clone()
        .granted("dev:alice-example.com", Calls::NONE)
        .check(&fixture)
        .await;
    // The client does not know the end of such a key, but the server asks STS.
    assert_eq!(fixture.sts().revoke_sessions(demo::SESSION_ARN), 1);
    fixture.wait_for_the_next_second().await;
    session.denied(Calls::NONE).check(&fixture).await;
}
