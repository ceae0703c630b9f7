//! Settings beside the mappings and those about rules: which of them changed, by their names.

use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::Backend;

use crate::config::{Config, Listen, MappingSources, ServerLimits, Sts, StsLimits};

/// The settings of a server, for comparison with another configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsSnapshot(Vec<(&'static str, String)>);

impl SettingsSnapshot {
    /// Takes the settings of `config` that need a restart.
    #[must_use]
    pub fn restart_required(config: &Config) -> Self {
        // All fields are named, so that none is forgotten.
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
            ("clusterID", format!("{:?}", policy.cluster_id)),
            ("server.address", format!("{address:?} {host:?}")),
            ("server.hostname", format!("{hostname:?}")),
            ("server.port", format!("{port:?}")),
            ("server.healthAddress", format!("{health_host:?}")),
            ("server.healthPort", format!("{health_port:?}")),
            (
                "server.limits.maxConnections",
                format!("{max_connections:?}"),
            ),
            (
                "server.limits.maxHealthConnections",
                format!("{max_health_connections:?}"),
            ),
            ("server.limits.maxStreams", format!("{max_streams:?}")),
            ("server.limits.maxBodies", format!("{max_bodies:?}")),
            ("server.limits.headerTimeout", format!("{header_timeout:?}")),
            ("server.limits.bodyTimeout", format!("{body_timeout:?}")),
            ("server.limits.idleTimeout", format!("{idle_timeout:?}")),
            ("server.limits.stopTimeout", format!("{stop_timeout:?}")),
            ("server.stateDir", format!("{state_dir:?}")),
            ("server.tls", format!("{tls:?}")),
            (
                "server.requireClientCertificate",
                format!("{require_client_certificate:?}"),
            ),
            (
                "server.generateKubeconfig",
                format!("{generate_kubeconfig:?}"),
            ),
            ("server.extAuthz", format!("{ext_authz:?}")),
            ("server.backendMode", format!("{backends:?}")),
            ("server.kubeconfig", format!("{kubeconfig:?}")),
            ("server.master", format!("{master:?}")),
            ("server.configMap", format!("{config_map:?}")),
            ("server.dynamicFilePath", format!("{dynamic_file:?}")),
            ("server.audit.file", format!("{audit_file:?}")),
            ("server.installCRD", format!("{install_crd:?}")),
            ("server.globs", format!("{globs:?}")),
        ])
    }

    /// Those that a server takes while it runs: which tokens it takes, for the cluster that it has, and how it asks STS.
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
            ("server.maxTokenBytes", format!("{max_token_bytes:?}")),
            ("server.acceptTokenV1", format!("{accept_v1:?}")),
            ("server.extraQueryKeys", format!("{extra_query_keys:?}")),
            ("server.sts.endpoint", format!("{endpoint:?}")),
            (
                "server.sts.fallbackEndpoints",
                format!("{fallback_endpoints:?}"),
            ),
            ("server.sts.caFile", format!("{ca_file:?}")),
            ("server.sts.connectTimeout", format!("{connect_timeout:?}")),
            ("server.sts.timeout", format!("{timeout:?}")),
            ("server.sts.maxAnswerBytes", format!("{max_answer_bytes:?}")),
            ("server.sts.maxCalls", format!("{max_calls:?}")),
            ("server.sts.maxWaiting", format!("{max_waiting:?}")),
            ("server.sts.maxSharing", format!("{max_sharing:?}")),
            (
                "server.sts.breakerFailures",
                format!("{:?}", breaker.failures),
            ),
            ("server.sts.breakerPause", format!("{:?}", breaker.pause)),
            (
                "server.sts.breakerMaxPause",
                format!("{:?}", breaker.max_pause),
            ),
            ("server.sts.cacheSize", format!("{:?}", identities.size)),
            ("server.sts.cacheTTL", format!("{:?}", identities.ttl)),
            (
                "server.sts.refusalCacheSize",
                format!("{:?}", refusals.size),
            ),
            ("server.sts.refusalCacheTTL", format!("{:?}", refusals.ttl)),
            (
                "STS_MAX_IDLE_CONNS_PER_HOST",
                format!("{max_idle_connections:?}"),
            ),
        ])
    }

    /// Returns the names of the settings that differ in `other`.
    #[must_use]
    pub fn changed_names(&self, other: &Self) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .filter(|((_, old), (_, new))| old != new)
            .map(|((name, _), _)| *name)
            .collect()
    }
}
