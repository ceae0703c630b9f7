//! An Envoy with the filter, an STS, and a service.

use std::sync::atomic::{AtomicI64, Ordering};

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
pub(crate) use ack_ram_tests::callers::bearer;
use ack_ram_tests::callers::{CLUSTER, token_v2};
use ack_ram_tests::envoy::{
    Envoy, EnvoyClient, EnvoyReply, Filter, Listener, Module, Protocol, ReceivedRequest, Upstream,
    service_cluster, sts_cluster,
};
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::{Value, json};

/// The name of the listener in most tests.
pub(crate) const MAIN: &str = "main";

pub(crate) struct EnvoyFixture {
    pub(crate) sts: Emulator,
    pub(crate) service: Upstream,
    pub(crate) envoy: Envoy,
    started: UnixTime,
    tokens: AtomicI64,
}

impl EnvoyFixture {
    /// Starts Envoy with the filter of `module`, configured by [`settings`] after `edit`.
    pub(crate) fn start(module: Module, edit: impl FnOnce(&mut Value)) -> Self {
        Self::with_listeners(&[listener(MAIN, module, edit)])
    }

    pub(crate) fn with_listeners(listeners: &[Listener]) -> Self {
        Self::with_sts(sts_cluster, listeners)
    }

    pub(crate) fn with_workers(workers: u8, listeners: &[Listener]) -> Self {
        Self::with(workers, sts_cluster, listeners)
    }

    /// Starts Envoy with `cluster` as the cluster for STS.
    pub(crate) fn with_sts(
        cluster: impl FnOnce(&Emulator) -> Value,
        listeners: &[Listener],
    ) -> Self {
        Self::with(1, cluster, listeners)
    }

    fn with(workers: u8, cluster: impl FnOnce(&Emulator) -> Value, listeners: &[Listener]) -> Self {
        let sts = Emulator::builder()
            .demo()
            .name("sts.aliyuncs.com")
            .start()
            .unwrap();
        let service = Upstream::start().unwrap();
        let clusters = [service_cluster(service.address()), cluster(&sts)];
        let envoy = Envoy::start_with_workers(workers, &clusters, listeners);
        let envoy = envoy.unwrap_or_else(|error| panic!("{error}"));
        Self {
            started: sts.now(),
            sts,
            service,
            envoy,
            tokens: AtomicI64::new(0),
        }
    }

    /// Returns a token of Alice that differs from all others of this fixture.
    pub(crate) fn token(&self) -> Secret {
        self.token_of(&demo::user_key())
    }

    /// Returns a token of `key` that differs from all others of this fixture: each is a second older.
    pub(crate) fn token_of(&self, key: &AccessKey) -> Secret {
        let age = self.tokens.fetch_add(1, Ordering::Relaxed);
        token_v2(key, self.started.plus_seconds(-age % 600))
    }

    pub(crate) fn set_sts_fault(&self, fault: Option<Fault>) {
        set_sts_fault(&self.sts, &self.envoy, fault);
    }

    pub(crate) fn client(&self, protocol: Protocol) -> EnvoyClient {
        self.envoy.client(MAIN, protocol)
    }

    /// Returns the answer to `GET path` with `token`.
    pub(crate) async fn get(&self, path: &str, token: &Secret) -> EnvoyReply {
        let bearer = bearer(token);
        let client = self.client(Protocol::Http1);
        let answer = client.get(path, &[("authorization", &bearer)]).await;
        answer.unwrap_or_else(|error| panic!("{error}: {}", self.envoy.log()))
    }

    /// Waits until no request waits for STS. A worker updates this metric when it handles the next event.
    pub(crate) async fn wait_until_no_request_waits(&self) {
        eventually("no request waits", async || {
            assert_eq!(self.get("/", &self.token()).await.status, 200);
            self.envoy.stat("wasmcustom.ack_ram.waiting") == 0
        })
        .await;
    }

    /// Returns the only request that the service has received.
    pub(crate) fn only_request(&self) -> ReceivedRequest {
        let mut received = self.service.take();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }
}

/// Sets or clears the fault of `sts`. A fault of new connections closes the existing ones of `envoy`.
pub(crate) fn set_sts_fault(sts: &Emulator, envoy: &Envoy, fault: Option<Fault>) {
    sts.set_fault(fault);
    sts.cut_connections();
    envoy.wait_until_disconnected("sts");
}

/// Returns the configuration of the filter in most tests.
pub(crate) fn settings() -> Value {
    json!({
        "clusterID": CLUSTER,
        "sts": { "cluster": "sts", "timeoutMilliseconds": 5_000 },
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops"] }],
        "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
    })
}

/// Returns a listener with the filter of `module`.
pub(crate) fn listener(name: &str, module: Module, edit: impl FnOnce(&mut Value)) -> Listener {
    let mut settings = settings();
    edit(&mut settings);
    Listener::new(name, vec![Filter::new(module, &settings).to_config()])
}
