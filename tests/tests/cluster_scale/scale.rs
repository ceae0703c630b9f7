//! Thousands of objects are all in effect, and each status is written once.

use std::env;
use std::time::{Duration, Instant};

use ack_ram_tests::sts::{Emulator, demo};

use crate::fixture::ScaleFixture;
use crate::objects::{self, Api, Mapping};
use crate::usage::ServerUsage;

/// Environment variable with the number of objects, for measurements with another number than the default.
const VARIABLE: &str = "ACK_RAM_SCALE_OBJECTS";
const OBJECTS: usize = 10_000;
const WRITES: &str = "ack_ram_authenticator_status_writes_total";
const WRITTEN: [(&str, &str); 1] = [("result", "success")];
/// Number of concurrent status writes of the server.
const CONCURRENT_WRITES: usize = 16;
/// Time without any write after which the writes have stalled.
const STALLED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_objects_take_effect_with_one_status_write_each() {
    let count = env::var(VARIABLE).map_or(OBJECTS, |count| count.parse().unwrap());
    let fixture = ScaleFixture::start(Emulator::builder().demo().start().unwrap());
    let api = Api::connect(&fixture.cluster);
    until_leading(&fixture).await;
    println!("no objects: {}", ServerUsage::measure(&fixture).await);

    create_objects(&fixture, &api, count).await;
    let fixture = restart_with_objects(fixture, &api, count).await;
    assert!(!fixture.server.log().contains("forbidden"));
}

async fn create_objects(fixture: &ScaleFixture, api: &Api, count: usize) {
    let start = Instant::now();
    objects::create_all(api, count, mapping).await;
    let creating = start.elapsed();
    // The events of a watch arrive in order, so when the last object is in effect, all are.
    let alice = fixture.token(&demo::user_key());
    assert_eq!(fixture.username(&alice).await, None);
    last().create(api).await;
    let created = Instant::now();
    fixture.until_username(&alice, Some("last")).await;
    let in_effect = created.elapsed();
    let all = count + 1;
    assert_eq!(rules(fixture, "in_effect").await, figure(all));
    for state in ["kept", "refused", "conflicted"] {
        assert_eq!(rules(fixture, state).await, 0.0, "{state}");
    }
    println!("{all} objects, created in {creating:.1?}; in effect {in_effect:.1?} after the last");
    println!("  then: {}", ServerUsage::measure(fixture).await);

    let before = fixture.metric(WRITES, &WRITTEN).await;
    until_written(fixture, all).await;
    until_complete(api, all).await;
    let writing = start.elapsed();
    let per_second = figure(all) / writing.as_secs_f64();
    println!(
        "  statuses complete {:.1?} after the last",
        created.elapsed()
    );
    println!("  {per_second:.0} a second since the first; {before} were written at the last");
    println!("  then: {}", ServerUsage::measure(fixture).await);
    let listing = Instant::now();
    assert_eq!(objects::count(api).await, (all, all));
    println!("  the API server lists them in {:.1?}", listing.elapsed());
    let writes = objects::status_writes(api).await;
    check_writes(fixture, writes, all);
}

/// Checks that each of the `wanted` statuses was written once, apart from writes that were in flight when the server
/// lost the Lease.
fn check_writes(fixture: &ScaleFixture, writes: f64, wanted: usize) {
    let most = figure(wanted + interrupted(fixture));
    assert!(
        (figure(wanted)..=most).contains(&writes),
        "{writes} writes of {wanted} statuses"
    );
}

/// Returns the maximum number of writes that were in flight when the Lease was lost. Their results are unknown.
fn interrupted(fixture: &ScaleFixture) -> usize {
    let losses = fixture.server.log();
    CONCURRENT_WRITES * losses.matches("no longer writes the status").count()
}

/// Restarts the server. It has nothing to write, because all statuses are up to date.
async fn restart_with_objects(mut fixture: ScaleFixture, api: &Api, count: usize) -> ScaleFixture {
    let alice = fixture.token(&demo::user_key());
    let before = objects::status_writes(api).await;
    let start = Instant::now();
    let stopping = fixture.restart();
    fixture.until_username(&alice, Some("last")).await;
    let starting = start.elapsed() - stopping;
    println!("stopped in {stopping:.1?}; started again and all in effect in {starting:.1?}");
    println!("  then: {}", ServerUsage::measure(&fixture).await);
    until_leading(&fixture).await;
    // Statuses are checked in the order of the names.
    let sentinel = Mapping {
        name: "z-sentinel".to_owned(),
        ..mapping(count)
    };
    sentinel.create(api).await;
    until_written(&fixture, 1).await;
    until_complete(api, count + 2).await;
    check_writes(&fixture, objects::status_writes(api).await - before, 1);
    println!(
        "  after all statuses are checked: {}",
        ServerUsage::measure(&fixture).await
    );
    fixture
}

async fn until_leading(fixture: &ScaleFixture) {
    let start = Instant::now();
    let metric = "ack_ram_authenticator_status_writer_leading";
    while fixture.metric(metric, &[]).await < 1.0 {
        let log = || fixture.server.log();
        assert!(
            start.elapsed() < STALLED,
            "it is not the leader:\n{}",
            log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_written(fixture: &ScaleFixture, wanted: usize) {
    let mut last = (0.0, Instant::now());
    loop {
        let written = fixture.metric(WRITES, &WRITTEN).await;
        if written >= figure(wanted.saturating_sub(interrupted(fixture))) {
            return;
        }
        if written > last.0 {
            last = (written, Instant::now());
        }
        let log = || fixture.server.log();
        assert!(last.1.elapsed() < STALLED, "{written} written:\n{}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the statuses of all objects say that they are in effect.
async fn until_complete(api: &Api, all: usize) {
    let start = Instant::now();
    loop {
        let counts = objects::count(api).await;
        if counts == (all, all) {
            return;
        }
        assert!(start.elapsed() < STALLED, "{counts:?} of {all}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn rules(fixture: &ScaleFixture, state: &str) -> f64 {
    let labels = [("backend", "CRD"), ("state", state)];
    fixture.metric("ack_ram_authenticator_rules", &labels).await
}

fn mapping(index: usize) -> Mapping {
    Mapping {
        name: format!("role-{index:06}"),
        arn: format!("acs:ram::{}:role/team-{index}", demo::ACCOUNT),
        username: "dev:{{SessionName}}".to_owned(),
        groups: vec!["developers".to_owned(), format!("team-{}", index % 100)],
    }
}

fn last() -> Mapping {
    Mapping {
        name: "z-last".to_owned(),
        arn: demo::USER_ARN.to_owned(),
        username: "last".to_owned(),
        groups: Vec::new(),
    }
}

fn figure(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
