//! State files: a [`Directory`] in JSON.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use serde::de::{Deserialize, Deserializer, Error as _};

use super::directory::Directory;
use super::principal::Principal;
use super::role::{ROLE_MAXIMUM, Role};

/// An example of a state file that uses every field. All lists are optional, and `active` defaults to `true`.
pub const EXAMPLE_STATE: &str = include_str!("example-state.json");

impl Directory {
    /// Parses a state file. [`EXAMPLE_STATE`] shows the format.
    ///
    /// # Errors
    /// If the file is invalid. The error contains the reason and the place, but no secret.
    pub fn parse(json: &str) -> Result<Self, StateError> {
        let state: StateFile = serde_json::from_str(json).map_err(StateError::Json)?;
        let mut directory = Self::default();
        for account in state.accounts {
            account.add_to(&mut directory)?;
        }
        Ok(directory)
    }
}

/// The reason why a state file was refused.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file is not JSON, or does not have the expected fields.
    #[error("{0}")]
    Json(serde_json::Error),
    /// Two keys have this ID.
    #[error("duplicate access key `{0}`")]
    RepeatedKey(AccessKeyId),
    /// RAM refuses the maximum lifetime of sessions.
    #[error("`maxSessionSeconds` of the role `{0}` is not 3600 to 43200")]
    MaxSessionSeconds(String),
}

