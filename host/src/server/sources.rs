//! The tasks that keep the rules in sync with their sources: files, the ConfigMap and objects.
//!
//! They never block the server: a source that cannot be read is retried, and the rules record its state.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::rules::Backend;
use backon::Retryable as _;
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, MissedTickBehavior};

use crate::backends::config_map::ConfigMapSource;
use crate::backends::document_source::ReloadObserver;
use crate::backends::dynamic_file::DynamicFile;
use crate::backends::live::{LiveRules, Transaction};
use crate::backends::mounted_file::{Inputs, MountedFile, Reloaded};
use crate::backoff::BackoffPolicy;
use crate::clock;
use crate::config::{Config, MappingSources};
use crate::kubernetes::crd::install;
use crate::kubernetes::{MappingController, Replica, client};
use crate::metrics::Metrics;
use crate::server::settings::LiveSettings;

/// Interval of checking whether rules in their last good form have expired.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum time that shutdown waits for the tasks, which release the Lease meanwhile.
const FINISH_TIMEOUT: Duration = Duration::from_secs(3);

/// The sources of a running server.
pub(super) struct Sources {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    file: Arc<MountedFile>,
    dynamic_file: Option<Arc<DynamicFile>>,
    settings: Arc<LiveSettings>,
}

impl Sources {
    /// Starts to keep `live` in sync with the sources of `config`, and `settings` with `config`, which was loaded from
    /// `inputs`. Must be called within a runtime.
    pub(super) fn start(
        config: &mut Config,
        inputs: Inputs,
        live: &Arc<LiveRules>,
        metrics: &Arc<Metrics>,
        settings: Arc<LiveSettings>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let globs = config.rules.globs;
        let reloads = Arc::clone(metrics);
        let observe: ReloadObserver = Arc::new(move |source, hash| match hash {
            Some(hash) => reloads.sources.record_reload(source, hash),
            None => reloads.sources.record_reload_failure(source),
        });
        let sources = &config.sources;
        let mut dynamic_file = None;
        let mut objects = None;
        let mut config_map = None;
        for backend in &config.backends {
            let live = Arc::clone(live);
            let observe = Arc::clone(&observe);
            match backend {
                Backend::MountedFile => {}
                Backend::DynamicFile => {
                    if let Some(path) = sources.dynamic_file.clone() {
                        let file = DynamicFile::start(path, globs, live, clock::now, observe);
                        tasks.spawn(Arc::clone(&file).watch(stopped.clone()));
                        dynamic_file = Some(file);
                    }
                }
                Backend::ConfigMap => {
                    let name = sources.config_map.clone();
                    config_map = Some(ConfigMapSource::new(name, globs, live, clock::now, observe));
                }
                Backend::Crd => {
                    let metrics = Arc::clone(metrics);
                    let observe = move |observation| metrics.sources.observe(observation);
                    objects = Some(Arc::new(MappingController::new(
                        live,
                        clock::now,
                        Box::new(observe),
                    )));
                }
            }
        }
        live.confirmations().set_max_age(config.rules.max_staleness);
        tasks.spawn(expire(Arc::clone(live), objects.clone(), stopped.clone()));
        if objects.is_some() || config_map.is_some() {
            let cluster = ClusterSources {
                sources: sources.clone(),
                live: Arc::clone(live),
                metrics: Arc::clone(metrics),
                objects,
                config_map,
            };
            tasks.spawn(cluster.follow(stopped.clone()));
        }
        tasks.spawn(Arc::clone(&settings).watch(stopped.clone()));
        let apply = {
            let settings = Arc::clone(&settings);
            let live = Arc::clone(live);
            Box::new(move |config: &Config| {
                live.confirmations().set_max_age(config.rules.max_staleness);
                settings.apply(config);
            })
        };
        let live = Arc::clone(live);
        let file = MountedFile::start(config, inputs, live, clock::now, observe, apply);
        tasks.spawn(Arc::clone(&file).watch(stopped));
        Self {
            stop,
            tasks,
            file,
            dynamic_file,
            settings,
        }
    }

    /// Reloads all files, changed or not. Sources in the API server are watched, so they are not reloaded.
    pub(super) async fn reload(&self) {
        let file = Arc::clone(&self.file);
        let dynamic_file = self.dynamic_file.clone();
        let settings = Arc::clone(&self.settings);
        let reload = move || {
            if let Some(file) = dynamic_file {
                file.reload();
            }
            (file.reload(), settings.reload())
        };
        match tokio::task::spawn_blocking(reload).await {
            Ok((reloaded, are_settings_in_effect)) => log_reload(&reloaded, are_settings_in_effect),
            Err(error) => tracing::error!("reloading failed: {error}"),
        }
    }

    /// Ends the tasks. The rules stay as they are.
    pub(super) async fn finish(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if time::timeout(FINISH_TIMEOUT, ended).await.is_err() {
            tracing::debug!("a source of mappings did not end in time");
        }
    }
}

