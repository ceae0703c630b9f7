use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::exposition::Exposition;

use super::*;
use crate::kubernetes::Observation;
use crate::sts::StsResponse;

/// If this variable is set, as `cargo xtask metrics` does, the test writes METRICS.md instead of comparing it.
const WRITE: &str = "ACK_RAM_WRITE_METRICS";

const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn now() -> UnixTime {
    START.plus_seconds(100)
}

fn metrics(rules: RuleSet) -> (Metrics, Arc<LiveRules>) {
    let live = Arc::new(LiveRules::new(rules, START));
    (Metrics::new(Arc::clone(&live), now).unwrap(), live)
}

fn no_rules() -> RuleSet {
    let file = BackendRules::new(Backend::MountedFile);
    let objects = BackendRules::new_unsynced(Backend::Crd);
    RuleSet::new(vec![file, objects], BTreeSet::new())
}

async fn scrape(metrics: &Metrics) -> Exposition {
    let text = metrics.text().await.unwrap();
    Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn rule(position: &str, arn: &str) -> Rule {
    let source = Source {
        backend: Backend::Crd,
        position: position.to_owned(),
    };
    // The object with the lower index takes precedence: the one that is first in the alphabet.
    let age = Precedence::ListIndex(position.bytes().map(usize::from).sum());
    Rule::compile(Mapping::for_arn(source, age, arn, "name", Vec::new())).unwrap()
}

/// Gives every metric a series.
fn exercise(metrics: &Metrics) {
    metrics.logins.begin().end("success");
    let calls = metrics.sts.endpoint("sts.example");
    let body = Default::default();
    calls
        .begin()
        .end(&StsResponse::Response { status: 200, body });
    metrics.sts.lookups("hit").inc();
    metrics.sts.cache("identity").entries.set(1);
    metrics
        .sources
        .observe_lag(Backend::Crd, Duration::from_millis(1));
    metrics
        .sources
        .record_reload(Backend::MountedFile, "sha256:1");
    metrics.sources.count_watch_failure(Backend::Crd);
    metrics.sources.observe(Observation::StatusWritten);
    metrics.connections.port("webhook").evicted.inc();
    metrics.certificates.set_expiry("ca", START);
    metrics.certificates.count_rotation("serving", true);
}

#[tokio::test]
async fn go_metrics_are_unchanged() {
    let (metrics, _) = metrics(no_rules());
    exercise(&metrics);
    let text = scrape(&metrics).await;
    for (name, kind, labels, help) in [
        (
            "ack_ram_authenticator_authenticate_latency_seconds",
            "histogram",
            vec!["result"],
            "Authenticate call latency",
        ),
        (
            "ack_ram_authenticator_configmap_watch_failures_total",
            "counter",
            vec![],
            "ACK Configmap watch failures",
        ),
        (
            "ack_ram_authenticator_sts_connection_failures_total",
            "counter",
            vec![],
            "Sts call could not succeed or timedout",
        ),
        (
            "ack_ram_authenticator_sts_responses_total",
            "counter",
            vec!["ResponseCode"],
            "Sts responses with error code label",
        ),
        (
            "process_cpu_seconds_total",
            "counter",
            vec![],
            "Total user and system CPU time spent in seconds.",
        ),
        (
            "process_max_fds",
            "gauge",
            vec![],
            "Maximum number of open file descriptors.",
        ),
        (
            "process_open_fds",
            "gauge",
            vec![],
            "Number of open file descriptors.",
        ),
        (
            "process_resident_memory_bytes",
            "gauge",
            vec![],
            "Resident memory size in bytes.",
        ),
        (
            "process_start_time_seconds",
            "gauge",
            vec![],
            "Start time of the process since unix epoch in seconds.",
        ),
        (
            "process_virtual_memory_bytes",
            "gauge",
            vec![],
            "Virtual memory size in bytes.",
        ),
        (
            "process_virtual_memory_max_bytes",
            "gauge",
            vec![],
            "Maximum amount of virtual memory available in bytes.",
        ),
    ] {
        let family = text.families.get(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(family.kind, kind, "{name}");
        assert_eq!(family.help, help, "{name}");
        assert_eq!(family.labels(), labels.into_iter().collect(), "{name}");
    }
    let latency = &text.families["ack_ram_authenticator_authenticate_latency_seconds"];
    let of_success = latency
        .samples
        .iter()
        .filter(|sample| sample.labels["result"] == "success");
    let buckets: Vec<&str> = of_success
        .filter_map(|sample| sample.labels.get("le").map(String::as_str))
        .collect();
    // `DefBuckets` of Go's Prometheus library.
    assert_eq!(
        buckets,
        [
            "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"
        ]
    );
    let results: BTreeSet<&str> = latency
        .samples
        .iter()
        .map(|sample| &*sample.labels["result"])
        .collect();
    assert_eq!(
        Vec::from_iter(results),
        [
            "invalid_token",
            "malformed_request",
            "sts_error",
            "success",
            "uknown_user"
        ]
    );
}

#[tokio::test]
async fn documented_metrics_match_code() {
    let (metrics, live) = metrics(no_rules());
    exercise(&metrics);
    live.confirmations().confirm(Backend::Crd);
    let mut list = "# Metrics\n\n\
        The server returns its metrics for `GET /metrics`, on the port of the webhook and on the health port, in the text\n\
        format 0.0.4 of Prometheus. [deploy/observability](deploy/observability/) has a Grafana dashboard and alert rules.\n\n\
        Metrics of the Go program keep their names, labels and buckets. There are no `go_*` metrics, because they describe the Go runtime.\n\
        The label values contain no identity, user or object.\n\n\
        `cargo xtask metrics` generates this page from the code. Do not edit it.\n\n\
        | name | type | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for (name, family) in scrape(&metrics).await.families {
        let labels: Vec<String> = family
            .labels()
            .into_iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (kind, labels, help) = (&family.kind, labels.join(", "), &family.help);
        writeln!(list, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../METRICS.md");
    if env::var_os(WRITE).is_some() {
        fs::write(&path, list).unwrap();
        return;
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written == list,
        "{} differs from host/src/metrics; run `cargo xtask metrics`",
        path.display()
    );
}

#[tokio::test]
async fn rules_are_counted_by_state() {
    let (metrics, live) = metrics(no_rules());
    let rules = |text: &Exposition, state| {
        let labels = [("backend", "CRD"), ("state", state)];
        text.value("ack_ram_authenticator_rules", &labels).unwrap()
    };
    let states = ["in_effect", "kept", "refused", "conflicted"];
    let gauges = [
        "backend_read",
        "backend_trouble",
        "backend_broken",
        "kept_age_seconds",
    ];
    let alice = "acs:ram::1:user/alice";
    let bob = "acs:ram::1:user/bob";
    type NotesChange<'a> = (
        &'a str,
        &'a dyn Fn(&mut crate::backends::live::Transaction<'_>),
        [f64; 4],
        [f64; 4],
    );
    let changes: [NotesChange<'_>; 11] = [
        (
            "nothing",
            &|_| {},
            [0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0],
        ),
        (
            "the backend is invalid at the start",
            &|edit| edit.set_broken("no".to_owned()),
            [0.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 1.0, 0.0],
        ),
        (
            "two rules",
            &|edit| {
                edit.set_trouble(None);
                edit.apply(rule("a", alice), START);
                edit.apply(rule("b", bob), START);
                edit.mark_synced();
            },
            [2.0, 0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
        ),
        (
            "a third rule for the identity of the first",
            &|edit| {
                edit.apply(rule("c", alice), START);
            },
            [2.0, 0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, 0.0],
        ),
        (
            "a new entry is invalid",
            &|edit| edit.refuse("d", "no"),
            [2.0, 0.0, 1.0, 1.0],
            [1.0, 0.0, 0.0, 0.0],
        ),
        (
            "an edit makes a valid rule invalid",
            &|edit| {
                edit.keep_whole_rule("b", "no", START.plus_seconds(30));
            },
            [1.0, 1.0, 1.0, 1.0],
            [1.0, 0.0, 0.0, 70.0],
        ),
        (
            "an earlier edit made the shadowed rule invalid",
            &|edit| {
                edit.keep_whole_rule("c", "no", START.plus_seconds(10));
            },
            [1.0, 2.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 90.0],
        ),
        (
            "the backend can no longer be read",
            &|edit| edit.set_trouble(Some("down".to_owned())),
            [1.0, 2.0, 1.0, 0.0],
            [1.0, 1.0, 0.0, 90.0],
        ),
        (
            "the backend can be read, and is invalid",
            &|edit| edit.set_broken("no".to_owned()),
            [1.0, 2.0, 1.0, 0.0],
            [1.0, 1.0, 1.0, 90.0],
        ),
        (
            "everything is repaired",
            &|edit| {
                edit.set_trouble(None);
                edit.apply(rule("b", bob), START);
                edit.delete("c");
                edit.delete("d");
            },
            [2.0, 0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
        ),
        (
            "the clock is set back after an invalid edit",
            &|edit| {
                edit.keep_whole_rule("b", "no", START.plus_seconds(1_000));
            },
            [1.0, 1.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
        ),
    ];
    for (name, change, by_state, about_backend) in changes {
        live.change(Backend::Crd, change).unwrap();
        let text = scrape(&metrics).await;
        assert_eq!(states.map(|state| rules(&text, state)), by_state, "{name}");
        let gauges = gauges.map(|gauge| {
            let gauge = format!("ack_ram_authenticator_{gauge}");
            text.value(&gauge, &[("backend", "CRD")]).unwrap()
        });
        assert_eq!(gauges, about_backend, "{name}");
    }
    let file = [("backend", "MountedFile")];
    let text = scrape(&metrics).await;
    assert_eq!(
        text.value("ack_ram_authenticator_backend_read", &file),
        Some(1.0)
    );
}

#[tokio::test]
async fn sources_update_metrics() {
    let (metrics, _) = metrics(no_rules());
    let sources = &metrics.sources;
    sources.record_reload(Backend::MountedFile, "sha256:1");
    sources.record_reload_failure(Backend::MountedFile);
    sources.record_reload_failure(Backend::MountedFile);
    sources.record_reload(Backend::MountedFile, "sha256:2");
    sources.record_reload(Backend::DynamicFile, "sha256:2");
    sources.count_watch_failure(Backend::ConfigMap);
    for observation in [
        Observation::WatchFailed,
        Observation::Listed,
        Observation::StatusWritten,
        Observation::StatusFailed,
        Observation::StatusWritten,
        Observation::Leading(true),
        Observation::InEffect {
            events: 3,
            after: Duration::from_millis(2),
        },
    ] {
        sources.observe(observation);
    }
    let text = scrape(&metrics).await;
    let (file, dynamic) = (("source", "MountedFile"), ("source", "DynamicFile"));
    let map = ("backend", "ACKConfigMap");
    let objects = ("backend", "CRD");
    for (name, labels, value) in [
        (
            "reloads_total",
            vec![file, ("result", "success")],
            Some(2.0),
        ),
        (
            "reloads_total",
            vec![file, ("result", "failure")],
            Some(2.0),
        ),
        (
            "reloads_total",
            vec![dynamic, ("result", "success")],
            Some(1.0),
        ),
        ("reload_info", vec![file, ("hash", "sha256:1")], None),
        ("reload_info", vec![file, ("hash", "sha256:2")], Some(1.0)),
        (
            "reload_info",
            vec![dynamic, ("hash", "sha256:2")],
            Some(1.0),
        ),
        ("configmap_watch_failures_total", vec![], Some(1.0)),
        ("mapping_watch_failures_total", vec![map], Some(1.0)),
        ("mapping_watch_failures_total", vec![objects], Some(1.0)),
        (
            "status_writes_total",
            vec![("result", "success")],
            Some(2.0),
        ),
        (
            "status_writes_total",
            vec![("result", "failure")],
            Some(1.0),
        ),
        ("status_writer_leading", vec![], Some(1.0)),
        ("mapping_watch_lag_seconds_sum", vec![objects], Some(0.002)),
        (
            "mapping_watch_lag_seconds_bucket",
            vec![objects, ("le", "0.001")],
            Some(0.0),
        ),
        (
            "mapping_watch_lag_seconds_bucket",
            vec![objects, ("le", "0.0025")],
            Some(1.0),
        ),
    ] {
        let series = format!("ack_ram_authenticator_{name}");
        assert_eq!(text.value(&series, &labels), value, "{name} {labels:?}");
    }
}

#[tokio::test]
async fn abandoned_requests_leave_in_flight_gauges() {
    let (metrics, _) = metrics(no_rules());
    let calls = metrics.sts.endpoint("sts.example");
    let (login, call) = (metrics.logins.begin(), calls.begin());
    let in_flight = |text: &Exposition| {
        ["authentications_in_flight", "sts_calls_in_flight"]
            .map(|name| text.value(&format!("ack_ram_authenticator_{name}"), &[]))
    };
    assert_eq!(in_flight(&scrape(&metrics).await), [Some(1.0); 2]);
    drop((login, call));
    let text = scrape(&metrics).await;
    assert_eq!(in_flight(&text), [Some(0.0); 2]);
    let answered = "ack_ram_authenticator_sts_latency_seconds_count";
    assert_eq!(
        text.value(answered, &[("endpoint", "sts.example")]),
        Some(0.0)
    );
}

#[tokio::test(start_paused = true)]
async fn scrapes_are_limited_in_number_and_time() {
    let (metrics, _) = metrics(no_rules());
    let metrics = Arc::new(metrics);
    let slow = Arc::clone(&metrics.scrape).lock_owned().await;
    let waiting: Vec<_> = (0..MAX_SCRAPES)
        .map(|_| {
            let metrics = Arc::clone(&metrics);
            tokio::spawn(async move { metrics.text().await })
        })
        .collect();
    tokio::task::yield_now().await;
    let before = tokio::time::Instant::now();
    assert!(matches!(
        metrics.text().await,
        Err(MetricsError::TooManyScrapes)
    ));
    assert!(before.elapsed() < SCRAPE_DEADLINE);
    for waiting in waiting {
        let text = waiting.await.unwrap();
        assert!(
            matches!(text, Err(MetricsError::TooManyScrapes)),
            "{text:?}"
        );
    }
    assert_eq!(before.elapsed(), SCRAPE_DEADLINE);
    drop(slow);
    scrape(&metrics).await;
}

#[tokio::test]
async fn confirmation_age_is_computed_at_scrape() {
    static UPTIME: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(5);
    let uptime = || Duration::from_secs(UPTIME.load(std::sync::atomic::Ordering::Relaxed));
    let live = Arc::new(LiveRules::new(no_rules(), START).with_uptime(uptime));
    let metrics = Metrics::new(Arc::clone(&live), now).unwrap();
    let name = "ack_ram_authenticator_backend_confirmed_age_seconds";
    let age = |text: &Exposition, backend| text.value(name, &[("backend", backend)]);
    assert_eq!(age(&scrape(&metrics).await, "CRD"), None);
    live.confirmations().confirm(Backend::Crd);
    for (uptime, expected) in [(5, 0.0), (65, 60.0), (1_005, 1_000.0)] {
        UPTIME.store(uptime, std::sync::atomic::Ordering::Relaxed);
        let text = scrape(&metrics).await;
        assert_eq!(age(&text, "CRD"), Some(expected));
        assert_eq!(age(&text, "MountedFile"), None);
    }
    live.confirmations().confirm(Backend::Crd);
    assert_eq!(age(&scrape(&metrics).await, "CRD"), Some(0.0));
}
