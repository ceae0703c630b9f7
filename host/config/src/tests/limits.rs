//! Limits.

use std::time::Duration;

use super::*;
use crate::ExplicitLimits;

#[test]
fn server_limits_have_defaults_and_settings() {
    let seconds = Duration::from_secs;
    let changed = ServerLimits {
        max_connections: 10,
        max_health_connections: 3,
        max_streams: 20,
        max_bodies: 5,
        header_timeout: seconds(1),
        body_timeout: seconds(2),
        idle_timeout: seconds(60),
        stop_timeout: seconds(4),
        explicit: ExplicitLimits {
            connections: true,
            bodies: true,
        },
    };
    for (yaml, expected) in [
        ("clusterID: c", ServerLimits::default()),
        (
            "
clusterID: c
server:
  limits:
    maxConnections: 10
    maxHealthConnections: 3
    maxStreams: 20
    maxBodies: 5
    headerTimeout: 1s
    bodyTimeout: 2s
    idleTimeout: 1m
    stopTimeout: 4s
",
            changed,
        ),
    ] {
        let config = load_yaml(yaml).unwrap();
        assert_eq!((config.limits, config.warnings), (expected, vec![]));
    }
}

#[test]
fn max_staleness_defaults_to_unlimited() {
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    for (yaml, expected) in [
        ("clusterID: c", None),
        ("{clusterID: c, server: {maxStaleness: 3m}}", minutes(3)),
        ("{clusterID: c, server: {maxstaleness: 1h}}", minutes(60)),
    ] {
        let config = load_yaml(yaml).unwrap();
        assert_eq!(config.rules.max_staleness, expected, "{yaml}");
        assert_eq!(config.warnings, vec![], "{yaml}");
    }
}

#[test]
fn sts_limits_have_defaults_and_settings() {
    let summary = |yaml: &str| {
        let sts = load_yaml(yaml).unwrap().sts;
        let limits = sts.limits;
        let fallbacks: Vec<_> = sts
            .fallback_endpoints
            .iter()
            .map(|e| e.authority())
            .collect();
        format!(
            "{fallbacks:?} {} {} {} {} {:?} {:?} {:?}",
            limits.max_answer_bytes,
            limits.max_calls,
            limits.max_waiting,
            limits.max_sharing,
            limits.breaker,
            limits.identities,
            limits.refusals
        )
    };
    assert_eq!(
        summary("clusterID: c"),
        "[] 65536 1024 4096 4096 BreakerSettings { failures: 5, pause: 5s, max_pause: 30s } \
         CacheSettings { size: 10000, ttl: 120s } CacheSettings { size: 1000, ttl: 10s }"
    );
    let yaml = "
clusterID: c
server:
  sts:
    fallbackEndpoints: [sts.cn-beijing.aliyuncs.com, sts.example.com]
    maxAnswerBytes: 2048
    maxCalls: 7
    maxWaiting: 0
    maxSharing: 8
    breakerFailures: 9
    breakerPause: 2m
    breakerMaxPause: 1m
    cacheSize: 0
    cacheTTL: 90s
    refusalCacheSize: 5
    refusalCacheTTL: 1500ms
";
    assert_eq!(
        summary(yaml),
        "[\"sts.cn-beijing.aliyuncs.com\", \"sts.example.com\"] 2048 7 0 8 \
         BreakerSettings { failures: 9, pause: 120s, max_pause: 120s } \
         CacheSettings { size: 0, ttl: 90s } CacheSettings { size: 5, ttl: 1.5s }"
    );
}