#[derive(serde::Deserialize)]
#[serde(rename = "State", deny_unknown_fields)]
struct StateFile {
    accounts: Vec<Account>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Account {
    id: String,
    #[serde(default)]
    access_keys: Vec<PermanentKey>,
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    roles: Vec<RoleEntry>,
    #[serde(default)]
    oidc_providers: Vec<OidcProviderEntry>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct User {
    name: String,
    id: String,
    #[serde(default)]
    access_keys: Vec<PermanentKey>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RoleEntry {
    name: String,
    id: String,
    /// `None` for every caller.
    trusted_arns: Option<Vec<String>>,
    external_id: Option<String>,
    max_session_seconds: Option<i64>,
    #[serde(default)]
    sessions: Vec<Session>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Session {
    name: String,
    access_key: TemporaryKey,
    #[serde(deserialize_with = "time")]
    expiration: UnixTime,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OidcProviderEntry {
    arn: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    tokens: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PermanentKey {
    #[serde(deserialize_with = "access_key_id")]
    id: AccessKeyId,
    secret: String,
    #[serde(default = "default_true")]
    active: bool,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TemporaryKey {
    #[serde(deserialize_with = "access_key_id")]
    id: AccessKeyId,
    secret: String,
    security_token: String,
}

impl Account {
    fn add_to(self, directory: &mut Directory) -> Result<(), StateError> {
        let account = self.id;
        let root = Principal::Root {
            account: account.clone(),
        };
        add_keys(directory, &root, self.access_keys)?;
        for user in self.users {
            let owner = Principal::User {
                account: account.clone(),
                name: user.name,
                id: user.id,
            };
            add_keys(directory, &owner, user.access_keys)?;
        }
        for role in self.roles {
            directory.add_role(role.to_role(&account)?);
            for session in role.sessions {
                let owner = Principal::AssumedRole {
                    account: account.clone(),
                    role: role.name.clone(),
                    role_id: role.id.clone(),
                    session: session.name,
                };
                let key = session.access_key.into_key();
                let id = key.id.clone();
                if !directory.add_temporary_key(owner, key, session.expiration) {
                    return Err(StateError::RepeatedKey(id));
                }
            }
        }
        for provider in self.oidc_providers {
            let audiences: Vec<&str> = provider.audiences.iter().map(String::as_str).collect();
            directory.add_oidc_provider(&provider.arn, &provider.issuer, &audiences);
            for token in provider.tokens {
                directory.add_oidc_token(&provider.arn, &token);
            }
        }
        Ok(())
    }
}

fn add_keys(
    directory: &mut Directory,
    owner: &Principal,
    keys: Vec<PermanentKey>,
) -> Result<(), StateError> {
    for PermanentKey { id, secret, active } in keys {
        let key = AccessKey {
            id: id.clone(),
            secret: Secret::new(secret),
            security_token: None,
        };
        if !directory.add_key(owner.clone(), key) {
            return Err(StateError::RepeatedKey(id));
        }
        directory.set_active(&id, active);
    }
    Ok(())
}

impl RoleEntry {
    fn to_role(&self, account: &str) -> Result<Role, StateError> {
        let mut role = Role::new(account, &self.name, &self.id);
        if let Some(arns) = &self.trusted_arns {
            role = role.trusts(&arns.iter().map(String::as_str).collect::<Vec<_>>());
        }
        if let Some(id) = &self.external_id {
            role = role.requires_external_id(id);
        }
        match self.max_session_seconds {
            None => Ok(role),
            Some(seconds) if ROLE_MAXIMUM.contains(&seconds) => {
                Ok(role.max_session_seconds(seconds))
            }
            Some(_) => Err(StateError::MaxSessionSeconds(self.name.clone())),
        }
    }
}

impl TemporaryKey {
    fn into_key(self) -> AccessKey {
        AccessKey {
            id: self.id,
            secret: Secret::new(self.secret),
            security_token: Some(Secret::new(self.security_token)),
        }
    }
}

fn default_true() -> bool {
    true
}

fn access_key_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessKeyId, D::Error> {
    let text = String::deserialize(deserializer)?;
    AccessKeyId::parse(&text)
        .ok_or_else(|| D::Error::custom(format!("`{text}` is not an access key ID")))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    UnixTime::parse(&text).ok_or_else(|| {
        D::Error::custom(format!("`{text}` is not a time like 2030-01-01T00:00:00Z"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_state_file_is_valid() {
        let directory = Directory::parse(EXAMPLE_STATE).unwrap();
        let now = UnixTime::parse("2029-12-31T23:59:59Z").unwrap();
        for (id, token, arn) in [
            ("LTAI5tRoot", None, Some("acs:ram::1234567890123456:root")),
            (
                "LTAI5tAlice1",
                None,
                Some("acs:ram::1234567890123456:user/alice"),
            ),
            ("LTAI5tAlice2", None, None),
            (
                "STS.NCi",
                Some("CAISci=="),
                Some("acs:ram::1234567890123456:assumed-role/dev/ci"),
            ),
        ] {
            let id = AccessKeyId::parse(id).unwrap();
            let key = directory.signing_key(&id, token, now);
            assert_eq!(key.ok().map(|key| key.owner.arn()).as_deref(), arn, "{id}");
        }
        let provider = directory.oidc_provider("acs:ram::1234567890123456:oidc-provider/rrsa");
        assert_eq!(
            provider.unwrap().check("header.payload.signature", now),
            Ok(())
        );
    }

    #[test]
    fn invalid_state_files_are_refused() {
        let keys = |keys: &str| format!(r#"{{"accounts":[{{"id":"1","accessKeys":[{keys}]}}]}}"#);
        for (json, message) in [
            ("{".to_owned(), "EOF while parsing"),
            (r#"{"account":[]}"#.to_owned(), "unknown field `account`"),
            (
                keys(r#"{"id":"a b","secret":"s"}"#),
                "`a b` is not an access key ID at line 1",
            ),
            (keys(r#"{"id":"a"}"#), "missing field `secret`"),
            (
                keys(r#"{"id":"a","secret":"s"},{"id":"a","secret":"t"}"#),
                "duplicate access key `a`",
            ),
            (
                r#"{"accounts":[{"id":"1","roles":[{"name":"r","id":"2","maxSessionSeconds":900}]}]}"#.to_owned(),
                "`maxSessionSeconds` of the role `r`",
            ),
        ] {
            let error = Directory::parse(&json).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
