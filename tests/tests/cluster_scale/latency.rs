//! Time from the API server's answer to the effect on logins.

use std::time::{Duration, Instant};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Emulator, demo};

use crate::fixture::ScaleFixture;
use crate::objects::{self, Api, Mapping};

/// Number of objects that are created, changed, and deleted.
const OBJECTS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn object_changes_take_effect() {
    let mut sts = Emulator::builder();
    for index in 0..OBJECTS {
        let id = format!("2{index:017}");
        sts = sts.user(demo::ACCOUNT, &name(index), &id, key(index));
    }
    let fixture = ScaleFixture::start(sts.start().unwrap());
    let api = Api::connect(&fixture.cluster);
    let tokens: Vec<Secret> = (0..OBJECTS)
        .map(|index| fixture.token(&key(index)))
        .collect();
    // The first login opens the connections to STS.
    assert_eq!(fixture.username(&tokens[0]).await, None);

    let mut created = Vec::new();
    let mut changed = Vec::new();
    let mut deleted = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = format!("before-{index}");
        mapping(index, &before).create(&api).await;
        created.push(wait_for_username(&fixture, token, Some(&before)).await);
    }
    for (index, token) in tokens.iter().enumerate() {
        let after = format!("after-{index}");
        change(&api, &mapping(index, &after)).await;
        changed.push(wait_for_username(&fixture, token, Some(&after)).await);
    }
    for (index, token) in tokens.iter().enumerate() {
        objects::delete(&api, &name(index)).await;
        deleted.push(wait_for_username(&fixture, token, None).await);
    }
    println!("from the API server's answer to the login with its effect, of {OBJECTS} each:");
    for (what, times) in [
        ("created", created),
        ("changed", changed),
        ("deleted", deleted),
    ] {
        let (median, high) = median_and_p95(times);
        println!("  {what}: median {median:.1?}, 95 % within {high:.1?}");
    }
}

async fn wait_for_username(
    fixture: &ScaleFixture,
    token: &Secret,
    username: Option<&str>,
) -> Duration {
    let answered = Instant::now();
    fixture.until_username(token, username).await;
    answered.elapsed()
}

async fn change(api: &Api, mapping: &Mapping) {
    let patch = serde_json::json!({ "spec": { "username": mapping.username } });
    objects::merge(api, &mapping.name, &patch).await;
}

fn median_and_p95(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

fn mapping(index: usize, username: &str) -> Mapping {
    let name = name(index);
    Mapping {
        arn: format!("acs:ram::{}:user/{name}", demo::ACCOUNT),
        name,
        username: username.to_owned(),
        groups: vec!["developers".to_owned()],
    }
}

fn name(index: usize) -> String {
    format!("user-{index}")
}

fn key(index: usize) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(&format!("LTAI5tUser{index}")).unwrap(),
        secret: Secret::new(format!("secret-of-user-{index}")),
        security_token: None,
    }
}
