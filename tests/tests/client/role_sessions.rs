//! Sessions of roles: cache, end, refusals, and faults of STS.

use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Fault, demo};

use crate::case::{Case, Program};
use crate::fixture::{Calls, ClientFixture, role_arn};

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
    let case = role("hanging", &demo::user_key(), "deploy").args(&["--timeout", "1s"]);
    case.refused(&["AssumeRole"], Calls::ASSUME_ROLE)
        .check(&fixture)
        .await;
}
