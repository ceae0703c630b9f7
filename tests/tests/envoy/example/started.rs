//! An example that runs in Envoy, with STS, the service, and the server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::callers::token_v2;
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::envoy::{
    Envoy, EnvoyClient, EnvoyReply, Module, Protocol, ReceivedRequest, Upstream,
};
use ack_ram_tests::ports;
use ack_ram_tests::server_config::ServerConfig;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::{Value, json};
use tempfile::TempDir;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/envoy");
const GENERATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/envoy/generated");

/// An example, by the component that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Example {
    /// `envoy.yaml`: the filter.
    Filter,
    /// `ext-authz.yaml`: the server.
    ExtAuthz,
    /// The configuration that Istio generates from `istio.yaml`: the server.
    Istio,
    /// The configuration that Envoy Gateway generates from `envoy-gateway.yaml`: the server.
    EnvoyGateway,
}

/// A text in an example and its replacement.
type Change<'a> = (&'a str, &'a str);

pub(crate) struct ExampleEnvoy {
    pub(crate) envoy: Envoy,
    pub(crate) service: Upstream,
    pub(crate) sts: Emulator,
    pub(crate) authenticator: Option<Authenticator>,
    dates: DistinctDates,
    _state: TempDir,
}

impl Example {
    pub(crate) const BOTH: [Self; 2] = [Self::Filter, Self::ExtAuthz];
    pub(crate) const GENERATED: [Self; 2] = [Self::Istio, Self::EnvoyGateway];

    fn text(self) -> String {
        let (folder, name) = match self {
            Self::Filter => (FOLDER, "envoy.yaml"),
            Self::ExtAuthz => (FOLDER, "ext-authz.yaml"),
            Self::Istio => (GENERATED, "istio.yaml"),
            Self::EnvoyGateway => (GENERATED, "envoy-gateway.yaml"),
        };
        fs::read_to_string(Path::new(folder).join(name)).unwrap()
    }

    /// Returns Envoy's configuration.
    pub(crate) fn configuration(self) -> Value {
        serde_saphyr::from_str(&self.text()).unwrap()
    }

    /// Returns the objects from which Envoy's configuration is generated.
    pub(crate) fn objects(self) -> Vec<Value> {
        let name = match self {
            Self::Istio => "istio.yaml",
            Self::EnvoyGateway => "envoy-gateway.yaml",
            Self::Filter | Self::ExtAuthz => panic!("{self:?} is not generated from objects"),
        };
        let text = fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
        let documents = text.split("\n---\n");
        documents
            .map(|document| serde_saphyr::from_str(document).unwrap())
            .collect()
    }

    pub(crate) fn start(self) -> ExampleEnvoy {
        self.start_with(&[], None)
    }

