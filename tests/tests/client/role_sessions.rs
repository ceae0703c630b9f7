//! Sessions of roles: cache, end, refusals, and faults of STS.

use ack_ram_core::sign::AccessKey;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::sts::{Fault, demo};

use crate::case::{Case, Program, Run, growing_timeouts};
use crate::fixture::{Calls, ClientFixture, OIDC_PROVIDER_ARN, role_arn};

const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";

fn role(name: &str, key: &AccessKey, role: &str) -> Case {
    let case = Case::new(name).only(Program::Token).key_variables(key);
    case.variable(ROLE_ARN, role_arn(role))
}

#[tokio::test]
async fn session_is_cached_for_each_identity() {
    let fixture = ClientFixture::start();
    let (alice, mallory) = (demo::user_key(), demo::stranger_key());
    let first = role("first", &alice, "last");
    let home = first.home(&fixture);
    let named = role("a name", &alice, "last").args(&["--session-name", "other"]);
    for (case, username, calls) in [
        (first.clone(), "last:*", Calls::ASSUME_ROLE),
        (first.clone(), "last:*", Calls::NONE),
        (
            role("another role", &alice, "deploy"),
            "deploy:*",
            Calls::ASSUME_ROLE,
        ),
        (named.clone(), "last:other", Calls::ASSUME_ROLE),
        (
            role("another key", &mallory, "last"),
            "last:*",
            Calls::ASSUME_ROLE,
        ),
        (
            first.clone().args(&["--no-cache"]),
            "last:*",
            Calls::ASSUME_ROLE,
        ),
        (named, "last:other", Calls::NONE),
        (first, "last:*", Calls::NONE),
    ] {
        let case = case.granted(username, calls);
        case.check_in(&fixture, &home, Program::Token).await;
    }
    // The cache of one identity must not let in another one that STS refuses.
    let refused = role("another key", &mallory, "deploy");
    let refused = refused.refused(&["NoPermission"], Calls::ASSUME_ROLE);
    refused.check_in(&fixture, &home, Program::Token).await;
}

/// kubectl runs a plugin that fails about five times.
#[tokio::test]
async fn refusal_is_remembered() {
    let fixture = ClientFixture::start();
    let case = role("refused", &demo::user_key(), "closed");
    let home = case.home(&fixture);
    let first = case.clone().refused(&["NoPermission"], Calls::ASSUME_ROLE);
    first.check_in(&fixture, &home, Program::Token).await;
    // On a slow machine, the five seconds of a refusal are over before the last run.
    let before = fixture.calls();
    for _ in 0..4 {
        let run = case.run_in(&home, Program::Token);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{}", run.stderr);
        assert!(run.stderr.contains("NoPermission"), "{}", run.stderr);
    }
    let more = fixture.calls().since(before).assume_role;
    assert!(more <= 4, "{more}");
    // Another identity is not refused.
    let other = role("another role", &demo::user_key(), "deploy");
    let other = other.granted("deploy:*", Calls::ASSUME_ROLE);
    other.check_in(&fixture, &home, Program::Token).await;
}

/// A session that STS ends early is denied by the server, and `--no-cache` opens a new one.
#[tokio::test]
async fn revoked_session_is_denied_until_a_new_one_is_opened() {
    let fixture = ClientFixture::start();
    let case = role("a session", &demo::user_key(), "deploy");
    let home = case.home(&fixture);
    let granted = case.clone().granted("deploy:*", Calls::ASSUME_ROLE);
    let run = granted.run_in(&home, Program::Token);
    assert_eq!(fixture.sts().revoke_sessions(&role_arn("deploy")), 1);
    let token = run.token(&run.stderr);
    assert!(
        fixture.review(&token).await.is_err(),
        "the session is revoked"
    );
    let cached = case.clone().denied(Calls::NONE);
    cached.check_in(&fixture, &home, Program::Token).await;
    let new = granted.args(&["--no-cache"]);
    new.check_in(&fixture, &home, Program::Token).await;
}

#[tokio::test]
async fn throttled_call_is_made_once_more() {
    let fixture = ClientFixture::start();
    let case = role("throttled", &demo::user_key(), "deploy");
    let twice = Calls::NONE.and_assume_role(2);
    for fault in [Fault::ThrottleUser, Fault::ThrottleApi] {
        fixture.sts().fault_next_of_action("AssumeRole", 1, fault);
        let granted = case.clone().granted("deploy:*", twice);
        granted.check(&fixture).await;
    }
    for (fault, text) in [
        (Fault::ThrottleUser, "try again in a minute"),
        (Fault::ServiceUnavailable, "try again"),
    ] {
        fixture.sts().fault_next_of_action("AssumeRole", 2, fault);
        let refused = case.clone().refused(&["AssumeRole", text], twice);
        refused.check(&fixture).await;
    }
}

#[tokio::test]
async fn wrong_clock_is_named_with_its_difference() {
    let fixture = ClientFixture::start();
    fixture.sts().advance(86_400);
    let case = role("a day behind", &demo::user_key(), "deploy");
    let texts = [
        "InvalidTimeStamp.Expired",
        "set the clock",
        " s behind the clock of STS",
    ];
    case.refused(&texts, Calls::ASSUME_ROLE)
        .check(&fixture)
        .await;
    fixture.sts().advance(-2 * 86_400);
    let case = role("a day ahead", &demo::user_key(), "deploy");
    let texts = [
        "InvalidTimeStamp.Expired",
        "set the clock",
        " s ahead of the clock of STS",
    ];
    case.refused(&texts, Calls::ASSUME_ROLE)
        .check(&fixture)
        .await;
}

