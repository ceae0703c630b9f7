//! A cluster, an STS, people, and servers.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use ack_ram_core::review::ReviewVersion;
use ack_ram_tests::callers::CLUSTER;
pub use ack_ram_tests::cluster::MAPPINGS;
use ack_ram_tests::cluster::{Cluster, Rest};
use ack_ram_tests::eventually::{LIMIT, block_until};
use ack_ram_tests::process::Process;
use ack_ram_tests::proxy::Proxy;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::uptime::MovedUptime;
use ack_ram_tests::{authenticator, ports};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::people::{PEOPLE, Person, sts};
use crate::replica::{Login, Replica, login_of};

pub const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ramidentitymappings.ramauthenticator.k8s.alibabacloud";
const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";

/// A cluster with several servers. The API server calls the first one, and each server reaches the API server through a
/// proxy of its own.
pub struct ClusterFixture {
    pub replicas: Vec<Replica>,
    pub proxies: Vec<Proxy>,
    pub api: Rest,
    pub cluster: Cluster,
    pub sts: Emulator,
    /// The token of the service account of the servers.
    token: String,
    /// The content of `mapUsers` in the ConfigMap.
    pub config_map: BTreeMap<Person, String>,
    next: u32,
    // Declared after the fields that use its files, so that it is dropped after them.
    pub folder: TempDir,
}

impl ClusterFixture {
    /// Starts everything, with `replicas` servers that have `settings` and the rights that `deploy/` grants.
    pub fn start(replicas: usize, settings: &Value) -> Self {
        let sts = sts();
        let folder = tempfile::tempdir().unwrap();
        let first = ports::free_port();
        init(folder.path(), first);
        let webhook = folder
            .path()
            .join("0/state/ack-ram-authenticator.kubeconfig");
        let cluster = Cluster::builder()
            .webhook(&webhook, ReviewVersion::V1)
            .start();
        cluster.apply_definition();
        cluster.apply_deploy("example.yaml");
        let mut fixture = Self {
            replicas: Vec::new(),
            proxies: Vec::new(),
            api: cluster.api(),
            token: cluster.create_service_account_token(),
            cluster,
            sts,
            config_map: BTreeMap::new(),
            next: 0,
            folder,
        };
        for number in 0..replicas {
            let mut settings = settings.clone();
            if number == 0 {
                settings["port"] = json!(first);
            }
            let replica = fixture.add_replica(&number.to_string(), &settings);
            fixture.replicas.push(replica);
        }
        fixture
    }

    /// Starts a server that reaches the API server through a new proxy, which is the last one in the list.
    pub fn add_replica(&mut self, name: &str, settings: &Value) -> Replica {
        let kubeconfig = self.add_proxy(name);
        let mut settings = settings.clone();
        if settings.get("kubeconfig").is_none() {
            settings["kubeconfig"] = json!(kubeconfig);
        }
        Replica::start(self.folder.path().join(name), &self.sts, &settings)
    }

    /// Starts a server whose time since boot is `uptime`.
    pub fn add_replica_at(
        &mut self,
        name: &str,
        settings: &Value,
        uptime: &MovedUptime,
    ) -> Replica {
        let mut settings = settings.clone();
        settings["kubeconfig"] = json!(self.add_proxy(name));
        let environment = uptime.environment().into();
        Replica::start_in(
            self.folder.path().join(name),
            &self.sts,
            &settings,
            environment,
        )
    }

    /// Starts a proxy to the API server. Returns a kubeconfig of the service account of the servers that uses the
    /// proxy.
    fn add_proxy(&mut self, name: &str) -> PathBuf {
        let address = self.cluster.url().trim_start_matches("https://");
        let address: SocketAddr = address.parse().unwrap();
        let proxy = Proxy::start(address).unwrap();
        let url = format!("https://{}", proxy.address());
        self.proxies.push(proxy);
        self.cluster
            .write_token_kubeconfig_at(&url, &format!("server-{name}"), &self.token)
    }

    /// Returns a new person.
    pub fn person(&mut self) -> Person {
        self.next += 1;
        assert!(self.next < PEOPLE);
        Person(self.next)
    }

