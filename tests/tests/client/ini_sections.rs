//! Every type of sections in INI files.

use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::case::{Case, profile};
use crate::fixture::{Calls, ClientFixture, key_members, role_arn};

const METADATA_ENDPOINT: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";
const KEY: &str = "access_key_id = LTAI5tDemoAlice0000001\n\
                   access_key_secret = DemoAliceSecret00000000000001\n";

fn section(kind: &str, rest: &str) -> String {
    format!("[default]\ntype = {kind}\n{rest}")
}

fn session(token_name: &str) -> String {
    let key = demo::session_key();
    format!(
        "access_key_id = {}\naccess_key_secret = {}\n{token_name} = {}\n",
        key.id,
        key.secret.expose(),
        key.security_token.unwrap().expose()
    )
}

#[tokio::test]
async fn section_of_each_type_logs_in() {
    let fixture = ClientFixture::start();
    let endpoint = fixture.metadata.http.url();
    let role = format!("{KEY}role_arn = {}\n", role_arn("deploy"));
    let printed = profile("x", "AK", &[&key_members(&demo::user_key())]);
    for case in [
        Case::new("access_key")
            .ini(section("access_key", KEY))
            .granted("alice", Calls::NONE),
        Case::new("access_key with comments, quotes, CRLF and BOM")
            .ini(
                "\u{feff}; mine\r\n[default] # this one\r\ntype=access_key ; a key\r\n\
                 access_key_id = 'LTAI5tDemoAlice0000001'\r\n\
                 access_key_secret = \"DemoAliceSecret00000000000001\" # secret\r\n\
                 enable = true\r\n",
            )
            .granted("alice", Calls::NONE),
        Case::new("sts with sts_token")
            .ini(section("sts", &session("sts_token")))
            .granted("dev:alice-example.com", Calls::NONE),
        Case::new("sts with security_token")
            .ini(section("sts", &session("security_token")))
            .granted("dev:alice-example.com", Calls::NONE),
        Case::new("ram_role_arn")
            .ini(section(
                "ram_role_arn",
                &format!("{role}role_session_name = work\n"),
            ))
            .granted("deploy:work", Calls::ASSUME_ROLE),
        Case::new("ram_role_arn without a session name")
            .ini(section("ram_role_arn", &role))
            .granted("deploy:*", Calls::ASSUME_ROLE),
        Case::new("ecs_ram_role")
            .variable(METADATA_ENDPOINT, &endpoint)
            .ini(section("ecs_ram_role", "role_name = ecs\n"))
            .granted("ecs:i-0001", Calls::METADATA_KEY),
        Case::new("ecs_ram_role without a name")
            .variable(METADATA_ENDPOINT, &endpoint)
            .ini(section("ecs_ram_role", ""))
            .granted("ecs:i-0001", Calls::METADATA_ROLE_AND_KEY),
        Case::new("external")
            .file("printed", printed.to_string())
            .ini(section(
                "external",
                "process_command = cat {home}/printed\n",
            ))
            .granted("alice", Calls::NONE),
        Case::new("credentials_uri")
            .ini(section(
                "credentials_uri",
                &format!("credentials_uri = {}\n", fixture.url.url()),
            ))
            .granted("url:sidecar", Calls::URL),
        Case::new("--profile-file and --profile-name")
            .key_variables(&demo::stranger_key())
            .profile("AK", &[&key_members(&demo::stranger_key())])
            .file("ini", section("access_key", KEY).replace("default", "mine"))
            .args(&["--profile-file", "{home}/ini", "--profile-name", "mine"])
            .granted("alice", Calls::NONE),
        Case::new("the file of the CLI comes first")
            .ini(section("access_key", KEY))
            .profile("StsToken", &[&key_members(&demo::session_key())])
            .granted("dev:alice-example.com", Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn refused_section_gives_no_token() {
    let fixture = ClientFixture::start();
    let ended = profile(
        "x",
        "StsToken",
        &[
            &key_members(&demo::session_key()),
            &json!({ "sts_expiration": 1_577_836_800 }),
        ],
    );
    let in_file = "credentials";
    let role = |name: &str| {
        format!(
            "{KEY}role_session_name = work\nrole_arn = {}\n",
            role_arn(name)
        )
    };
    for case in [
        Case::new("access_key with a wrong secret")
            .ini(section(
                "access_key",
                &KEY.replace("DemoAliceSecret", "OtherSecret"),
            ))
            .denied(Calls::NONE),
        Case::new("access_key without a secret")
            .ini(section(
                "access_key",
                "access_key_id = LTAI5tFakeAccessKeyId001\n",
            ))
            .refused(&["access_key_secret", in_file], Calls::NONE),
        Case::new("sts without a token")
            .ini(section("sts", KEY))
            .refused(&["sts_token", in_file], Calls::NONE),
        Case::new("ram_role_arn that trusts nobody")
            .ini(section("ram_role_arn", &role("closed")))
            .refused(&["NoPermission"], Calls::ASSUME_ROLE),
        Case::new("ram_role_arn that does not exist")
            .ini(section("ram_role_arn", &role("nobody")))
            .refused(&["EntityNotExist.Role", "role_arn"], Calls::ASSUME_ROLE),
        Case::new("external with a key that has ended")
            .file("printed", ended.to_string())
            .ini(section(
                "external",
                "process_command = cat {home}/printed\n",
            ))
            .refused(&["2020-01-01T00:00:00Z"], Calls::NONE),
        Case::new("credentials_uri with another path")
            .ini(section(
                "credentials_uri",
                &format!("credentials_uri = {}/no\n", fixture.url.http.url()),
            ))
            .refused(&["404"], Calls::NONE),
        Case::new("rsa_key_pair")
            .ini(section("rsa_key_pair", ""))
            .refused(&["rsa_key_pair"], Calls::NONE),
        Case::new("bearer")
            .ini(section("bearer", ""))
            .refused(&["bearer"], Calls::NONE),
        Case::new("no type")
            .ini("[default]\n")
            .refused(&["type"], Calls::NONE),
        Case::new("no section")
            .ini(section("access_key", KEY).replace("default", "other"))
            .refused(&["default", in_file], Calls::NONE),
        Case::new("no file at all").refused(&["no key in the environment"], Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
}

/// The key of an instance that ends within a minute signs no token.
#[tokio::test]
async fn section_whose_session_ends_at_once_is_refused() {
    let fixture = ClientFixture::start();
    fixture.sts().advance(-840);
    let rest = format!(
        "{KEY}role_arn = {}\nrole_session_expiration = 900\n",
        role_arn("deploy")
    );
    Case::new("ram_role_arn")
        .ini(section("ram_role_arn", &rest))
        .refused(&["ends at"], Calls::ASSUME_ROLE)
        .check(&fixture)
        .await;
}
