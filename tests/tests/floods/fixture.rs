//! A server with many mapped users, and its STS.

use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::callers::token_v2;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::{Value, json};

use crate::front::Front;

/// Number of mapped users.
const PEOPLE: usize = 120;
/// Number of keys that STS knows and whose users are not mapped.
pub(crate) const UNMAPPED: usize = 2_000;
const STS_TAKES: Duration = Duration::from_secs(1);

/// Starts a server with `sts` merged into `server.sts`, which has the default time limits.
pub(crate) fn start(sts: &Value) -> Fixture {
    let mut builder = Emulator::builder().demo();
    let mut users = vec![json!({ "userARN": demo::USER_ARN, "username": "alice" })];
    for person in 0..PEOPLE {
        let name = format!("person-{person}");
        let id = format!("4{person:017}");
        builder = builder.user(demo::ACCOUNT, &name, &id, key_of(person));
        let arn = format!("acs:ram::{}:user/{name}", demo::ACCOUNT);
        users.push(json!({ "userARN": arn, "username": name }));
    }
    for number in 0..UNMAPPED {
        let key = unmapped_key(number);
        builder = builder.user(demo::ACCOUNT, demo::STRANGER, demo::STRANGER_ID, key);
    }
    let emulator = builder.start().unwrap();
    emulator.set_fault(Some(Fault::Delay(STS_TAKES)));
    let settings = json!({
        "sts": { "connectTimeout": null, "timeout": null },
        "mapUsers": users,
        "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
    });
    let builder = Fixture::builder().sts(emulator).settings(&settings);
    builder.settings(&json!({ "sts": sts })).start()
}

/// Returns the webhook with as many clients as several API servers have.
pub(crate) fn front(fixture: &Fixture) -> Front {
    Front::of_webhook(|| fixture.new_webhook())
}

/// Signs a token that differs from those of the same key with another `number`, below 600.
pub(crate) fn token_of(fixture: &Fixture, key: &AccessKey, number: usize) -> Secret {
    let age = i64::try_from(number % 600).unwrap();
    token_v2(key, fixture.sts.now().plus_seconds(-age))
}

/// Returns the key of a mapped user.
pub(crate) fn key_of(person: usize) -> AccessKey {
    key(&format!("LTAIPerson{person}"))
}

/// Returns the key of a user that STS knows and that is not mapped.
pub(crate) fn unmapped_key(number: usize) -> AccessKey {
    key(&format!("LTAIUnmapped{number}"))
}

/// Returns a key with this ID. All of these keys have the same secret.
pub(crate) fn key(id: &str) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(id).unwrap(),
        ..demo::stranger_key()
    }
}
