//! The recorded requests of `vectors/signatures.json`, sent to an emulator whose clock is at the time of the signature.

use std::collections::BTreeMap;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::percent;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::sts::Emulator;

use crate::client::{Call, PATIENCE, send};

#[derive(serde::Deserialize)]
struct Vectors {
    acs3_hmac_sha256: Vec<Vector>,
    rpc_hmac_sha1: Vec<Vector>,
}

/// A vector of either scheme. Fields of the other scheme are empty.
#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    access_key_id: String,
    access_key_secret: String,
    security_token: Option<String>,
    method: String,
    query: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    authorization: Option<String>,
    signature: String,
}

impl Vector {
    fn is_for_sts(&self) -> bool {
        let version = self
            .headers
            .get("x-acs-version")
            .or(self.query.get("Version"));
        version.is_some_and(|version| version == "2015-04-01")
    }

    fn key(&self) -> AccessKey {
        let token = self
            .security_token
            .as_ref()
            .or(self.query.get("SecurityToken"));
        AccessKey {
            id: AccessKeyId::parse(&self.access_key_id).unwrap(),
            secret: Secret::new(self.access_key_secret.as_str()),
            security_token: token.map(|token| Secret::new(token.as_str())),
        }
    }

    fn date(&self) -> UnixTime {
        let date = self
            .headers
            .get("x-acs-date")
            .or(self.query.get("Timestamp"));
        UnixTime::parse(date.unwrap()).unwrap()
    }

    fn call(&self) -> Call {
        let mut query: Vec<_> = self
            .query
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let mut headers: Vec<_> = self.headers.clone().into_iter().collect();
        // The client sends this header by itself.
        headers.retain(|(name, _)| name != "host");
        match &self.authorization {
            Some(authorization) => {
                headers.push(("authorization".to_owned(), authorization.clone()))
            }
            None => query.push(("Signature", &self.signature)),
        }
        Call {
            method: self.method.parse().unwrap(),
            target: format!("/?{}", percent::canonical_query(&query)),
            headers,
            body: self.body.clone(),
        }
    }
}

#[tokio::test]
async fn recorded_requests_are_accepted() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../../vectors/signatures.json")).unwrap();
    let mut sent = 0;
    for vector in vectors
        .acs3_hmac_sha256
        .iter()
        .chain(&vectors.rpc_hmac_sha1)
    {
        let host = vector
            .headers
            .get("host")
            .map_or("sts.aliyuncs.com", String::as_str);
        if !vector.is_for_sts() || host != "sts.aliyuncs.com" {
            continue;
        }
        let account = "1234567890123456";
        let sts = Emulator::builder()
            .user(account, "alice", "1", vector.key())
            .role(account, "r", "2")
            .role(account, "my-role", "3")
            .now(vector.date())
            .start()
            .unwrap();
        let reply = send(&sts, &vector.call(), PATIENCE).await.unwrap();
        // The session name of one vector is too short. STS reports it only after it has verified the signature.
        let code = reply.text("Code");
        assert!(
            reply.status == 200 || code == "InvalidParameter.RoleSessionName",
            "{}: {:?}",
            vector.name,
            reply.body
        );
        sent += 1;
    }
    assert_eq!(sent, 9, "vectors for sts.aliyuncs.com");
}
