//! The processes of etcd and kube-apiserver.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use ack_ram_core::review::ReviewVersion;
use rcgen::KeyPair;
use serde_json::json;

use super::Webhook;
use super::kubectl::{self, Access};
use super::rest::Rest;
use crate::ports::free_port;
use crate::process::{Process, WaitError};
use crate::tools;

/// How long a start may take. On two idle cores, a start takes about five seconds.
const START_LIMIT: Duration = Duration::from_secs(120);
const ATTEMPTS: usize = 3;
const PORT_TAKEN: &str = "address already in use";
const ADMIN_TOKEN: &str = "admin-of-a-test-cluster";

pub(super) struct Servers {
    pub(super) apiserver: Process,
    pub(super) etcd: Process,
    pub(super) access: Access,
    pub(super) admin_kubeconfig: PathBuf,
    etcd_ports: EtcdPorts,
    port: u16,
    webhook: Option<Webhook>,
}

impl Servers {
    /// Starts both servers and waits until they are ready.
    ///
    /// # Panics
    /// If a server does not start. The message contains its log.
    pub(super) fn start(folder: &Path, webhook: Option<&Webhook>) -> Self {
        write_credentials(folder);
        let (etcd, etcd_ports) = start_etcd(folder);
        let (mut apiserver, port) = start_apiserver(folder, &etcd_ports.url(), webhook);
        let access = Access {
            url: format!("https://127.0.0.1:{port}"),
            ca_file: folder.join("tls/apiserver.crt"),
        };
        let admin_kubeconfig = folder.join("kubeconfig-admin.json");
        access.write_kubeconfig(&admin_kubeconfig, json!({"token": ADMIN_TOKEN}));
        wait_until_ready(&mut apiserver, folder, &admin_kubeconfig);
        Self {
            apiserver,
            etcd,
            access,
            admin_kubeconfig,
            etcd_ports,
            port,
            webhook: webhook.cloned(),
        }
    }

    /// Starts the API server and waits until it is ready.
    ///
    /// # Panics
    /// If the API server does not start. The message contains its log.
    pub(super) fn start_apiserver(&mut self, folder: &Path) {
        let webhook = self.webhook.as_ref();
        let started = run_apiserver(folder, &self.etcd_ports.url(), webhook, self.port);
        self.apiserver = started.unwrap_or_else(|error| panic!("{error}"));
        wait_until_ready(&mut self.apiserver, folder, &self.admin_kubeconfig);
    }

    /// Compacts etcd through its JSON gateway (etcd documentation, "gRPC gateway").
    pub(super) fn compact_etcd(&self) {
        let etcd = Rest::new(&self.etcd_ports.url(), None, None);
        let now = etcd.post("/v3/kv/range", &json!({"key": "AA=="})).ok();
        let revision = &now["header"]["revision"];
        let compaction = json!({"revision": revision, "physical": true});
        etcd.post("/v3/kv/compaction", &compaction).ok();
    }

    /// Kills both servers, calls `change` with the folder of etcd's data, and starts both servers again.
    ///
    /// # Panics
    /// If a server does not start. The message contains its log.
    pub(super) fn with_data(&mut self, folder: &Path, change: impl FnOnce(&Path)) {
        self.apiserver.kill();
        self.etcd.kill();
        change(&folder.join(self.etcd_ports.data()));
        let started = run_etcd(folder, self.etcd_ports);
        self.etcd = started.unwrap_or_else(|error| panic!("{error}"));
        self.start_apiserver(folder);
    }

    pub(super) fn api(&self) -> Rest {
        let Access { url, ca_file } = &self.access;
        Rest::new(url, Some(ca_file), Some(ADMIN_TOKEN))
    }

    pub(super) fn url(&self) -> &str {
        &self.access.url
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // The data is discarded, so a graceful stop would only take time.
        self.apiserver.kill();
        self.etcd.kill();
    }
}

