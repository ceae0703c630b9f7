//! People, and an STS that knows them.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::callers::token_v2;
use ack_ram_tests::dates;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

/// The account of the last person.
pub const OTHER_ACCOUNT: &str = "6543210987654321";
pub const PEOPLE: u32 = 2_000;

/// A RAM user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person(pub u32);

impl Person {
    pub fn name(self) -> String {
        format!("p{}", self.0)
    }

    /// Returns the person in [`OTHER_ACCOUNT`].
    pub fn of_other_account() -> Self {
        Self(PEOPLE)
    }

    fn account(self) -> &'static str {
        if self == Self::of_other_account() {
            OTHER_ACCOUNT
        } else {
            demo::ACCOUNT
        }
    }

    pub fn arn(self) -> String {
        format!("acs:ram::{}:user/{}", self.account(), self.name())
    }

    pub fn key(self) -> AccessKey {
        AccessKey {
            id: AccessKeyId::parse(&format!("LTAI5tPerson{:06}", self.0)).unwrap(),
            secret: Secret::new(format!("SecretOfPerson{}", self.0)),
            security_token: None,
        }
    }

    pub fn token(self) -> Secret {
        token(&self.key())
    }

    /// Returns an entry of `mapUsers`.
    pub fn entry(self, username: &str) -> Value {
        json!({"userARN": self.arn(), "username": username, "groups": ["mapped"]})
    }
}

/// Returns a token signed with `key`.
pub fn token(key: &AccessKey) -> Secret {
    token_v2(key, dates::now())
}

/// Starts an STS that knows all people.
pub fn sts() -> Emulator {
    let people = (0..=PEOPLE).map(Person);
    let builder = people.fold(Emulator::builder().demo(), |builder, person| {
        let id = format!("2{:017}", person.0);
        builder.user(person.account(), &person.name(), &id, person.key())
    });
    builder.start().unwrap()
}
