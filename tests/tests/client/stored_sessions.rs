//! CloudSSO and OAuth sessions, which the client writes back into the file of the CLI.

use ack_ram_core::time::UnixTime;
use ack_ram_tests::http_service::ServiceFault;
use ack_ram_tests::oauth::{EXCHANGE_PATH, OAuth, OAuthTokens, TOKEN_PATH};
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::case::{CLI_FILE, Case, Program, Run, profile};
use crate::fixture::{
    Calls, ClientFixture, SIGN_IN_URL, SSO_ACCOUNT, SSO_CONFIGURATION, key_members, role_arn,
};

const SSO_KEY: Calls = Calls {
    cloud_sso: 1,
    ..Calls::NONE
};
const EXCHANGE: Calls = Calls {
    exchange: 1,
    ..Calls::NONE
};
const REFRESH_AND_EXCHANGE: Calls = Calls {
    refresh: 1,
    exchange: 1,
    ..Calls::NONE
};
const REFRESH: Calls = Calls {
    refresh: 1,
    ..Calls::NONE
};

fn cloud_sso_members(token: &(String, UnixTime)) -> Value {
    json!({
        "cloud_sso_sign_in_url": SIGN_IN_URL,
        "cloud_sso_account_id": SSO_ACCOUNT,
        "cloud_sso_access_config": SSO_CONFIGURATION,
        "access_token": token.0,
        "cloud_sso_access_token_expire": token.1.seconds(),
    })
}

fn oauth_members(site: &str, tokens: &OAuthTokens) -> Value {
    json!({
        "oauth_site_type": site,
        "oauth_access_token": tokens.access_token,
        "oauth_access_token_expire": tokens.expires.seconds(),
        "oauth_refresh_token": tokens.refresh_token,
    })
}

/// Returns the members of the last key of a session.
fn session(seconds: i64, fixture: &ClientFixture) -> Value {
    let mut members = key_members(&demo::session_key());
    members["sts_expiration"] = (fixture.sts().now().seconds() + seconds).into();
    members
}

fn sites(fixture: &ClientFixture) -> [(&'static str, &OAuth, &'static str); 2] {
    [
        ("CN", &fixture.oauth_china, "dave"),
        ("INTL", &fixture.oauth_international, "erin"),
    ]
}

#[tokio::test]
async fn cloud_sso_session_logs_in() {
    let fixture = ClientFixture::start();
    let alive = fixture.cloud_sso.sign_in(3600);
    let ended = fixture.cloud_sso.sign_in(-1);
    for case in [
        Case::new("an access token")
            .profile("CloudSSO", &[&cloud_sso_members(&alive)])
            .granted("sso:carol", SSO_KEY),
        Case::new("the last key has ended")
            .profile(
                "CloudSSO",
                &[&cloud_sso_members(&alive), &session(-1, &fixture)],
            )
            .granted("sso:carol", SSO_KEY),
        Case::new("the last key lives, without a look at the access token")
            .profile(
                "CloudSSO",
                &[&cloud_sso_members(&ended), &session(3600, &fixture)],
            )
            .granted("dev:alice-example.com", Calls::NONE),
    ] {
        case.check(&fixture).await;
    }
}

#[tokio::test]
async fn cloud_sso_key_is_written_back_and_used_again() {
    let fixture = ClientFixture::start();
    let alive = fixture.cloud_sso.sign_in(3600);
    let mut members = cloud_sso_members(&alive);
    members["unknown_member"] = json!({ "stays": [1, 2] });
    let case = Case::new("twice").profile("CloudSSO", &[&members]);
    let home = case.home(&fixture);
    let first = case.clone().granted("sso:carol", SSO_KEY);
    first.check_in(&fixture, &home, Program::Token).await;
    let profile = home.first_profile();
    for (member, value) in members.as_object().unwrap() {
        assert_eq!(profile[member], *value, "{member}");
    }
    for member in ["access_key_id", "access_key_secret", "sts_token"] {
        assert!(profile[member].is_string(), "{member}");
    }
    assert!(profile["sts_expiration"].as_i64() > Some(fixture.sts().now().seconds()));
    // A person who has signed out keeps the key until its end.
    fixture.cloud_sso.sign_out();
    let again = case.granted("sso:carol", Calls::NONE);
    again.check_in(&fixture, &home, Program::GetToken).await;
}