    /// Creates an object that maps `person` and is named like them.
    pub fn map(&self, person: Person, username: &str) {
        self.api
            .post(MAPPINGS, &object(&person.name(), &person.arn(), username))
            .ok();
    }

    pub fn remap(&self, person: Person, username: &str) {
        let patch = json!({"spec": {"username": username}});
        self.api.merge(&path(&person.name()), &patch).ok();
    }

    pub fn unmap(&self, person: Person) {
        self.api.delete(&path(&person.name())).ok();
    }

    /// Writes [`Self::config_map`] to the cluster.
    pub fn write_config_map(&self) {
        let entries = self.config_map.iter();
        let users: Vec<Value> = entries
            .map(|(person, username)| person.entry(username))
            .collect();
        self.write_config_map_data(&json!({"mapUsers": json!(users).to_string()}));
    }

    /// Writes `data` to the ConfigMap. Returns the ConfigMap as stored.
    pub fn write_config_map_data(&self, data: &Value) -> Value {
        let name = "alibabacloud-auth";
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "kube-system", "name": name},
            "data": data,
        });
        let written = self.api.put(&format!("{CONFIG_MAPS}/{name}"), &object);
        if written.status == 404 {
            self.api.post(CONFIG_MAPS, &object).ok()
        } else {
            written.ok()
        }
    }

    /// Returns the result of a login at the API server.
    pub fn review(&self, person: Person) -> Login {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": person.token().expose()},
        });
        login_of(
            &self
                .api
                .post("/apis/authentication.k8s.io/v1/tokenreviews", &review)
                .ok(),
        )
    }

    /// Returns the running servers.
    pub fn running(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().filter(|replica| replica.is_running())
    }

    /// Returns the status of the object `name`.
    pub fn status(&self, name: &str) -> Value {
        self.api.get(&path(name)).ok()["status"].clone()
    }

    /// Waits until the condition `kind` of the object `name` has this status, with `part` in its message.
    #[track_caller]
    pub fn wait_for_condition(&self, name: &str, kind: &str, status: &str, part: &str) {
        block_until(name, || {
            let found = condition(&self.status(name), kind);
            let message = found["message"].as_str().unwrap_or_default();
            let is_expected = found["status"] == status && message.contains(part);
            is_expected
                .then_some(())
                .ok_or_else(|| format!("{kind} is {found}, not {status}: {part}"))
        });
    }

    /// Returns a command of the program, run by an administrator of the cluster.
    pub fn command(&self, args: &[&str]) -> Command {
        let kubeconfig = self
            .cluster
            .admin_kubeconfig()
            .to_string_lossy()
            .into_owned();
        let args = [args, &["--kubeconfig", &kubeconfig]].concat();
        authenticator::command(self.folder.path(), &args)
    }
}

/// The result of a command.
pub struct CommandRun {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn run(command: Command) -> CommandRun {
    let mut process = Process::spawn("ack-ram-authenticator", command).unwrap();
    let status = process.wait(LIMIT).unwrap();
    CommandRun {
        code: status.code(),
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}

pub fn object(name: &str, arn: &str, username: &str) -> Value {
    of_spec(
        name,
        &json!({"arn": arn, "username": username, "groups": ["mapped"]}),
    )
}

pub fn of_spec(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
        "kind": "RAMIdentityMapping",
        "metadata": {"name": name},
        "spec": spec,
    })
}

pub fn path(name: &str) -> String {
    format!("{MAPPINGS}/{name}")
}

pub fn condition(status: &Value, kind: &str) -> Value {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let mut conditions = conditions.into_iter();
    conditions
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

/// Runs `init` for the first server, as an administrator does before there is an API server.
fn init(folder: &Path, port: u16) {
    let folder = folder.join("0/state");
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("init.yaml");
    let settings = json!({"clusterID": CLUSTER, "server": {"port": port, "stateDir": folder}});
    fs::write(&config, settings.to_string()).unwrap();
    let ran = run(authenticator::command(
        &folder,
        &["init", "--config", &config.to_string_lossy()],
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
