//! Valid tokens, and invalid tokens of every kind, all with marked secrets.

use std::cell::Cell;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::callers;
use ack_ram_tests::sts::{Builder, Principal, demo};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub(crate) use ack_ram_tests::callers::CLUSTER;

/// The secret of an access key.
pub(crate) const KEY_SECRET: &str = "Zq8vK3mXpL7wRt5yB9nCdH2fJ6gTaE";
/// The secret of a temporary key, and a security token as long as real ones.
pub(crate) const SESSION_SECRET: &str = "Hw4uN8bQzJ6xVk2cM9tGyP5rD7sLfA";
pub(crate) const SECURITY_TOKEN: &str = "CAISq+7Yx2KdVw9/Bn4Zt6Mh8Pj3Lg5Rc1Fs0UaEoXiQ+vTyNzHbWkGm2Dp9Jr4Sq6Lx8Cv3Bf5Nh7Mt1Kw0ZyUdPgRaEjTi+XoQlVs2Hn9Fb4Gm6Wc8Dk3Yp5Jz7Lr1Tx0QaSuEvNi+BoMhKfCyZwPd2Rg9Uj4Xt6Vl8Hs3Fn5Gb7Wm1Dc0KpYqJzLrTxQa+SuEvNiBo2MhKf9CyZw4Pd6Rg8Uj3Xt5Vl7Hs1Fn0GbWmDcKpYq==";
/// The content of headers and queries into which users put tokens by mistake.
pub(crate) const MISPLACED: &str = "Yf6tR2kWxV9pM4zQ7bJ3nL8hD5sGcU";
/// A service account token of the cluster, which is a token of another type.
pub(crate) const BEARER: &str = "eyJhbGciOiJSUzI1NiJ9.Tk5wX8vB2mQ7rJ4zL9hF6yD3sGpC1nKaUe";
/// The credential of this server for the API server.
pub(crate) const KUBE_TOKEN: &str = "Bv7nM2xK9wQ4tZ6pR8yJ3hL5fD1sGc";
/// The credential of this server for a proxy.
pub(crate) const PROXY_PASSWORD: &str = "Lx3wP8kN5vT7zB2qM9rJ4hY6dF1sGc";

/// All marked secrets.
pub(crate) const MARKS: [&str; 7] = [
    KEY_SECRET,
    SESSION_SECRET,
    SECURITY_TOKEN,
    MISPLACED,
    BEARER,
    KUBE_TOKEN,
    PROXY_PASSWORD,
];

/// Returns the access key of a mapped user.
pub(crate) fn key() -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("LTAI5tMarked0000000001").unwrap(),
        secret: Secret::new(KEY_SECRET),
        security_token: None,
    }
}

/// Returns the temporary key of a mapped role.
pub(crate) fn session_key() -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("STS.NMarked0000000001").unwrap(),
        secret: Secret::new(SESSION_SECRET),
        security_token: Some(Secret::new(SECURITY_TOKEN)),
    }
}

/// Adds both keys to an STS.
pub(crate) fn with_marked_keys(sts: Builder) -> Builder {
    let session = Principal::AssumedRole {
        account: demo::ACCOUNT.to_owned(),
        role: demo::ROLE.to_owned(),
        role_id: demo::ROLE_ID.to_owned(),
        session: demo::SESSION.to_owned(),
    };
    sts.demo()
        .user(demo::ACCOUNT, demo::USER, demo::USER_ID, key())
        .temporary_key(session, session_key(), demo::SESSION_EXPIRES)
}

/// Creates tokens, each of them different.
pub(crate) struct Tokens {
    now: UnixTime,
    made: Cell<i64>,
}

impl Tokens {
    pub(crate) fn at(now: UnixTime) -> Self {
        Self {
            now,
            made: Cell::new(0),
        }
    }

    pub(crate) fn v2(&self, key: &AccessKey) -> Secret {
        self.v2_for(CLUSTER, key, 0)
    }

    fn v2_for(&self, cluster: &str, key: &AccessKey, age: i64) -> Secret {
        let made = self.made.replace(self.made.get() + 1);
        let cluster = ClusterId::parse(cluster).unwrap();
        sign::sign_token_v2(key, &cluster, "test", self.now.plus_seconds(-age - made)).unwrap()
    }