/// Logs the result of a reload. Errors were logged where they occurred.
fn log_reload(reloaded: &Reloaded, are_settings_in_effect: bool) {
    match reloaded {
        Reloaded::Refused(why) => {
            tracing::error!(
                "invalid configuration; the previous one stays in effect, except for mappings that are no longer in the file: {why}"
            );
        }
        _ if !are_settings_in_effect => {
            tracing::error!("reloaded, but the previous STS settings stay in effect: see above");
        }
        Reloaded::Unchanged => tracing::info!("reloaded: the configuration is unchanged"),
        Reloaded::Applied { needs_restart } if needs_restart.is_empty() => {
            tracing::info!("reloaded: the configuration is in effect");
        }
        Reloaded::Applied { needs_restart } => tracing::warn!(
            "reloaded: the configuration is in effect, except for `{}`, which need a restart",
            needs_restart.join("`, `")
        ),
    }
}

/// The sources in the API server.
struct ClusterSources {
    sources: MappingSources,
    live: Arc<LiveRules>,
    metrics: Arc<Metrics>,
    objects: Option<Arc<MappingController>>,
    config_map: Option<ConfigMapSource>,
}

impl ClusterSources {
    /// Follows the sources until `stop`. Then each part cleans up, for example by releasing the Lease.
    async fn follow(self, mut stop: watch::Receiver<bool>) {
        let client = tokio::select! {
            client = self.client() => client,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let namespace = self.sources.config_map.namespace.clone();
        let replica = Replica::for_this_process(namespace);
        let install = async {
            if self.sources.install_crd && self.objects.is_some() {
                completes_before_stop(install_crd(&client), &mut stop.clone()).await;
            }
        };
        let config_map = async {
            if let Some(config_map) = &self.config_map {
                let failed = || self.metrics.sources.count_watch_failure(Backend::ConfigMap);
                let (client, stop) = (client.clone(), stop.clone());
                config_map.watch(client, &replica, failed, stop).await;
            }
        };
        let objects = async {
            if let Some(objects) = &self.objects {
                tokio::join!(
                    objects.watch(client.clone(), stop.clone()),
                    objects.write_status(client.clone(), replica.clone(), stop.clone()),
                );
            }
        };
        tokio::join!(install, config_map, objects);
    }

    /// Builds a client, with retries: a kubeconfig or the files of a service account may appear after the server
    /// starts.
    async fn client(&self) -> Client {
        let mut retry = BackoffPolicy::BUILD_CLIENT.start();
        loop {
            let kubeconfig = self.sources.kubeconfig.as_deref();
            match client::build_client(kubeconfig, self.sources.master.as_deref()).await {
                Ok(client) => {
                    // The watch of objects does not know of this trouble, so it would not clear it.
                    self.live
                        .change(Backend::Crd, |edit| edit.set_trouble(None));
                    return client;
                }
                Err(error) => {
                    let trouble = error.to_string();
                    if let Some(config_map) = &self.config_map {
                        config_map.set_trouble(Some(trouble.clone()));
                    }
                    if self.objects.is_some() {
                        tracing::warn!(backend = %Backend::Crd, "{trouble}");
                        let set_trouble =
                            |edit: &mut Transaction<'_>| edit.set_trouble(Some(trouble));
                        self.live.change(Backend::Crd, set_trouble);
                    }
                }
            }
            time::sleep(retry.next_pause()).await;
        }
    }
}

async fn install_crd(client: &Client) {
    let install = || install::install_crd(client);
    let installed = install
        .retry(BackoffPolicy::INSTALL_CRD)
        .notify(|error, _| tracing::warn!("{error}"))
        .await;
    match installed {
        Ok(installed) => tracing::info!("{installed}"),
        Err(error) => tracing::warn!("{error}"),
    }
}

async fn expire(
    live: Arc<LiveRules>,
    objects: Option<Arc<MappingController>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut interval = time::interval(EXPIRY_CHECK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stale = BTreeSet::new();
    while completes_before_stop(interval.tick(), &mut stop).await {
        log_staleness(&live, &mut stale);
        let expired = live.expire(clock::now());
        for source in &expired {
            tracing::warn!(
                "{source} is no longer in effect: an edit made it invalid, and `server.lastGoodTTL` has passed"
            );
        }
        if let Some(objects) = &objects {
            objects.expired(&expired);
        }
    }
}

/// Logs which backends became stale or are no longer stale, and updates `stale`.
fn log_staleness(live: &LiveRules, stale: &mut BTreeSet<Backend>) {
    for backend in Backend::ALL {
        if !live.confirmations().is_stale(backend) {
            if stale.remove(&backend) {
                tracing::info!(%backend, "confirmed again; the identities that the backend maps can log in again");
            }
        } else if stale.insert(backend) {
            tracing::error!(
                %backend,
                "stale: not confirmed for longer than `server.maxStaleness`; the identities that the backend maps get 503 until the API server answers again"
            );
        }
    }
}

/// Waits for `event`. Returns false if `stop` resolves first.
async fn completes_before_stop(event: impl Future, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = event => true,
        _ = stop.wait_for(|stop| *stop) => false,
    }
}
