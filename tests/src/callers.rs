//! Callers of every kind, and the outcomes that each kind may get under every failure of the server.

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

/// The ID of the cluster that the tokens are for.
pub const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";

/// Returns the value of the `Authorization` header for `token`.
#[must_use]
pub fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.expose())
}

/// Signs a token of version 2 with `key` at `date` for [`CLUSTER`].
///
/// # Panics
/// If the key cannot sign.
#[must_use]
pub fn token_v2(key: &AccessKey, date: UnixTime) -> Secret {
    let cluster = ClusterId::parse(CLUSTER).expect("a cluster id");
    sign::sign_token_v2(key, &cluster, "test", date).expect("the key can sign")
}

/// Signs a token of version 1 with `key` for [`CLUSTER`].
///
/// # Panics
/// If the key cannot sign.
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

/// A kind of caller, by its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A RAM user that a rule maps.
    User,
    /// A session of a role that a rule maps.
    Session,
    /// A token that is signed with the user's key ID and a wrong secret.
    WrongSecret,
    /// A RAM user that no rule maps.
    Unmapped,
    /// The mapped user, with a token for another cluster.
    WrongCluster,
    /// A token with the right prefix and malformed content.
    MalformedToken,
    /// A token for another authenticator.
    UnrecognizedToken,
}

/// The outcome of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The caller is logged in.
    Granted,
    /// A denial with a reason.
    Denied,
    /// No user and no reason: the token is for another authenticator.
    Unrecognized,
    /// No decision or no reply, with the reason.
    Unavailable(String),
}

impl Caller {
    /// The callers that rules map.
    pub const MAPPED: [Self; 2] = [Self::User, Self::Session];

    /// The callers that get no user.
    pub const REJECTED: [Self; 5] = [
        Self::WrongSecret,
        Self::Unmapped,
        Self::WrongCluster,
        Self::MalformedToken,
        Self::UnrecognizedToken,
    ];

    /// Returns the username that [`mappings`] gives the caller; `None` for a caller that gets no user.
    #[must_use]
    pub fn username(self) -> Option<&'static str> {
        match self {
            Self::User => Some("alice"),
            Self::Session => Some("dev:alice-example.com"),
            Self::WrongSecret
            | Self::Unmapped
            | Self::WrongCluster
            | Self::MalformedToken
            | Self::UnrecognizedToken => None,
        }
    }

    /// Returns the outcome of `reply`.
    ///
    /// # Errors
    /// If this caller must not get that outcome: a grant to a caller that gets no user or with another username, a
    /// denial of a mapped caller, or a reply that API servers do not understand.
    pub fn check_reply(
        self,
        reply: &Result<Reply, Box<dyn Error + Send + Sync>>,
    ) -> Result<Outcome, String> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Ok(Outcome::Unavailable(format!("{error:?}"))),
        };
        let outcome =
            outcome(reply).ok_or_else(|| format!("{self:?}: unexpected reply: {reply:?}"))?;
        let username = reply.body["status"]["user"]["username"].as_str();
        let is_right = match outcome {
            Outcome::Unavailable(_) => true,
            Outcome::Granted => username.is_some() && username == self.username(),
            Outcome::Denied => self.username().is_none() && self != Self::UnrecognizedToken,
            Outcome::Unrecognized => self == Self::UnrecognizedToken,
        };
        if is_right {
            Ok(outcome)
        } else {
            let status = &reply.body["status"];
            Err(format!(
                "{self:?} got a wrong outcome, {outcome:?}: {status}"
            ))
        }
    }
}

/// Returns the outcome of `reply`; `None` if API servers do not understand the reply.
#[must_use]
pub fn outcome(reply: &Reply) -> Option<Outcome> {
    let status = &reply.body["status"];
    match reply.status.as_u16() {
        200 => match (&status["authenticated"], &status["error"]) {
            (Value::Bool(true), Value::Null) => Some(Outcome::Granted),
            (Value::Bool(false) | Value::Null, Value::String(_)) => Some(Outcome::Denied),
            (Value::Bool(false) | Value::Null, Value::Null) => Some(Outcome::Unrecognized),
            _ => None,
        },
        // With `Retry-After`, the API server would wait and retry, and each login would hang.
        503 if reply.body["kind"] == "Status" && !reply.headers.contains_key(RETRY_AFTER) => {
            Some(Outcome::Unavailable(reply.body["message"].to_string()))
        }
        _ => None,
    }
}

/// Returns `server.mapUsers` and `server.mapRoles` for [`Caller::MAPPED`].
#[must_use]
pub fn mappings() -> (Value, Value) {
    (
        json!([{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }]),
        json!([{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }]),
    )
}

/// A source of tokens that are all different, so that each token needs a call to STS.
#[derive(Debug, Default)]
pub struct TokenMaker {
    count: AtomicU64,
}

impl TokenMaker {
    /// Returns the next token of `caller`, dated `now`.
    ///
    /// # Panics
    /// Never: all signed values are well-formed.
    pub fn next(&self, caller: Caller, now: UnixTime) -> Secret {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let token = |key: &AccessKey, cluster: &str| {
            let cluster = ClusterId::parse(cluster).expect("a cluster id");
            // The user agent is part of the token, but is not signed.
            let user_agent = format!("test/{count}");
            sign::sign_token_v2(key, &cluster, &user_agent, now).expect("the key can sign")
        };
        match caller {
            Caller::User => token(&demo::user_key(), CLUSTER),
            Caller::Session => token(&demo::session_key(), CLUSTER),
            Caller::Unmapped => token(&demo::stranger_key(), CLUSTER),
            Caller::WrongCluster => token(&demo::user_key(), "other"),
            Caller::WrongSecret => {
                let secret = Secret::new("not-the-secret");
                let key = AccessKey {
                    secret,
                    ..demo::user_key()
                };
                token(&key, CLUSTER)
            }
            Caller::MalformedToken => Secret::new(format!("k8s-ack-v2.garbage{count}")),
            Caller::UnrecognizedToken => Secret::new(format!("eyJhbGciOiJSUzI1NiJ9.{count}.c2ln")),
        }
    }
}