    /// Starts the example with `changes`. With `other_ca`, Envoy trusts that authority instead of the right one.
    pub(crate) fn start_with(self, changes: &[Change<'_>], other_ca: Option<&str>) -> ExampleEnvoy {
        let joins_groups = Self::GENERATED.contains(&self);
        let ext_authz = json!({ "enabled": true, "joinGroups": joins_groups });
        self.start_with_server(changes, other_ca, |server| server["extAuthz"] = ext_authz)
    }

    /// Like [`Self::start_with`], after `edit` has changed the settings of the server.
    pub(crate) fn start_with_server(
        self,
        changes: &[Change<'_>],
        other_ca: Option<&str>,
        edit: impl FnOnce(&mut Value),
    ) -> ExampleEnvoy {
        let sts = Emulator::builder()
            .demo()
            .name("sts.aliyuncs.com")
            .start()
            .unwrap();
        let service = Upstream::start().unwrap();
        let state = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sts_ca = state.path().join("sts-ca.pem");
        fs::write(&sts_ca, sts.ca_pem()).unwrap();
        let other = state.path().join("other-ca.pem");
        fs::write(&other, other_ca.unwrap_or_default()).unwrap();

        let mut text = replaced(&self.text(), "port_value: 9901", "port_value: 0");
        text = replaced(&text, "port_value: 10000", "port_value: 0");
        let port = format!("port_value: {}", service.address().port());
        text = replaced(&text, "port_value: 8080", &port);
        for (from, to) in changes {
            text = replaced(&text, from, to);
        }
        let (peer, ca, right_ca, authenticator) = match self {
            Self::Filter => {
                symlink(
                    Module::Small.path(),
                    folder.path().join("ack-ram-envoy.wasm"),
                )
                .unwrap();
                let peer = format!("address: 127.0.0.1, port_value: {}", sts.address().port());
                text = replaced(&text, "address: sts.aliyuncs.com, port_value: 443", &peer);
                (None, "/etc/ssl/certs/ca-certificates.crt", sts_ca, None)
            }
            Self::ExtAuthz | Self::Istio | Self::EnvoyGateway => {
                let port = ports::free_port();
                let server = server(state.path(), port, &sts, &sts_ca, edit);
                (
                    Some(port),
                    "/var/ack-ram-authenticator/cert.pem",
                    state.path().join("state/cert.pem"),
                    Some(server),
                )
            }
        };
        if let Some(port) = peer {
            text = replaced(&text, "port_value: 21362", &format!("port_value: {port}"));
        }
        let trusted = if other_ca.is_some() { other } else { right_ca };
        text = replaced(&text, ca, trusted.to_str().unwrap());

        let file = folder.path().join("envoy.yaml");
        fs::write(&file, text).unwrap();
        let envoy = Envoy::run(&file, folder).unwrap_or_else(|error| panic!("{error}"));
        ExampleEnvoy {
            envoy,
            service,
            dates: DistinctDates::back_from(sts.now()),
            sts,
            authenticator,
            _state: state,
        }
    }
}

/// Starts the server with the same mappings as in `envoy.yaml`.
fn server(
    folder: &Path,
    port: u16,
    sts: &Emulator,
    sts_ca: &Path,
    edit: impl FnOnce(&mut Value),
) -> Authenticator {
    let mut settings = json!({
        "sts": { "endpoint": sts.url(), "caFile": sts_ca, "connectTimeout": "2s", "timeout": "5s" },
        "mapUsers": [{
            "userARN": demo::USER_ARN,
            "username": "alice",
            "groups": ["developers", "ops"],
        }],
        "mapRoles": [{
            "roleARN": demo::ROLE_ARN,
            "username": "dev:{{SessionName}}",
            "groups": ["developers", "ops-readers"],
        }],
    });
    edit(&mut settings);
    let config = ServerConfig::new(folder, port).settings(&settings);
    Authenticator::start(folder, &config.write()).unwrap()
}

/// Returns `text` with `to` in place of `from`, which must occur once.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` in\n{text}");
    text.replace(from, to)
}

impl ExampleEnvoy {
    /// Returns an `Authorization` value with a token of `key` that differs from all others.
    pub(crate) fn bearer(&self, key: &AccessKey) -> String {
        let token = token_v2(key, self.dates.next());
        crate::fixture::bearer(&token)
    }

    pub(crate) fn set_sts_fault(&self, fault: Option<Fault>) {
        crate::fixture::set_sts_fault(&self.sts, &self.envoy, fault);
    }

    pub(crate) fn client(&self, protocol: Protocol) -> EnvoyClient {
        self.envoy.client("ingress", protocol)
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> EnvoyReply {
        let answer = self.client(Protocol::Http1).get(path, headers).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}: {}", self.envoy.log()))
    }

    /// Returns the only request that the service has received.
    pub(crate) fn only_request(&self, what: &str) -> ReceivedRequest {
        let mut received = self.service.take();
        assert_eq!(received.len(), 1, "{what}: {received:?}");
        received.remove(0)
    }

    /// Waits for the line of the access log about the request for `path`.
    pub(crate) fn access_log_line(&mut self, path: &str) -> Value {
        let part = format!(r#""path":"{path}""#);
        let line = self.envoy.wait_for_log(&part).unwrap();
        let start = line.find('{').unwrap();
        serde_json::from_str(&line[start..]).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}
