//! A Kubernetes control plane for one test: etcd and kube-apiserver on loopback, and kubectl.
//!
//! Nothing here is shared or fixed: several clusters may run side by side. Dropping a [`Cluster`]
//! ends its servers and removes its files, also while a test panics.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ack_ram_core::review::ReviewVersion;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::kubectl::Access;
use self::servers::Servers;

pub use self::deploy::MAPPINGS;
pub use self::kubectl::{ExecPlugin, KubectlOutput};
pub use self::rest::{ApiReply, Rest};

mod deploy;
mod kubectl;
mod rest;
mod servers;

/// Where a copy of etcd's data is.
const BACKUP: &str = "etcd-backup";

/// A running control plane.
pub struct Cluster {
    // Dropped before the folder they write to.
    servers: Servers,
    folder: TempDir,
}

/// What a [`Cluster`] is started with.
#[derive(Clone, Debug, Default)]
pub struct ClusterBuilder {
    webhook: Option<Webhook>,
}

#[derive(Clone, Debug)]
struct Webhook {
    kubeconfig: PathBuf,
    version: ReviewVersion,
    cache_ttl: Duration,
}

impl ClusterBuilder {
    /// Logs people in through the authentication webhook that `kubeconfig` names. Answers are not
    /// cached unless [`Self::webhook_cache_ttl`] says so.
    pub fn webhook(mut self, kubeconfig: &Path, version: ReviewVersion) -> Self {
        self.webhook = Some(Webhook {
            kubeconfig: kubeconfig.to_owned(),
            version,
            cache_ttl: Duration::ZERO,
        });
        self
    }

    /// How long the API server keeps an answer of the webhook.
    pub fn webhook_cache_ttl(mut self, ttl: Duration) -> Self {
        if let Some(webhook) = &mut self.webhook {
            webhook.cache_ttl = ttl;
        }
        self
    }

    /// Starts the servers and waits until the API server is ready.
    ///
    /// # Panics
    /// When they do not start, with their logs.
    pub fn start(self) -> Cluster {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let servers = Servers::start(folder.path(), self.webhook.as_ref());
        Cluster { servers, folder }
    }
}

impl Cluster {
    /// A cluster without a webhook, to be changed before it starts.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The API server's URL.
    pub fn url(&self) -> &str {
        self.servers.url()
    }

    /// What the API server has logged so far.
    pub fn apiserver_log(&self) -> String {
        self.servers.apiserver.log()
    }

    /// The first line of the API server's log, there already or to come, that `wanted` accepts.
    ///
    /// # Panics
    /// When there is none `within` that time, with the log.
    pub fn wait_for_apiserver_log(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> String {
        let line = self.servers.apiserver.wait_for_line(wanted, within);
        line.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The process ids of etcd and kube-apiserver.
    pub fn pids(&self) -> [u32; 2] {
        [self.servers.etcd.pid(), self.servers.apiserver.pid()]
    }

    /// Ends the API server without notice. Nothing is lost: etcd runs on.
    pub fn kill_apiserver(&mut self) {
        self.servers.apiserver.kill();
    }

    /// Starts the API server that [`Self::kill_apiserver`] ended again, on the same port, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start, with its log.
    pub fn start_apiserver(&mut self) {
        self.servers.start_apiserver(self.folder.path());
    }

    /// Keeps what etcd holds now, for [`Self::restore`]. Both servers end and start again.
    ///
    /// # Panics
    /// When they do not start, with their logs.
    pub fn back_up(&mut self) {
        let copy = self.folder().join(BACKUP);
        self.servers.with_data(self.folder.path(), |data| {
            copy_folder(data, &copy).expect("the cluster's folder can be written");
        });
    }

    /// Brings back what etcd held at [`Self::back_up`], with its revision: what has happened since then never happened.
    ///
    /// # Panics
    /// When there is no backup, or the servers do not start.
    pub fn restore(&mut self) {
        let copy = self.folder().join(BACKUP);
        self.servers.with_data(self.folder.path(), |data| {
            fs::remove_dir_all(data).expect("etcd's data can be removed");
            fs::rename(&copy, data).expect("a backup can be restored once");
        });
    }

    /// Compacts etcd: what was before is no longer there to be listed or watched.
    ///
    /// # Panics
    /// When etcd does not do it.
    pub fn compact_etcd(&self) {
        self.servers.compact_etcd();
    }

    /// A client of the API server that runs now, for a member of `system:masters`.
    pub fn api(&self) -> Rest {
        self.servers.api()
    }

    /// The kubeconfig of a member of `system:masters`.
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.servers.admin_kubeconfig
    }

    /// Where the cluster keeps its files; gone with the cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a kubeconfig whose user logs in with `plugin`; `name` tells it from others.
    pub fn write_kubeconfig(&self, name: &str, plugin: &ExecPlugin) -> PathBuf {
        self.write_user_kubeconfig(name, plugin.to_user())
    }

    /// Writes a kubeconfig whose user logs in with `token`; `name` tells it from others.
    pub fn write_token_kubeconfig(&self, name: &str, token: &str) -> PathBuf {
        self.write_user_kubeconfig(name, json!({"token": token}))
    }

    /// The same, for an API server that is reached at `url`, through a proxy.
    pub fn write_token_kubeconfig_at(&self, url: &str, name: &str, token: &str) -> PathBuf {
        let path = self.folder().join(format!("kubeconfig-{name}.json"));
        let access = Access {
            url: url.to_owned(),
            ca_file: self.servers.access.ca_file.clone(),
        };
        access.write_kubeconfig(&path, json!({"token": token}));
        path
    }

    fn write_user_kubeconfig(&self, name: &str, user: Value) -> PathBuf {
        let path = self.folder().join(format!("kubeconfig-{name}.json"));
        self.servers.access.write_kubeconfig(&path, user);
        path
    }

    /// Runs kubectl as a member of `system:masters`.
    pub fn admin_kubectl(&self, args: &[&str]) -> KubectlOutput {
        kubectl::run(self.folder(), &self.servers.admin_kubeconfig, args)
    }

    /// Runs kubectl with a kubeconfig from [`Self::write_kubeconfig`].
    pub fn kubectl_with(&self, kubeconfig: &Path, args: &[&str]) -> KubectlOutput {
        kubectl::run(self.folder(), kubeconfig, args)
    }

    /// Creates or updates `manifest`'s object, or its objects if it is a `List`.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub fn apply(&self, manifest: &Value) {
        let path = self.folder().join("manifest.json");
        fs::write(&path, manifest.to_string()).expect("the cluster's folder can be written");
        let file = path.to_string_lossy();
        let applied = self.admin_kubectl(&["apply", "--validate=false", "--filename", &file]);
        assert!(applied.success, "kubectl apply: {}", applied.stderr);
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