#[tokio::test]
async fn cloud_sso_session_that_has_ended_asks_to_sign_in() {
    let fixture = ClientFixture::start();
    let alive = fixture.cloud_sso.sign_in(3600);
    let ended = fixture.cloud_sso.sign_in(-1);
    let sign_in = "aliyun configure --mode CloudSSO --profile default";
    let mut other = cloud_sso_members(&alive);
    other["cloud_sso_access_config"] = "ac-00fakenobody".into();
    let foreign = ("CloudSsoFakeForeign".to_owned(), alive.1);
    for case in [
        Case::new("no access token")
            .profile(
                "CloudSSO",
                &[&json!({
                    "cloud_sso_sign_in_url": SIGN_IN_URL,
                    "cloud_sso_account_id": SSO_ACCOUNT,
                    "cloud_sso_access_config": SSO_CONFIGURATION,
                })],
            )
            .refused(&[sign_in], Calls::NONE),
        Case::new("everything has ended")
            .profile(
                "CloudSSO",
                &[&cloud_sso_members(&ended), &session(-1, &fixture)],
            )
            .refused(&[sign_in, "ended"], Calls::NONE),
        Case::new("a foreign access token")
            .profile("CloudSSO", &[&cloud_sso_members(&foreign)])
            .refused(&[sign_in, "InvalidAccessToken"], SSO_KEY),
        Case::new("another access configuration")
            .profile("CloudSSO", &[&other])
            .refused(&["NoPermission"], SSO_KEY),
    ] {
        case.check(&fixture).await;
    }
    for (fault, text) in [
        (ServiceFault::Status(500), "500"),
        (ServiceFault::Html, "malformed"),
        (ServiceFault::EndlessBody, "too large"),
        (ServiceFault::Redirect(SIGN_IN_URL.to_owned()), "302"),
        (ServiceFault::Close, "did not answer"),
        (
            ServiceFault::Patch(json!({ "CloudCredential": { "SecurityToken": null } })),
            "`SecurityToken`",
        ),
        (
            ServiceFault::Patch(
                json!({ "CloudCredential": { "Expiration": "2020-01-01T00:00:00Z" } }),
            ),
            "2020-01-01",
        ),
    ] {
        fixture.cloud_sso.http.set_fault(Some(fault.clone()));
        let case = Case::new(&format!("{fault:?}")).only(Program::Token);
        let case = case.profile("CloudSSO", &[&cloud_sso_members(&alive)]);
        case.refused(&[text], SSO_KEY).check(&fixture).await;
    }
}

#[tokio::test]
async fn oauth_session_of_each_site_logs_in() {
    let fixture = ClientFixture::start();
    for (site, oauth, username) in sites(&fixture) {
        for (name, access_seconds, last_key, expected, calls) in [
            ("an access token", 3600, None, username, EXCHANGE),
            (
                "an access token that has ended",
                -1,
                None,
                username,
                REFRESH_AND_EXCHANGE,
            ),
            ("the last key has ended", 3600, Some(-1), username, EXCHANGE),
            (
                "the last key lives",
                -1,
                Some(3600),
                "dev:alice-example.com",
                Calls::NONE,
            ),
        ] {
            for program in [Program::Token, Program::GetToken] {
                oauth.set_access_seconds(access_seconds);
                let tokens = oauth.sign_in();
                oauth.set_access_seconds(3600);
                let mut members = oauth_members(site, &tokens);
                if let Some(seconds) = last_key {
                    for (member, value) in session(seconds, &fixture).as_object().unwrap() {
                        members[member] = value.clone();
                    }
                }
                let case = Case::new(&format!("{site}: {name}")).only(program);
                let case = case.profile("OAuth", &[&members]);
                case.granted(expected, calls).check(&fixture).await;
            }
        }
    }
}

