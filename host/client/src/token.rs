//! Signs a token for a cluster.

use std::collections::BTreeMap;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::protocol::v2::CLUSTER_ID_KEY;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{TOKEN_LIFETIME_SECONDS, sign_token_v2_with_query};
use ack_ram_core::time::UnixTime;

use crate::environment::Environment;
use crate::error::{ClientError, Refusal, SetupError, Unavailable};
use crate::flow::Obtained;
use crate::plan::UNUSED_SECONDS;
use crate::resolve::variables;

/// The date of a token is rounded down to a multiple of this number of seconds, so that the commands of that time send
/// equal tokens, and the caches of the API server and of the webhook server answer.
const DATE_STEP_SECONDS: i64 = 120;

/// A token.
#[derive(Clone, Debug)]
pub struct SignedToken {
    /// The token.
    pub token: Secret,
    /// When the client asks for a new token.
    pub expires: UnixTime,
}

/// Which date a token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenDate {
    /// The current time, rounded down.
    Shared,
    /// The current time.
    Exact,
}

impl TokenDate {
    fn at(self, now: UnixTime) -> UnixTime {
        match self {
            Self::Exact => now,
            Self::Shared => now.plus_seconds(-now.seconds().rem_euclid(DATE_STEP_SECONDS)),
        }
    }
}

/// Signs a token with `key`. It ends ten minutes after its date, and at least a minute before the key.
///
/// # Errors
/// Returns an error if the key ends too soon.
pub fn sign(
    key: &Obtained,
    cluster: &ClusterId,
    user_agent: &str,
    extra_query: &[(String, String)],
    date: TokenDate,
    now: UnixTime,
) -> Result<SignedToken, ClientError> {
    let date = date.at(now);
    let end = date.plus_seconds(TOKEN_LIFETIME_SECONDS);
    let expires = match key.expires {
        Some(key_end) => end.min(key_end.plus_seconds(-UNUSED_SECONDS)),
        None => end,
    };
    if let Some(key_end) = key.expires.filter(|_| expires <= now) {
        return Err(ClientError::Refused(Refusal {
            cause: format!("the access key `{}` ends at {key_end}", key.key.id),
            remedy: "get a new key: sign in again, or run the command again in a minute".to_owned(),
        }));
    }
    let query: Vec<(&str, &str)> = extra_query
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    match sign_token_v2_with_query(&key.key, cluster, user_agent, &query, date) {
        Some(token) => Ok(SignedToken { token, expires }),
        None => Err(ClientError::Unavailable(Unavailable {
            cause: "the token could not be signed".to_owned(),
            remedy: "report this as a bug".to_owned(),
        })),
    }
}

/// Returns the keys and values that `ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` selects: each variable whose name starts with
/// the prefix, with the rest of its name in lower case. Of two names that differ in case, the last in the order of bytes
/// counts, because a server refuses a token with a repeated key.
///
/// # Errors
/// Returns an error that names the variable if its key is that of the cluster ID in another case, since a server could
/// read it as the cluster ID; or if its value is a secret of the login, since a token is not encrypted.
pub fn extra_query(environment: &Environment) -> Result<Vec<(String, String)>, SetupError> {
    const PREFIX: &str = "ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX";
    let Some(prefix) = environment.get(PREFIX) else {
        return Ok(Vec::new());
    };
    let mut pairs = BTreeMap::new();
    for (name, value) in environment.iter() {
        let Some(key) = name.strip_prefix(prefix).filter(|key| !key.is_empty()) else {
            continue;
        };
        if variables::has_secret(name) {
            return Err(SetupError::SecretInQuery(name.to_owned()));
        }
        let key = key.to_lowercase();
        if key.eq_ignore_ascii_case(CLUSTER_ID_KEY) {
            return Err(SetupError::ReservedQueryKey(name.to_owned()));
        }
        pairs.insert(key, value.to_owned());
    }
    Ok(pairs.into_iter().collect())
}

#[cfg(test)]
mod tests;
