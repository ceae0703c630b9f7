//! Temporary keys that other services issue and STS knows.

use std::sync::Arc;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

use super::clock::StsClock;
use super::principal::Principal;
use super::server::Shared;

/// The lifetime of keys in seconds, like that of keys from the metadata service.
const DEFAULT_SECONDS: i64 = 6 * 3600;

/// Issues temporary keys of one identity, which the emulator accepts until they expire.
#[derive(Clone, Debug)]
pub struct KeyIssuer {
    shared: Arc<Shared>,
    owner: Principal,
    seconds: i64,
}

/// A temporary key, and the time at which it expires.
#[derive(Clone, Debug)]
pub struct IssuedKey {
    /// The key, which has a security token.
    pub key: AccessKey,
    /// When the key expires.
    pub expires: UnixTime,
}

impl KeyIssuer {
    pub(super) fn new(shared: Arc<Shared>, owner: Principal) -> Self {
        Self {
            shared,
            owner,
            seconds: DEFAULT_SECONDS,
        }
    }

    /// Sets the lifetime of the keys; a negative one issues keys that have expired.
    #[must_use]
    pub fn lasting(mut self, seconds: i64) -> Self {
        self.seconds = seconds;
        self
    }

    /// Returns the owner of the keys.
    #[must_use]
    pub fn owner(&self) -> &Principal {
        &self.owner
    }

    /// Returns the clock of the emulator.
    #[must_use]
    pub fn clock(&self) -> StsClock {
        StsClock(Arc::clone(&self.shared))
    }

    /// Issues a key. Every key differs from all others.
    ///
    /// # Panics
    /// Never: the IDs of issued keys are well-formed.
    #[must_use]
    pub fn issue(&self) -> IssuedKey {
        let expires = self.shared.clock.now().plus_seconds(self.seconds);
        let key = self
            .shared
            .service()
            .directory
            .mint(self.owner.clone(), expires);
        IssuedKey {
            key: key.expect("the ID of an issued key is well-formed"),
            expires,
        }
    }
}

impl IssuedKey {
    /// Returns the key with the member names that STS uses.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "AccessKeyId": self.key.id,
            "AccessKeySecret": self.key.secret.expose(),
            "SecurityToken": self.security_token(),
            "Expiration": self.expires,
        })
    }

    /// Returns the security token.
    ///
    /// # Panics
    /// If the key is permanent.
    #[must_use]
    pub fn security_token(&self) -> &str {
        let token = self.key.security_token.as_ref();
        token.map(Secret::expose).expect("a temporary key")
    }
}