#[tokio::test]
async fn rotated_refresh_token_is_written_back() {
    let fixture = ClientFixture::start();
    for (site, oauth, username) in sites(&fixture) {
        oauth.set_access_seconds(-1);
        let tokens = oauth.sign_in();
        oauth.set_access_seconds(3600);
        let case = Case::new(site).profile("OAuth", &[&oauth_members(site, &tokens)]);
        let home = case.home(&fixture);
        let first = case.clone().granted(username, REFRESH_AND_EXCHANGE);
        first.check_in(&fixture, &home, Program::Token).await;
        let stored = home.first_profile();
        assert_eq!(stored["oauth_refresh_token"], json!(oauth.refresh_token()));
        assert_ne!(stored["oauth_access_token"], tokens.access_token);
        let again = case.clone().granted(username, Calls::NONE);
        again.check_in(&fixture, &home, Program::GetToken).await;

        // When everything but the refresh token has ended, the new one works once more.
        let mut config: Value = serde_json::from_str(&home.read(CLI_FILE)).unwrap();
        config["profiles"][0]["sts_expiration"] = 1.into();
        config["profiles"][0]["oauth_access_token_expire"] = 1.into();
        home.write(CLI_FILE, &config.to_string());
        first.check_in(&fixture, &home, Program::Token).await;
        let stored = home.first_profile();
        assert_eq!(stored["oauth_refresh_token"], json!(oauth.refresh_token()));
    }
}

/// The clock of this machine or of the service is wrong.
#[tokio::test]
async fn access_token_that_only_the_service_takes_for_ended_is_renewed() {
    let fixture = ClientFixture::start();
    for (site, oauth, username) in sites(&fixture) {
        oauth.set_access_seconds(-1);
        let tokens = oauth.sign_in();
        oauth.set_access_seconds(3600);
        let mut members = oauth_members(site, &tokens);
        let end = fixture.sts().now().seconds() + 3600;
        members["oauth_access_token_expire"] = end.into();
        let case = Case::new(site).profile("OAuth", &[&members]);
        let home = case.home(&fixture);
        let calls = Calls {
            refresh: 1,
            exchange: 2,
            ..Calls::NONE
        };
        let case = case.granted(username, calls);
        case.check_in(&fixture, &home, Program::Token).await;
        let stored = home.first_profile();
        assert_eq!(stored["oauth_refresh_token"], json!(oauth.refresh_token()));
    }
}

/// The new refresh token is in the file even if the exchange after it fails.
#[tokio::test]
async fn refresh_token_survives_a_failed_exchange() {
    let fixture = ClientFixture::start();
    let oauth = &fixture.oauth_china;
    for fault in [
        ServiceFault::Status(500),
        ServiceFault::Close,
        ServiceFault::Html,
        ServiceFault::EndlessBody,
    ] {
        oauth.set_access_seconds(-1);
        let tokens = oauth.sign_in();
        oauth.set_access_seconds(3600);
        let case = Case::new(&format!("{fault:?}"));
        let case = case.profile("OAuth", &[&oauth_members("CN", &tokens)]);
        let home = case.home(&fixture);
        oauth.http.set_fault_of_path(EXCHANGE_PATH, fault);
        let failed = case.clone().refused(&["OAuth"], REFRESH_AND_EXCHANGE);
        failed.check_in(&fixture, &home, Program::Token).await;
        let stored = home.first_profile();
        assert_eq!(stored["oauth_refresh_token"], json!(oauth.refresh_token()));
        oauth.http.set_fault(None);
        let again = case.granted("dave", EXCHANGE);
        again.check_in(&fixture, &home, Program::Token).await;
    }
}

