//! A server that knows many people, and its STS.

use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::front::Front;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// How many people are mapped.
const PEOPLE: usize = 120;
/// How many keys STS knows whose owner is not mapped.
pub(crate) const UNMAPPED: usize = 2_000;
const STS_TAKES: Duration = Duration::from_secs(1);

pub(crate) struct World {
    _authenticator: Authenticator,
    sts: Emulator,
    port: u16,
    folder: TempDir,
}

impl World {
    /// `sts` is what is under `server.sts` beside the necessary.
    pub(crate) fn start(sts: &Value) -> Self {
        let mut builder = Emulator::builder().demo();
        let mut users = vec![json!({ "userARN": demo::USER_ARN, "username": "alice" })];
        for person in 0..PEOPLE {
            let name = format!("person-{person}");
            builder = builder.user(
                demo::ACCOUNT,
                &name,
                &format!("4{person:017}"),
                key_of(person),
            );
            let arn = format!("acs:ram::{}:user/{name}", demo::ACCOUNT);
            users.push(json!({ "userARN": arn, "username": name }));
        }
        for number in 0..UNMAPPED {
            builder = builder.user(
                demo::ACCOUNT,
                demo::STRANGER,
                demo::STRANGER_ID,
                unmapped_key(number),
            );
        }
        let emulator = builder.start().unwrap();
        emulator.set_fault(Some(Fault::Delay(STS_TAKES)));
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("sts-ca.pem");
        std::fs::write(&ca, emulator.ca_pem()).unwrap();
        let port = ports::free_port();
        let mut settings = json!({ "endpoint": emulator.url(), "caFile": ca });
        for (key, value) in sts.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": settings,
                "mapUsers": users,
                "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
            },
        });
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, config.to_string()).unwrap();
        Self {
            _authenticator: Authenticator::start(folder.path(), &path).unwrap(),
            sts: emulator,
            port,
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn front(&self) -> Front {
        let ca = self.path("state/cert.pem");
        Front::of_webhook(|| WebhookClient::new(&ca, self.port).unwrap())
    }

    /// A token that differs from those of the same key with another `number`, below 600.
    pub(crate) fn token_of(&self, key: &AccessKey, number: usize) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        let age = i64::try_from(number % 600).unwrap();
        let date = self.sts.now().plus_seconds(-age);
        sign::sign_token_v2(key, &cluster, "test", date).unwrap()
    }
}

/// The key of a person who is mapped.
pub(crate) fn key_of(person: usize) -> AccessKey {
    key(&format!("LTAIPerson{person}"))
}

/// A key that STS knows, of somebody who is not mapped.
pub(crate) fn unmapped_key(number: usize) -> AccessKey {
    key(&format!("LTAIUnmapped{number}"))
}

/// A key with this id. Its secret is that of all others.
pub(crate) fn key(id: &str) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(id).unwrap(),
        ..demo::stranger_key()
    }
}
