//! Cached sessions of roles that end soon, and clocks that are wrong.
//!
//! The tests change the times in the cache, which has the same effect as a clock that was different when the session was
//! cached. Only the side of a limit on which time takes the entry is close to the limit, so a slow machine does not matter.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_tests::dates;
use ack_ram_tests::sts::{Fault, demo};

use crate::case::{Case, Home, Program};
use crate::fixture::{Calls, ClientFixture, role_arn};

const DAY: i64 = 86_400;
const USERNAME: &str = "deploy:*";

fn case(name: &str) -> Case {
    let case = Case::new(name).only(Program::Token);
    case.key_variables(&demo::user_key())
        .variable("ALIBABA_CLOUD_ROLE_ARN", role_arn("deploy"))
}

fn id_of_cached_key(home: &Home) -> AccessKeyId {
    home.cached_key().key.id
}

/// Logs in, and changes the cached session as if it had been obtained `age` seconds ago, and had `left` seconds left.
async fn cached_session(fixture: &ClientFixture, age: i64, left: i64) -> (Home, AccessKeyId) {
    let case = case("first command").granted(USERNAME, Calls::ASSUME_ROLE);
    let home = case.home(fixture);
    case.check_in(fixture, &home, Program::Token).await;
    let now = dates::now();
    home.redate_cached_key(now.plus_seconds(-age), now.plus_seconds(left));
    let id = id_of_cached_key(&home);
    (home, id)
}

/// Ten minutes, or a quarter of the lifetime if that is less.
#[tokio::test]
async fn session_is_used_without_a_call_until_its_renewal() {
    let fixture = ClientFixture::start();
    for (age, left) in [(2400, 1200), (5, 599)] {
        let (home, id) = cached_session(&fixture, age, left).await;
        let case = case(&format!("{left} s left")).granted(USERNAME, Calls::NONE);
        case.check_in(&fixture, &home, Program::Token).await;
        assert_eq!(id_of_cached_key(&home), id, "{left}");
    }
}

#[tokio::test]
async fn session_near_its_end_is_renewed_by_one_call() {
    let fixture = ClientFixture::start();
    for (age, left) in [(3000, 600), (464, 140)] {
        let (home, id) = cached_session(&fixture, age, left).await;
        let end = home.cached_key().expires;
        let renewing = case(&format!("{left} s left")).granted(USERNAME, Calls::ASSUME_ROLE);
        renewing.check_in(&fixture, &home, Program::Token).await;
        let renewed = home.cached_key();
        assert_ne!(renewed.key.id, id, "{left}");
        assert!(renewed.expires > end, "{left}");
        let next = case("next command").granted(USERNAME, Calls::NONE);
        next.check_in(&fixture, &home, Program::Token).await;
        assert_eq!(id_of_cached_key(&home), renewed.key.id, "{left}");
    }
}

#[tokio::test]
async fn failed_renewal_is_silent_and_uses_the_old_session() {
    let fixture = ClientFixture::start();
    let twice = Calls::NONE.and_assume_role(2);
    let refusal = Fault::Reply {
        status: 403,
        body: r#"{"Code":"NoPermission","Message":"","RequestId":"R","HostId":"H"}"#.into(),
    };
    for (fault, calls) in [
        (Fault::ServiceUnavailable, twice),
        (Fault::CloseBeforeHeaders, Calls::ASSUME_ROLE),
        (Fault::Garbage, Calls::ASSUME_ROLE),
        (refusal, Calls::ASSUME_ROLE),
    ] {
        let (home, id) = cached_session(&fixture, 3000, 600).await;
        fixture.fail_assume_role(fault.clone());
        // `check_in` requires exit code 0 and silence.
        let case = case(&format!("{fault:?}")).granted(USERNAME, calls);
        case.check_in(&fixture, &home, Program::Token).await;
        fixture.sts().set_fault(None);
        assert_eq!(id_of_cached_key(&home), id, "{fault:?}");
    }
}

#[tokio::test]
async fn session_in_its_last_minute_is_not_used() {
    let fixture = ClientFixture::start();
    for (age, left) in [(3540, 60), (3600, 0), (DAY, 3600 - DAY)] {
        let (home, id) = cached_session(&fixture, age, left).await;
        fixture.fail_assume_role(Fault::ServiceUnavailable);
        let twice = Calls::NONE.and_assume_role(2);
        let failing = case(&format!("{left} s left, and STS fails"));
        let failing = failing.refused(&["AssumeRole", "try again"], twice);
        failing.check_in(&fixture, &home, Program::Token).await;
        assert_eq!(id_of_cached_key(&home), id, "{left}");
        fixture.sts().set_fault(None);
        let working = case(&format!("{left} s left")).granted(USERNAME, Calls::ASSUME_ROLE);
        working.check_in(&fixture, &home, Program::Token).await;
        assert_ne!(id_of_cached_key(&home), id, "{left}");
    }
}

/// The clock was a day ahead when the session was cached. A session from the future could be used long after its end.
#[tokio::test]
async fn session_from_the_future_is_replaced() {
    let fixture = ClientFixture::start();
    let (home, id) = cached_session(&fixture, -DAY, DAY + 3600).await;
    let case = case("a right clock").granted(USERNAME, Calls::ASSUME_ROLE);
    case.check_in(&fixture, &home, Program::Token).await;
    let new = home.cached_key();
    assert_ne!(new.key.id, id);
    let end = new.expires.unwrap();
    assert!(end.seconds_since(dates::now()) <= 3600, "{end}");
}

/// Relative to STS, the clock of the client has been set back or forward by a day since the session was cached.
#[tokio::test]
async fn clock_that_was_set_wrong_is_named_and_no_session_is_used() {
    let fixture = ClientFixture::start();
    for (name, age, sts_ahead, text) in [
        ("set back", -DAY, DAY, " s behind the clock of STS"),
        ("set forward", DAY, -DAY, " s ahead of the clock of STS"),
    ] {
        let (home, id) = cached_session(&fixture, age, 3600 - age).await;
        fixture.sts().advance(sts_ahead);
        let texts = ["InvalidTimeStamp.Expired", "set the clock", text];
        let case = case(name).refused(&texts, Calls::ASSUME_ROLE);
        case.check_in(&fixture, &home, Program::Token).await;
        fixture.sts().advance(-sts_ahead);
        assert_eq!(id_of_cached_key(&home), id, "{name}");
    }
}