#[tokio::test]
async fn oauth_session_that_has_ended_asks_to_sign_in() {
    let fixture = ClientFixture::start();
    for (site, oauth, _) in sites(&fixture) {
        let sign_in =
            format!("aliyun configure --mode OAuth --oauth-site-type {site} --profile default");
        oauth.set_access_seconds(-1);
        let used = oauth.sign_in();
        let ended = oauth.sign_in();
        oauth.set_access_seconds(3600);
        let mut without = oauth_members(site, &ended);
        without
            .as_object_mut()
            .unwrap()
            .remove("oauth_refresh_token");
        for case in [
            Case::new("a refresh token that was used")
                .profile("OAuth", &[&oauth_members(site, &used)])
                .refused(&[&sign_in, "invalid_grant"], REFRESH),
            Case::new("no refresh token")
                .profile("OAuth", &[&without])
                .refused(&[&sign_in], Calls::NONE),
        ] {
            case.check(&fixture).await;
        }
        let alive = oauth.sign_in();
        oauth.sign_out();
        let case = Case::new("signed out").only(Program::Token);
        let case = case.profile("OAuth", &[&oauth_members(site, &alive)]);
        // The client also tries the refresh token.
        case.refused(&[&sign_in, "invalid_grant"], REFRESH_AND_EXCHANGE)
            .check(&fixture)
            .await;
    }
}

#[tokio::test]
async fn fault_of_the_oauth_service_is_reported() {
    let fixture = ClientFixture::start();
    let oauth = &fixture.oauth_china;
    for (path, fault, text) in [
        (TOKEN_PATH, ServiceFault::Status(500), "500"),
        (TOKEN_PATH, ServiceFault::Status(429), "throttles"),
        (TOKEN_PATH, ServiceFault::Html, "malformed"),
        (
            TOKEN_PATH,
            ServiceFault::Patch(json!({ "refresh_token": null })),
            "`refresh_token`",
        ),
        (
            TOKEN_PATH,
            ServiceFault::Patch(json!({ "expires_in": null })),
            "`expires_in`",
        ),
        (EXCHANGE_PATH, ServiceFault::Status(503), "503"),
        (
            EXCHANGE_PATH,
            ServiceFault::Redirect("https://oauth.aliyun.com/".into()),
            "302",
        ),
        (
            EXCHANGE_PATH,
            ServiceFault::Patch(json!({ "securityToken": null })),
            "`securityToken`",
        ),
        (
            EXCHANGE_PATH,
            ServiceFault::Patch(json!({ "expiration": "2020-01-01T00:00:00Z" })),
            "2020-01-01",
        ),
    ] {
        oauth.set_access_seconds(-1);
        let tokens = oauth.sign_in();
        oauth.set_access_seconds(3600);
        oauth.http.set_fault_of_path(path, fault.clone());
        let case = Case::new(&format!("{path} {fault:?}")).only(Program::Token);
        let case = case.profile("OAuth", &[&oauth_members("CN", &tokens)]);
        let calls = if path == TOKEN_PATH {
            REFRESH
        } else {
            REFRESH_AND_EXCHANGE
        };
        case.refused(&[text], calls).check(&fixture).await;
    }
}