#[tokio::test]
async fn reply_that_is_no_key_is_reported() {
    let fixture = ClientFixture::start();
    let case = role("a fault", &demo::user_key(), "deploy");
    for fault in [
        Fault::Garbage,
        Fault::EndlessBody,
        Fault::CloseInBody,
        Fault::CloseBeforeHeaders,
        Fault::Redirect("https://sts.aliyuncs.com/".to_owned()),
        Fault::Reply {
            status: 200,
            body: "{}".into(),
        },
    ] {
        fixture.sts().set_fault(Some(fault.clone()));
        let run = case.run_in(&case.home(&fixture), Program::Token);
        assert_eq!(
            (run.code, &*run.stdout),
            (Some(1), ""),
            "{fault:?}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains("AssumeRole"),
            "{fault:?}: {}",
            run.stderr
        );
    }
}

#[tokio::test]
async fn hanging_sts_ends_with_the_time_of_the_command() {
    let fixture = ClientFixture::start();
    fixture.sts().set_fault(Some(Fault::Hang));
    let (mut runs, mut timeouts) = (0, growing_timeouts());
    // The call must reach STS before the time is over.
    while fixture.calls().assume_role == 0 {
        let timeout = timeouts.next().expect("a call within a minute");
        let case = role("hanging", &demo::user_key(), "deploy").args(&["--timeout", &timeout]);
        let run = case.run_in(&case.home(&fixture), Program::Token);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{}", run.stderr);
        assert!(run.stderr.contains("AssumeRole"), "{}", run.stderr);
        runs += 1;
    }
    let calls = fixture.calls().assume_role;
    assert!(calls <= runs, "{calls} calls in {runs} runs");
}

/// kubectl asks for a new token at least a minute before the session ends.
#[tokio::test]
async fn token_of_a_short_session_ends_before_the_session() {
    let fixture = ClientFixture::start();
    // STS dates the end by its own clock: five minutes are left.
    fixture.sts().advance(-600);
    let case = role("ends soon", &demo::user_key(), "deploy").args(&["--duration", "15m"]);
    let home = case.home(&fixture);
    for calls in [1, 0] {
        let before = fixture.calls();
        let run = case.run_in(&home, Program::Token);
        let session_end = fixture.sts().now().plus_seconds(900);
        let end = run.expiration(&run.stderr);
        assert!(session_end.seconds_since(end) >= 60, "{end} {session_end}");
        let granted = fixture.review(&run.token(&run.stderr)).await;
        assert_eq!(granted.as_deref(), Ok("deploy:ack-ram-authenticator"));
        assert_eq!(fixture.calls().since(before).assume_role, calls);
    }
}

/// Commands that start at the same time without a cached session open one session.
#[tokio::test]
async fn concurrent_commands_open_one_session() {
    let fixture = ClientFixture::start();
    let case = role("concurrent", &demo::user_key(), "deploy");
    let home = case.home(&fixture);
    fixture.sts().set_fault(Some(Fault::Hold));
    let processes: Vec<_> = (0..12)
        .map(|_| case.spawn_in(&home, Program::Token))
        .collect();
    let first_call = async || fixture.calls().assume_role == 1;
    eventually("the first call", first_call).await;
    fixture.sts().set_fault(None);
    for process in processes {
        let run = Run::wait_for(process);
        let token = run.token(&run.stderr);
        let granted = fixture.review(&token).await;
        assert_eq!(granted.as_deref(), Ok("deploy:ack-ram-authenticator"));
    }
    assert_eq!(fixture.calls(), Calls::ASSUME_ROLE);
}

#[tokio::test]
async fn debug_log_shows_the_way_without_secrets() {
    let fixture = ClientFixture::start();
    let key = demo::user_key();
    let pod_token = fixture.pod_token(3600);
    let url = fixture.guarded_url();
    for case in [
        Case::new("a key")
            .key_variables(&key)
            .granted("alice", Calls::NONE),
        Case::new("a temporary key")
            .key_variables(&demo::session_key())
            .granted("dev:alice-example.com", Calls::NONE),
        role("a role", &key, "deploy").granted("deploy:*", Calls::ASSUME_ROLE),
        role("a role that refuses", &key, "closed").refused(&["NoPermission"], Calls::ASSUME_ROLE),
        Case::new("OIDC")
            .variable(ROLE_ARN, role_arn("pod"))
            .variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", OIDC_PROVIDER_ARN)
            .variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "{home}/token")
            .file("token", &pod_token)
            .granted("pod:*", Calls::OIDC),
        Case::new("a URL with a password")
            .variable("ALIBABA_CLOUD_CREDENTIALS_URI", url.url())
            .granted("url:sidecar", Calls::NONE),
        Case::new("the metadata service")
            .variable("ALIBABA_CLOUD_ECS_METADATA", "ecs")
            .variable("ALIBABA_CLOUD_IMDS_ENDPOINT", fixture.metadata.http.url())
            .granted("ecs:i-0001", Calls::METADATA_KEY),
    ] {
        case.with_debug_log().check(&fixture).await;
    }
}

/// A cache that cannot be written is done without, silently.
#[tokio::test]
async fn role_is_assumed_without_a_home_or_a_cache() {
    let fixture = ClientFixture::start();
    let user = || role("no home", &demo::user_key(), "deploy");
    for case in [
        user().variable("HOME", "/dev/null/home"),
        user().variable("HOME", ""),
        user().args(&["--cache-dir", "/dev/null/cache"]),
        user().file(".kube", "a file in place of the folder"),
    ] {
        let granted = case.granted("deploy:*", Calls::ASSUME_ROLE);
        let home = granted.home(&fixture);
        for _ in 0..2 {
            granted.check_in(&fixture, &home, Program::Token).await;
        }
    }
}