    pub(crate) fn v1(&self, key: &AccessKey) -> Secret {
        let nonce = self.made.replace(self.made.get() + 1).to_string();
        callers::token_v1(key, &nonce, self.now)
    }

    /// Returns tokens that STS refuses, or that are rejected before a call to STS. Secrets are only where clients put
    /// secrets.
    pub(crate) fn refused_tokens(&self) -> Vec<Secret> {
        let wrong = |key: AccessKey| AccessKey {
            secret: Secret::new(MISPLACED),
            ..key
        };
        let good = self.v2(&session_key());
        let good = good.expose();
        let payload = payload(good);
        let json = self.json();
        let replaced = |what, with: &str| encoded(&json.replacen(what, with, 1));
        let line_feed = format!("{SECURITY_TOKEN}\n");
        vec![
            self.v2(&wrong(key())),
            self.v2(&wrong(session_key())),
            self.v1(&wrong(session_key())),
            self.v1(&wrong(key())),
            self.v2_for("another", &session_key(), 0),
            self.v2_for(CLUSTER, &session_key(), 3_600),
            self.v2_for(CLUSTER, &session_key(), -3_600),
            Secret::new(&good[..good.len() / 2]),
            Secret::new(format!("{good}!")),
            Secret::new(format!("k8s-ack-v2.{SECURITY_TOKEN}")),
            Secret::new(format!("k8s-ack-v3.{payload}")),
            Secret::new(format!("k8s-ack-v1.{payload}")),
            Secret::new(format!("k8s-ack-v2.{}", SECURITY_TOKEN.repeat(100))),
            encoded(&json[..json.len() - 1]),
            encoded(&format!("{json}{SECURITY_TOKEN}")),
            replaced("x-acs-date", "Authorization"),
            replaced("Signature=", &format!("Signature={MISPLACED}")),
            replaced("Signature=", &format!("Marked={MISPLACED},Signature=")),
            replaced("ACS3-HMAC-SHA256 ", "Bearer "),
            self.with("headers", "Authorization", MISPLACED.into()),
            self.with("headers", "Authorization", SECURITY_TOKEN.into()),
            self.with("headers", "Authorization", Value::Null),
            self.with("headers", "x-acs-security-token", line_feed.into()),
            self.with("headers", "x-acs-security-token", MISPLACED.into()),
            self.with("headers", "x-acs-security-token", 1.into()),
        ]
    }

    /// Returns tokens with secrets in place of names, constants, and the cluster ID.
    pub(crate) fn unusual_tokens(&self) -> Vec<Secret> {
        let mut odd: Vec<Secret> = [
            ("headers", "x-acs-content-sha256", SECURITY_TOKEN),
            ("headers", "x-acs-date", MISPLACED),
            ("headers", "x-acs-action", SECURITY_TOKEN),
            ("headers", "x-acs-version", SECURITY_TOKEN),
            ("headers", "user-agent", MISPLACED),
            ("headers", "user-agent", SECURITY_TOKEN),
            ("headers", SECURITY_TOKEN, ""),
            ("query", SECURITY_TOKEN, ""),
            ("query", "ACKClusterId", SECURITY_TOKEN),
        ]
        .map(|(place, name, value)| self.with(place, name, value.into()))
        .into();
        for name in [
            "clusterId",
            "method",
            "path",
            "query",
            "headers",
            SECURITY_TOKEN,
        ] {
            let mut token: Value = serde_json::from_str(&self.json()).unwrap();
            token[name] = SECURITY_TOKEN.into();
            odd.push(encoded(&token.to_string()));
        }
        for name in ["Credential=", "SignedHeaders="] {
            let with = format!("{name}{MISPLACED}");
            odd.push(encoded(&self.json().replacen(name, &with, 1)));
        }
        odd
    }

    /// Returns the JSON of a valid token.
    fn json(&self) -> String {
        let good = self.v2(&session_key());
        String::from_utf8(STANDARD.decode(payload(good.expose())).unwrap()).unwrap()
    }

    fn with(&self, place: &str, name: &str, value: Value) -> Secret {
        let mut token: Value = serde_json::from_str(&self.json()).unwrap();
        token[place][name] = value;
        encoded(&token.to_string())
    }
}

fn payload(token: &str) -> &str {
    token.strip_prefix("k8s-ack-v2.").unwrap()
}

fn encoded(json: &str) -> Secret {
    Secret::new(format!("k8s-ack-v2.{}", STANDARD.encode(json)))
}
