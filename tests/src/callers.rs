//! Callers of every kind, and what each may be told, whatever happens to the server.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::protocol::{percent, rpc};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::sts::demo;
use crate::webhook::Reply;

/// The cluster that the tokens are for.
pub const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";

/// How `token` stands in `Authorization`.
#[must_use]
pub fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.expose())
}

/// Makes a token of version 1 with `key` for [`CLUSTER`].
///
/// # Panics
/// When the key cannot sign.
#[must_use]
pub fn token_v1(key: &AccessKey, nonce: &str, date: UnixTime) -> Secret {
    let date = date.to_string();
    let mut parameters = vec![
        ("AccessKeyId", key.id.as_str()),
        ("Action", "GetCallerIdentity"),
        ("ClusterId", CLUSTER),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &date),
        ("Version", "2015-04-01"),
    ];
    if let Some(token) = &key.security_token {
        parameters.push(("SecurityToken", token.expose()));
    }
    let signature = rpc::sign("GET", &parameters, &key.secret).expect("a signature");
    parameters.push(("Signature", &signature));
    let query = percent::canonical_query(&parameters);
    let url = format!("https://sts.aliyuncs.com/?{query}");
    Secret::new(format!("k8s-ack-v1.{}", STANDARD.encode(url)))
}

/// Who asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A RAM user who is mapped.
    User,
    /// A session of a role that is mapped.
    Session,
    /// Someone who knows the user's key, and not its secret.
    WrongSecret,
    /// A RAM user whom nobody has mapped.
    Stranger,
    /// The user, with a token for another cluster.
    OtherCluster,
    /// Someone whose token is none.
    Garbage,
    /// Someone whose token is for another authenticator.
    NotOurs,
}

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Who they are.
    Granted,
    /// No, and why.
    Refused,
    /// Nothing: the token is another's affair.
    PassedOver,
    /// That it cannot be told, or nothing at all; and why.
    Unable(String),
}

impl Caller {
    /// Those who may be let in.
    pub const GOOD: [Self; 2] = [Self::User, Self::Session];

    /// Those who may not.
    pub const BAD: [Self; 5] = [
        Self::WrongSecret,
        Self::Stranger,
        Self::OtherCluster,
        Self::Garbage,
        Self::NotOurs,
    ];

    /// Who they are to Kubernetes, by the mappings of [`mappings`].
    #[must_use]
    pub fn username(self) -> Option<&'static str> {
        match self {
            Self::User => Some("alice"),
            Self::Session => Some("dev:alice-example.com"),
            Self::WrongSecret
            | Self::Stranger
            | Self::OtherCluster
            | Self::Garbage
            | Self::NotOurs => None,
        }
    }

    /// What `reply` comes to.
    ///
    /// # Errors
    /// When nobody in this caller's place may be told that: a grant to who is not to have it or under another name, a
    /// denial of who is to be let in, or an answer that is none of those that API servers understand.
    pub fn judge(
        self,
        reply: &Result<Reply, Box<dyn Error + Send + Sync>>,
    ) -> Result<Outcome, String> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Ok(Outcome::Unable(format!("{error:?}"))),
        };
        let outcome =
            outcome(reply).ok_or_else(|| format!("{self:?}: no such answer: {reply:?}"))?;
        let username = reply.body["status"]["user"]["username"].as_str();
        let is_right = match outcome {
            Outcome::Unable(_) => true,
            Outcome::Granted => username.is_some() && username == self.username(),
            Outcome::Refused => self.username().is_none() && self != Self::NotOurs,
            Outcome::PassedOver => self == Self::NotOurs,
        };
        if is_right {
            Ok(outcome)
        } else {
            let status = &reply.body["status"];
            Err(format!("{self:?} was wrongly told {outcome:?}: {status}"))
        }
    }
}

/// What an answer says; `None` if API servers would not understand it.
#[must_use]
pub fn outcome(reply: &Reply) -> Option<Outcome> {
    let status = &reply.body["status"];
    match reply.status.as_u16() {
        200 => match (&status["authenticated"], &status["error"]) {
            (Value::Bool(true), Value::Null) => Some(Outcome::Granted),
            (Value::Bool(false) | Value::Null, Value::String(_)) => Some(Outcome::Refused),
            (Value::Bool(false) | Value::Null, Value::Null) => Some(Outcome::PassedOver),
            _ => None,
        },
        // With `Retry-After`, the API server would hang each login.
        503 if reply.body["kind"] == "Status" && !reply.headers.contains_key(RETRY_AFTER) => {
            Some(Outcome::Unable(reply.body["message"].to_string()))
        }
        _ => None,
    }
}

/// `server.mapUsers` and `server.mapRoles` for the good ones.
#[must_use]
pub fn mappings() -> (Value, Value) {
    (
        json!([{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }]),
        json!([{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }]),
    )
}

/// Makes tokens of which no two are equal, so that each has to be asked about.
#[derive(Debug, Default)]
pub struct Tokens {
    count: AtomicU64,
}

impl Tokens {
    /// The next token of `caller`, dated `now`.
    ///
    /// # Panics
    /// Never: everything that is signed is well-formed.
    pub fn next(&self, caller: Caller, now: UnixTime) -> Secret {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let token = |key: &AccessKey, cluster: &str| {
            let cluster = ClusterId::parse(cluster).expect("a cluster id");
            // The user agent is not signed, but in the token.
            let user_agent = format!("test/{count}");
            sign::sign_token_v2(key, &cluster, &user_agent, now).expect("the key can sign")
        };
        match caller {
            Caller::User => token(&demo::user_key(), CLUSTER),
            Caller::Session => token(&demo::session_key(), CLUSTER),
            Caller::Stranger => token(&demo::stranger_key(), CLUSTER),
            Caller::OtherCluster => token(&demo::user_key(), "other"),
            Caller::WrongSecret => {
                let secret = Secret::new("not-the-secret");
                let key = AccessKey {
                    secret,
                    ..demo::user_key()
                };
                token(&key, CLUSTER)
            }
            Caller::Garbage => Secret::new(format!("k8s-ack-v2.garbage{count}")),
            Caller::NotOurs => Secret::new(format!("eyJhbGciOiJSUzI1NiJ9.{count}.c2ln")),
        }
    }
}