/// A session can be the source of a role, and is written back into its own profile.
#[tokio::test]
async fn role_over_a_session_is_assumed() {
    let fixture = ClientFixture::start();
    let oauth = &fixture.oauth_china;
    let end = json!({
        "source_profile": "session",
        "ram_role_arn": role_arn("last"),
        "ram_session_name": "end",
    });
    let end = profile("end", "ChainableRamRoleArn", &[&end]);
    let sso = cloud_sso_members(&fixture.cloud_sso.sign_in(3600));
    let sso = profile("session", "CloudSSO", &[&sso]);
    let case = Case::new("CloudSSO").profiles(&[end.clone(), sso]);
    let home = case.home(&fixture);
    let granted = case.granted("last:end", SSO_KEY.and_assume_role(1));
    granted.check_in(&fixture, &home, Program::Token).await;
    assert_eq!(home.first_profile(), end);
    assert!(home.read(CLI_FILE).contains("sts_expiration"));

    oauth.set_access_seconds(-1);
    let tokens = oauth.sign_in();
    oauth.set_access_seconds(3600);
    let session = profile("session", "OAuth", &[&oauth_members("CN", &tokens)]);
    let case = Case::new("OAuth").profiles(&[end.clone(), session]);
    let home = case.home(&fixture);
    let granted = case.granted("last:end", REFRESH_AND_EXCHANGE.and_assume_role(1));
    granted.check_in(&fixture, &home, Program::Token).await;
    assert_eq!(home.first_profile(), end);
    assert!(
        home.read(CLI_FILE)
            .contains(&oauth.refresh_token().unwrap())
    );
}

/// A refresh token is good for one use, so commands that start at the same time must not use it twice.
#[tokio::test]
async fn concurrent_commands_refresh_once() {
    let fixture = ClientFixture::start();
    let oauth = &fixture.oauth_china;
    oauth.set_access_seconds(-1);
    let tokens = oauth.sign_in();
    oauth.set_access_seconds(3600);
    let case = Case::new("concurrent").profile("OAuth", &[&oauth_members("CN", &tokens)]);
    let home = case.home(&fixture);
    let processes: Vec<_> = (0..8)
        .map(|_| case.spawn_in(&home, Program::Token))
        .collect();
    for process in processes {
        let run = Run::wait_for(process);
        let granted = fixture.review(&run.token(&run.stderr)).await;
        assert_eq!(granted.as_deref(), Ok("dave"), "{}", run.stderr);
    }
    assert_eq!(fixture.calls(), REFRESH_AND_EXCHANGE);
    let stored = home.first_profile();
    assert_eq!(stored["oauth_refresh_token"], json!(oauth.refresh_token()));
}

#[tokio::test]
async fn debug_log_shows_no_token_of_a_session() {
    let fixture = ClientFixture::start();
    let sso = cloud_sso_members(&fixture.cloud_sso.sign_in(3600));
    let case = Case::new("CloudSSO").profile("CloudSSO", &[&sso]);
    let case = case.granted("sso:carol", SSO_KEY).with_debug_log();
    case.check(&fixture).await;
    let oauth = &fixture.oauth_china;
    oauth.set_access_seconds(-1);
    let tokens = oauth.sign_in();
    oauth.set_access_seconds(3600);
    let case = Case::new("OAuth").profile("OAuth", &[&oauth_members("CN", &tokens)]);
    let case = case.only(Program::Token).with_debug_log();
    let granted = case.clone().granted("dave", REFRESH_AND_EXCHANGE);
    granted.check(&fixture).await;
    let refused = case.refused(&["invalid_grant"], REFRESH);
    refused.check(&fixture).await;
}

/// If the reply with the new refresh token is lost, only the person can start a new session.
#[tokio::test]
async fn lost_refresh_token_asks_to_sign_in() {
    let fixture = ClientFixture::start();
    let oauth = &fixture.oauth_china;
    oauth.set_access_seconds(-1);
    let tokens = oauth.sign_in();
    oauth.set_access_seconds(3600);
    let case = Case::new("lost").profile("OAuth", &[&oauth_members("CN", &tokens)]);
    let home = case.home(&fixture);
    let before = home.read(CLI_FILE);
    oauth.http.fault_next(1, ServiceFault::Close);
    let lost = case.clone().refused(&["did not answer"], REFRESH);
    lost.check_in(&fixture, &home, Program::Token).await;
    let used = case.refused(&["invalid_grant", "aliyun configure --mode OAuth"], REFRESH);
    used.check_in(&fixture, &home, Program::Token).await;
    assert_eq!(home.read(CLI_FILE), before);
}
