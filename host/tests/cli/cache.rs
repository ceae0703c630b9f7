//! `cache`: which keys are listed as valid, and which are removed.

use ack_ram_authenticator::clock;
use ack_ram_client::cache::{CacheFolder, CacheKey, PlanCache};
use ack_ram_client::flow::Obtained;
use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use serde_json::Value;

use crate::program::TestFolder;

/// Stores a key for an hour, which was obtained `age` seconds ago.
fn store(folder: &CacheFolder, digit: char, max_age: Option<i64>, age: i64) {
    let name = format!("{}.json", digit.to_string().repeat(64));
    let obtained = clock::now().plus_seconds(-age);
    let key = Obtained {
        key: AccessKey {
            id: AccessKeyId::parse("STS.FakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeSecret1"),
            security_token: Some(Secret::new("FakeToken1")),
        },
        expires: Some(obtained.plus_seconds(3600)),
        session_name: None,
    };
    let cache = PlanCache::new(folder, CacheKey::parse_entry_name(&name).unwrap());
    assert!(cache.store(&key, "the plan", max_age, obtained).unwrap());
}

#[test]
fn key_that_is_not_used_any_more_is_expired() {
    let folder = TestFolder::new(&[]);
    let path = folder.path().join("cache");
    let cache = CacheFolder::open(&path).unwrap();
    store(&cache, '0', None, 1000);
    store(&cache, '1', Some(900), 1000);
    store(&cache, '2', Some(900), 0);
    store(&cache, '3', None, 4000);
    let states = || -> Vec<String> {
        let run = folder.run(
            &["cache", "list", "-o", "json", "--cache-dir", "cache"],
            &[],
        );
        let entries: Value = serde_json::from_str(&run.stdout).unwrap();
        let entries = entries.as_array().unwrap().iter();
        let text = |entry: &Value| {
            let member = |name: &str| entry[name].as_str().unwrap().to_owned();
            let key = member("key");
            let times = [member("obtained"), member("expires")];
            let times = times.map(|time| UnixTime::parse(&time).unwrap());
            let seconds = times[1].seconds_since(times[0]);
            format!("{} {} {seconds}", key.get(..1).unwrap(), member("state"))
        };
        entries.map(text).collect()
    };
    let expected = [
        "0 valid 3600",
        "1 expired 900",
        "2 valid 900",
        "3 expired 3600",
    ];
    assert_eq!(states(), expected);
    let run = folder.run(
        &["cache", "clear", "--expired", "--cache-dir", "cache"],
        &[],
    );
    assert_eq!(run.stdout, "removed 2 keys\n", "{run:?}");
    assert_eq!(states(), ["0 valid 3600", "2 valid 900"]);
}
