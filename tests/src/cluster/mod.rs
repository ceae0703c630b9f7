//! A Kubernetes control plane for one test: etcd and kube-apiserver on loopback, and kubectl.
//!
//! Clusters share no ports or files, so several may run side by side. Dropping a [`Cluster`] stops its servers and
//! removes its files, even while a test panics.

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

/// The folder of the backup of etcd's data.
const BACKUP: &str = "etcd-backup";

/// A running Kubernetes control plane.
pub struct Cluster {
    // Dropped before the folder that the servers write to.
    servers: Servers,
    folder: TempDir,
}

/// The settings of a [`Cluster`] that is not started yet.
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
    /// Authenticates users with the webhook in `kubeconfig`. The API server caches no replies unless
    /// [`Self::webhook_cache_ttl`] is set.
    pub fn webhook(mut self, kubeconfig: &Path, version: ReviewVersion) -> Self {
        self.webhook = Some(Webhook {
            kubeconfig: kubeconfig.to_owned(),
            version,
            cache_ttl: Duration::ZERO,
        });
        self
    }

    /// Sets how long the API server caches a reply of the webhook.
    pub fn webhook_cache_ttl(mut self, ttl: Duration) -> Self {
        if let Some(webhook) = &mut self.webhook {
            webhook.cache_ttl = ttl;
        }
        self
    }

    /// Starts the servers and waits until the API server is ready.
    ///
    /// # Panics
    /// If a server does not start. The message contains its log.
    pub fn start(self) -> Cluster {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let servers = Servers::start(folder.path(), self.webhook.as_ref());
        Cluster { servers, folder }
    }
}

impl Cluster {
    /// Returns the settings of a cluster without a webhook.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// Returns the URL of the API server.
    pub fn url(&self) -> &str {
        self.servers.url()
    }

    /// Returns the path of the certificate that clients of the API server have to trust.
    pub fn ca_file(&self) -> &Path {
        &self.servers.access.ca_file
    }

    /// Returns the log of the API server so far.
    pub fn apiserver_log(&self) -> String {
        self.servers.apiserver.log()
    }

    /// Returns the first line of the API server's log that `wanted` accepts, and waits for the line if it is not there
    /// yet.
    ///
    /// # Panics
    /// If there is no such line `within` that time. The message contains the log.
    pub fn wait_for_apiserver_log(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> String {
        let line = self.servers.apiserver.wait_for_line(wanted, within);
        line.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the process IDs of etcd and kube-apiserver.
    pub fn pids(&self) -> [u32; 2] {
        [self.servers.etcd.pid(), self.servers.apiserver.pid()]
    }

    /// Kills the API server with SIGKILL. No data is lost: etcd keeps running.
    pub fn kill_apiserver(&mut self) {
        self.servers.apiserver.kill();
    }

    /// Restarts the API server after [`Self::kill_apiserver`], on the same port, and waits until it is ready.
    ///
    /// # Panics
    /// If the API server does not start. The message contains its log.
    pub fn start_apiserver(&mut self) {
        self.servers.start_apiserver(self.folder.path());
    }

    /// Makes a backup of etcd's data for [`Self::restore`]. Both servers restart.
    ///
    /// # Panics
    /// If a server does not start. The message contains its log.
    pub fn back_up(&mut self) {
        let copy = self.folder().join(BACKUP);
        self.servers.with_data(self.folder.path(), |data| {
            copy_folder(data, &copy).expect("the cluster's folder can be written");
        });
    }

    /// Restores the data of [`Self::back_up`] with its revision: all changes since then are lost. Both servers restart.
    ///
    /// # Panics
    /// If there is no backup, or the servers do not start.
    pub fn restore(&mut self) {
        let copy = self.folder().join(BACKUP);
        self.servers.with_data(self.folder.path(), |data| {
            fs::remove_dir_all(data).expect("etcd's data can be removed");
            fs::rename(&copy, data).expect("a backup can be restored once");
        });
    }

    /// Compacts etcd at its current revision: clients can no longer list or watch from an older revision.
    ///
    /// # Panics
    /// If etcd refuses the request.
    pub fn compact_etcd(&self) {
        self.servers.compact_etcd();
    }

    /// Builds a client of the running API server that acts as a member of `system:masters`.
    pub fn api(&self) -> Rest {
        self.servers.api()
    }

    /// Returns the path of the kubeconfig of a member of `system:masters`.
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.servers.admin_kubeconfig
    }

    /// Returns the folder of the cluster's files, which is removed with the cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a kubeconfig whose user logs in with `plugin`. The unique `name` becomes a part of the file name.
    pub fn write_kubeconfig(&self, name: &str, plugin: &ExecPlugin) -> PathBuf {
        self.write_user_kubeconfig(name, plugin.to_user())
    }

    /// Writes a kubeconfig whose user logs in with `token`. The unique `name` becomes a part of the file name.
    pub fn write_token_kubeconfig(&self, name: &str, token: &str) -> PathBuf {
        self.write_user_kubeconfig(name, json!({"token": token}))
    }

    /// Writes a kubeconfig as [`Self::write_token_kubeconfig`] does, but for the API server behind a proxy at `url`.
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
        kubectl::run(self.folder(), &self.servers.admin_kubeconfig, &[], args)
    }

    /// Runs kubectl with a kubeconfig from [`Self::write_kubeconfig`].
    pub fn kubectl_with(&self, kubeconfig: &Path, args: &[&str]) -> KubectlOutput {
        kubectl::run(self.folder(), kubeconfig, &[], args)
    }

    /// Runs kubectl with the home folder `home` and with `variables` in its environment, which plugins inherit.
    pub fn kubectl_in(
        &self,
        home: &Path,
        kubeconfig: &Path,
        variables: &[(String, String)],
        args: &[&str],
    ) -> KubectlOutput {
        kubectl::run(home, kubeconfig, variables, args)
    }

    /// Creates or updates the object in `manifest`, or the objects if `manifest` is a `List`.
    ///
    /// # Panics
    /// If the API server refuses the manifest.
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
