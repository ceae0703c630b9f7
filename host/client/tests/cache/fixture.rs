//! A home directory and a service that issues keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use tempfile::TempDir;

use crate::process::ClientSetup;
use crate::server::{Call, Counter, Reply, Server};

/// When the tests begin.
pub(crate) const START: UnixTime = UnixTime::from_seconds(1_780_000_000);
/// The lifetime of each key, in seconds.
pub(crate) const LIFETIME: i64 = 3600;

/// Returns a key whose secret has the number of the call. It ends an hour after `now`.
pub(crate) fn key(number: usize, now: UnixTime) -> String {
    format!(
        r#""AccessKeyId": "STS.FakeAccessKeyId{number}", "AccessKeySecret": "FakeSecret{number}", "SecurityToken": "FakeToken{number}", "Expiration": "{}""#,
        now.plus_seconds(LIFETIME)
    )
}

/// Returns the reply with a key of this number.
pub(crate) fn key_reply(number: usize, now: UnixTime) -> Reply {
    (200, format!("{{{}}}", key(number, now)))
}

/// Returns the reply of STS with a key of this number.
pub(crate) fn role_reply(number: usize, now: UnixTime) -> Reply {
    let key = key(number, now);
    (
        200,
        format!(r#"{{"RequestId": "1", "Credentials": {{{key}}}}}"#),
    )
}

/// Returns the secret of the key of this number, as the result of a client.
pub(crate) fn secret(number: usize) -> Result<String, String> {
    Ok(format!("FakeSecret{number}"))
}

pub(crate) struct Fixture {
    home: TempDir,
    pub(crate) server: Server,
}

impl Fixture {
    pub(crate) fn new(reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            server: Server::start(reply),
        }
    }

    /// Returns a service whose call `number` is answered when the gate opens.
    pub(crate) fn with_gate(
        number: usize,
        reply: impl Fn(&Call) -> Reply + Send + Sync + 'static,
    ) -> (Self, Arc<Counter>) {
        let gate = Arc::new(Counter::default());
        let waiting = Arc::clone(&gate);
        let fixture = Self::new(move |call| {
            if call.number == number {
                waiting.wait_for(1);
            }
            reply(call)
        });
        (fixture, gate)
    }

    /// Returns a client that gets its key from the URL of the service.
    pub(crate) fn client(&self, now: UnixTime) -> ClientSetup {
        let url = format!("http://127.0.0.1:{}/key", self.server.port);
        self.client_without_source(now)
            .variable("ALIBABA_CLOUD_CREDENTIALS_URI", &url)
    }

    /// Returns a client that assumes a role with a permanent key. The service is STS.
    pub(crate) fn role_client(&self, now: UnixTime) -> ClientSetup {
        self.with_role(self.client_without_source(now))
            .variable("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001")
            .variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "FakeUserSecret1")
    }

    /// Makes a client assume a role with its key. The service is STS.
    pub(crate) fn with_role(&self, client: ClientSetup) -> ClientSetup {
        let endpoint = format!("http://127.0.0.1:{}", self.server.port);
        client
            .role("acs:ram::1234567890123456:role/dev")
            .variable("ALIBABA_CLOUD_STS_ENDPOINT", &endpoint)
    }

    pub(crate) fn client_without_source(&self, now: UnixTime) -> ClientSetup {
        let home = self.home.path().to_str().unwrap();
        ClientSetup::default().variable("HOME", home).at(now)
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn cache_folder(&self) -> PathBuf {
        self.home.path().join(".kube/cache/ack-ram-authenticator")
    }

    /// Returns the files of the cache whose names end with `end`.
    pub(crate) fn cache_files(&self, end: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.cache_folder()).into_iter().flatten();
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.to_str().unwrap().ends_with(end))
            .collect()
    }
}
