//! Generators of valid inputs, such as those of clients and STS, with unusual sizes and characters.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::identity::Identity;
use ack_ram_core::login::{AwaitingSts, Step, VerifiedIdentity, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

/// The last second of the year 9999, after which dates have no wire form.
pub const LAST_SECOND: i64 = 253_402_300_799;

/// Generates cluster IDs: 1 to 253 visible ASCII characters.
pub fn cluster_id() -> impl Strategy<Value = ClusterId> {
    "[!-~]{1,253}".prop_map(|text| ClusterId::parse(&text).unwrap())
}

pub fn access_key() -> impl Strategy<Value = AccessKey> {
    let id = "[A-Za-z0-9._-]{1,128}".prop_map(|text| AccessKeyId::parse(&text).unwrap());
    let secret = any::<String>().prop_map(Secret::new);
    let security_token = option::of("[!-~]{1,2000}".prop_map(Secret::new));
    (id, secret, security_token).prop_map(|(id, secret, security_token)| AccessKey {
        id,
        secret,
        security_token,
    })
}

pub fn date() -> impl Strategy<Value = UnixTime> {
    (0..=LAST_SECOND).prop_map(UnixTime::from_seconds)
}

/// The inputs from which a client creates tokens.
#[derive(Clone, Debug)]
pub struct SigningClient {
    pub key: AccessKey,
    pub cluster_id: ClusterId,
    pub user_agent: String,
    pub date: UnixTime,
}

impl SigningClient {
    pub fn any() -> impl Strategy<Value = Self> {
        (access_key(), cluster_id(), any::<String>(), date()).prop_map(
            |(key, cluster_id, user_agent, date)| Self {
                key,
                cluster_id,
                user_agent,
                date,
            },
        )
    }

    pub fn token(&self) -> Secret {
        sign_token_v2(&self.key, &self.cluster_id, &self.user_agent, self.date).unwrap()
    }

    /// Begins a login with `token` on a server of this client's cluster, `late` seconds after the date of the client.
    pub fn begin(&self, token: &str, late: i64) -> Step {
        let policy = TokenPolicy::new(self.cluster_id.clone());
        begin(token, &policy, self.date.plus_seconds(late))
    }
}

/// Generates segments: 1 to 64 visible ASCII characters that an ARN may contain between two slashes.
pub fn segment() -> impl Strategy<Value = String> {
    "[!-.0-9;-~]{1,64}"
}

/// Generates names with or without a path before them.
pub fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 1..4).prop_map(|segments| segments.join("/"))
}

pub fn account() -> impl Strategy<Value = String> {
    "[0-9]{1,32}"
}

/// An identity that STS can return.
#[derive(Clone, Debug)]
pub enum Person {
    Root,
    User(String),
    Session { role: String, session: String },
}

impl Person {
    pub fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            1 => Just(Self::Root),
            3 => path().prop_map(Self::User),
            6 => (path(), segment()).prop_map(|(role, session)| Self::Session { role, session }),
        ]
    }

    pub fn arn(&self, account: &str) -> String {
        match self {
            Self::Root => format!("acs:ram::{account}:root"),
            Self::User(name) => format!("acs:ram::{account}:user/{name}"),
            Self::Session { role, session } => {
                format!("acs:ram::{account}:assumed-role/{role}/{session}")
            }
        }
    }

    /// Returns this person of `account` with the immutable ID `id`, as verified by STS.
    pub fn verify(&self, account: &str, id: &str) -> VerifiedIdentity {
        let (kind, principal) = match self {
            Self::Root => ("Account", account.to_owned()),
            Self::User(_) => ("RAMUser", id.to_owned()),
            Self::Session { session, .. } => ("AssumedRoleUser", format!("{id}:{session}")),
        };
        let body = json!({
            "IdentityType": kind,
            "AccountId": account,
            "PrincipalId": principal,
            "Arn": self.arn(account),
        });
        awaiting_sts()
            .resume(
                StsReply::Response {
                    status: 200,
                    body: body.to_string().as_bytes(),
                },
                NOW,
            )
            .unwrap()
    }
}

/// Generates identities of any account.
pub fn identity() -> impl Strategy<Value = Identity> {
    (Person::any(), account(), "[A-Za-z0-9._-]{1,80}")
        .prop_map(|(person, account, id)| person.verify(&account, &id).identity().clone())
}

pub const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);

/// Returns a login that waits for the reply of STS.
pub fn awaiting_sts() -> AwaitingSts {
    let client = SigningClient {
        key: AccessKey {
            id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeSecret"),
            security_token: None,
        },
        cluster_id: ClusterId::parse("c1").unwrap(),
        user_agent: String::new(),
        date: NOW,
    };
    match client.begin(client.token().expose(), 0) {
        Step::CallSts(awaiting) => awaiting,
        Step::Decided(decision) => panic!("a valid token was refused: {decision:?}"),
    }
}
