//! Comparison of settings between two configurations, except for mappings and rule settings.

use std::any::Any;
use std::ffi::OsString;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::Backend;

use crate::{Config, Listen, MappingSources, ServerLimits, Sts, StsEndpoint, StsLimits, TlsFiles};

/// The settings of a server, for comparison with another configuration.
#[derive(Debug)]
pub struct SettingsSnapshot(Vec<(&'static str, Box<dyn SettingValue>)>);

/// The value of a setting, of any type, that can be compared with the value in another configuration.
trait SettingValue: Any + Debug + Send + Sync {
    /// Returns whether `other` has the same type and value.
    fn is_equal(&self, other: &dyn SettingValue) -> bool;
}

impl<T: PartialEq + Any + Debug + Send + Sync> SettingValue for T {
    fn is_equal(&self, other: &dyn SettingValue) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<T>() == Some(self)
    }
}

/// Copies `setting` for comparison.
fn value<T: Clone + SettingValue>(setting: &T) -> Box<dyn SettingValue> {
    Box::new(setting.clone())
}

/// Copies `path` for comparison as text. A different spelling of the same path is also a change.
fn path_text(path: &Path) -> OsString {
    path.as_os_str().to_owned()
}

/// Copies `path`, if it is set, for comparison as text.
fn optional_path(path: &Option<PathBuf>) -> Box<dyn SettingValue> {
    Box::new(path.as_deref().map(path_text))
}

/// Copies `endpoints` for comparison as text. A change in the case of a host is also a change.
fn endpoint_texts(endpoints: &[StsEndpoint]) -> Vec<String> {
    endpoints.iter().map(ToString::to_string).collect()
}

/// Copies `tls` for comparison as text.
fn tls_paths(tls: &TlsFiles) -> [Option<OsString>; 3] {
    let TlsFiles {
        certificate,
        key,
        ca,
    } = tls;
    [Some(certificate), Some(key), ca.as_ref()].map(|path| path.map(|path| path_text(path)))
}

impl SettingsSnapshot {
    /// Returns the settings of `config` that take effect only after a restart.
    #[must_use]
    pub fn restart_required(config: &Config) -> Self {
        // All fields are named, so that a new field is not forgotten.
        let Config {
            policy,
            listen,
            limits,
            state_dir,
            tls,
            require_client_certificate,
            generate_kubeconfig,
            ext_authz,
            sts: _,
            backends,
            mappings: _,
            sources,
            rules,
            audit_file,
            scrubbed_accounts: _,
            warnings: _,
        } = config;
        let Listen {
            host,
            port,
            health_host,
            health_port,
            hostname,
            address,
        } = listen;
        let ServerLimits {
            max_connections,
            max_health_connections,
            max_streams,
            max_bodies,
            header_timeout,
            body_timeout,
            idle_timeout,
            stop_timeout,
            explicit: _,
        } = limits;
        let MappingSources {
            kubeconfig,
            master,
            config_map,
            dynamic_file,
            install_crd,
        } = sources;
        let file_alone = |backend: &Backend| matches!(backend, Backend::MountedFile | Backend::Crd);
        let globs = (!backends.iter().all(file_alone)).then_some(rules.globs);
        Self(vec![
            ("clusterID", value(&policy.cluster_id)),
            ("server.address", Box::new([address.clone(), host.clone()])),
            ("server.hostname", value(hostname)),
            ("server.port", value(port)),
            ("server.healthAddress", value(health_host)),
            ("server.healthPort", value(health_port)),
            ("server.limits.maxConnections", value(max_connections)),
            (
                "server.limits.maxHealthConnections",
                value(max_health_connections),
            ),
            ("server.limits.maxStreams", value(max_streams)),
            ("server.limits.maxBodies", value(max_bodies)),
            ("server.limits.headerTimeout", value(header_timeout)),
            ("server.limits.bodyTimeout", value(body_timeout)),
            ("server.limits.idleTimeout", value(idle_timeout)),
            ("server.limits.stopTimeout", value(stop_timeout)),
            ("server.stateDir", Box::new(path_text(state_dir))),
            ("server.tls", Box::new(tls.as_ref().map(tls_paths))),
            (
                "server.requireClientCertificate",
                value(require_client_certificate),
            ),
            (
                "server.generateKubeconfig",
                optional_path(generate_kubeconfig),
            ),
            ("server.extAuthz", value(ext_authz)),
            ("server.backendMode", value(backends)),
            ("server.kubeconfig", optional_path(kubeconfig)),
            ("server.master", value(master)),
            ("server.configMap", value(config_map)),
            ("server.dynamicFilePath", optional_path(dynamic_file)),
            ("server.audit.file", optional_path(audit_file)),
            ("server.installCRD", value(install_crd)),
            ("server.globs", value(&globs)),
        ])
    }

    /// Returns the settings that take effect while the server runs: the requirements for tokens, except the cluster ID,
    /// and the connection to STS.
    #[must_use]
    pub fn hot_reloadable(policy: &TokenPolicy, sts: &Sts) -> Self {
        let TokenPolicy {
            cluster_id: _,
            max_token_bytes,
            accept_v1,
            extra_query_keys,
        } = policy;
        let Sts {
            endpoint,
            fallback_endpoints,
            ca_file,
            max_idle_connections,
            limits: sts_limits,
        } = sts;
        let StsLimits {
            connect_timeout,
            timeout,
            max_answer_bytes,
            max_calls,
            max_waiting,
            max_sharing,
            breaker,
            identities,
            refusals,
            explicit: _,
        } = sts_limits;
        Self(vec![
            ("server.maxTokenBytes", value(max_token_bytes)),
            ("server.acceptTokenV1", value(accept_v1)),
            ("server.extraQueryKeys", value(extra_query_keys)),
            ("server.sts.endpoint", Box::new(endpoint.to_string())),
            (
                "server.sts.fallbackEndpoints",
                Box::new(endpoint_texts(fallback_endpoints)),
            ),
            ("server.sts.caFile", optional_path(ca_file)),
            ("server.sts.connectTimeout", value(connect_timeout)),
            ("server.sts.timeout", value(timeout)),
            ("server.sts.maxAnswerBytes", value(max_answer_bytes)),
            ("server.sts.maxCalls", value(max_calls)),
            ("server.sts.maxWaiting", value(max_waiting)),
            ("server.sts.maxSharing", value(max_sharing)),
            ("server.sts.breakerFailures", value(&breaker.failures)),
            ("server.sts.breakerPause", value(&breaker.pause)),
            ("server.sts.breakerMaxPause", value(&breaker.max_pause)),
            ("server.sts.cacheSize", value(&identities.size)),
            ("server.sts.cacheTTL", value(&identities.ttl)),
            ("server.sts.refusalCacheSize", value(&refusals.size)),
            ("server.sts.refusalCacheTTL", value(&refusals.ttl)),
            ("STS_MAX_IDLE_CONNS_PER_HOST", value(max_idle_connections)),
        ])
    }

    /// Returns the names of the settings that differ in `other`.
    #[must_use]
    pub fn changed_names(&self, other: &Self) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .filter(|((_, old), (_, new))| !old.is_equal(&**new))
            .map(|((name, _), _)| *name)
            .collect()
    }
}