fn write_credentials(folder: &Path) {
    let key = KeyPair::generate().expect("a key can be generated");
    let admin = format!("{ADMIN_TOKEN},admin,admin,\"system:masters\"\n");
    for (name, content) in [
        ("service-account-key.pem", key.serialize_pem()),
        ("service-account-public.pem", key.public_key_pem()),
        ("tokens.csv", admin),
    ] {
        fs::write(folder.join(name), content).expect("the cluster's folder can be written");
    }
}

#[derive(Clone, Copy)]
struct EtcdPorts {
    client: u16,
    peer: u16,
}

impl EtcdPorts {
    fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    fn data(self) -> String {
        format!("etcd-{}", self.client)
    }
}

fn start_etcd(folder: &Path) -> (Process, EtcdPorts) {
    retry_taken_ports(|| {
        let (client, peer) = (free_port(), free_port());
        let ports = EtcdPorts { client, peer };
        Ok((run_etcd(folder, ports)?, ports))
    })
}

fn run_etcd(folder: &Path, ports: EtcdPorts) -> Result<Process, WaitError> {
    let client = ports.url();
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let mut command = bare_command(tools::ETCD.path(), folder);
    command
        .arg("--unsafe-no-fsync")
        .arg(format!("--data-dir={}", ports.data()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"));
    let mut etcd = Process::spawn("etcd", command).expect("etcd can be started");
    etcd.wait_for_line(
        |line| line.contains("ready to serve client requests"),
        START_LIMIT,
    )?;
    Ok(etcd)
}

fn start_apiserver(folder: &Path, etcd: &str, webhook: Option<&Webhook>) -> (Process, u16) {
    retry_taken_ports(|| {
        let port = free_port();
        Ok((run_apiserver(folder, etcd, webhook, port)?, port))
    })
}

fn run_apiserver(
    folder: &Path,
    etcd: &str,
    webhook: Option<&Webhook>,
    port: u16,
) -> Result<Process, WaitError> {
    let mut command = bare_command(tools::KUBE_APISERVER.path(), folder);
    command
        .arg(format!("--etcd-servers={etcd}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={port}"))
        .arg("--cert-dir=tls")
        .arg("--authorization-mode=RBAC")
        .arg("--token-auth-file=tokens.csv")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg("--service-account-key-file=service-account-public.pem")
        .arg("--service-account-signing-key-file=service-account-key.pem")
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        // Kubernetes does not publish a loopback address as an endpoint.
        .arg("--endpoint-reconciler-type=none")
        .args(webhook.into_iter().flat_map(webhook_flags));
    let mut apiserver =
        Process::spawn("kube-apiserver", command).expect("kube-apiserver can be started");
    apiserver.wait_for_line(|line| line.contains("Serving securely on"), START_LIMIT)?;
    Ok(apiserver)
}

fn webhook_flags(webhook: &Webhook) -> [String; 3] {
    let version = match webhook.version {
        ReviewVersion::V1 => "v1",
        ReviewVersion::V1Beta1 => "v1beta1",
    };
    let (kubeconfig, ttl) = (webhook.kubeconfig.display(), webhook.cache_ttl.as_millis());
    [
        format!("--authentication-token-webhook-config-file={kubeconfig}"),
        format!("--authentication-token-webhook-version={version}"),
        format!("--authentication-token-webhook-cache-ttl={ttl}ms"),
    ]
}

fn wait_until_ready(apiserver: &mut Process, folder: &Path, kubeconfig: &Path) {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let ready = kubectl::run(folder, kubeconfig, &[], &["get", "--raw=/readyz"]);
        if ready.success {
            return;
        }
        assert!(
            apiserver.is_running() && Instant::now() < deadline,
            "kube-apiserver is not ready: {}",
            ready.stderr
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// Builds a command in `folder` that inherits only `PATH` from the environment.
fn bare_command(program: PathBuf, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder);
    command
}

/// Calls `start` again if another process took a port between the search for a free port and the start of the server.
fn retry_taken_ports<T>(start: impl Fn() -> Result<T, WaitError>) -> T {
    let mut attempt = 1;
    loop {
        match start() {
            Ok(started) => return started,
            Err(error) if attempt < ATTEMPTS && error.log().contains(PORT_TAKEN) => attempt += 1,
            Err(error) => panic!("attempt {attempt}: {error}"),
        }
    }
}
