//! Prometheus' own `promtool` reads the alert rules and the queries of the dashboard, and each alert fires when it
//! should and stays quiet otherwise.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use ack_ram_tests::observability::{alerts, alerts_file, dashboard_panels};
use ack_ram_tests::tools::PROMTOOL;
use serde_json::{Value, json};

/// An alert, what is scraped each minute when it must fire after two hours, and what when it must not.
type Case = (&'static str, &'static [Series], &'static [Series]);
/// A series and its values (`promtool`: `a+bxn` is `a`, and `n` times `b` more).
type Series = (&'static str, &'static str);

const JOB: &str = r#"{job="ack-ram-authenticator",instance="a"}"#;

const CASES: [Case; 28] = [
    (
        "Down",
        &[("up JOB", "1x60 0x60")],
        &[("up JOB", "0x60 1x60")],
    ),
    (
        "Missing",
        &[("build_info{version=\"1\"}", "1x100 _x20")],
        &[("build_info{version=\"1\"}", "1x120")],
    ),
    (
        "Restarts",
        &[(
            "process_start_time_seconds JOB",
            "0x100 1 1 2 2 3 3 4 4 5 5 6 6x20",
        )],
        &[("process_start_time_seconds JOB", "1x80 2x60")],
    ),
    (
        "Panics",
        &[("requests_panicked_total", "0x80 1x40")],
        &[("requests_panicked_total", "1x120")],
    ),
    (
        "LoginsUndecided",
        &[
            ("decisions_total{decision=\"unable\"}", "0+10x120"),
            ("decisions_total{decision=\"granted\"}", "0+100x120"),
        ],
        &[
            ("decisions_total{decision=\"unable\"}", "0+1x120"),
            ("decisions_total{decision=\"granted\"}", "0+100x120"),
        ],
    ),
    (
        "Slow",
        &[
            (
                "authenticate_latency_seconds_bucket{le=\"2.5\"}",
                "0+90x120",
            ),
            (
                "authenticate_latency_seconds_bucket{le=\"+Inf\"}",
                "0+100x120",
            ),
        ],
        &[
            (
                "authenticate_latency_seconds_bucket{le=\"0.1\"}",
                "0+100x120",
            ),
            (
                "authenticate_latency_seconds_bucket{le=\"+Inf\"}",
                "0+100x120",
            ),
        ],
    ),
    (
        "DenialsSurge",
        &[
            ("decisions_total{decision=\"denied\"}", "0x100 0+100x20"),
            ("decisions_total{decision=\"granted\"}", "0+100x120"),
        ],
        &[
            ("decisions_total{decision=\"denied\"}", "0+200x120"),
            ("decisions_total{decision=\"granted\"}", "0+100x120"),
        ],
    ),
    (
        "Shedding",
        &[("requests_shed_total{reason=\"sts\"}", "0+1x120")],
        &[("requests_shed_total{reason=\"sts\"}", "9x120")],
    ),
    (
        "StsLeftAlone",
        &[(
            "sts_breaker_state{endpoint=\"e\"}",
            "0x100 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2",
        )],
        &[(
            "sts_breaker_state{endpoint=\"e\"}",
            "0x110 2 2 0 2 2 0 2 2 0 2 2 0",
        )],
    ),
    (
        "StsFailing",
        &[("sts_connection_failures_total", "0+12x120")],
        &[("sts_connection_failures_total", "0+1x120")],
    ),
    (
        "StsSlow",
        &[
            (
                "sts_latency_seconds_bucket{endpoint=\"e\",le=\"1\"}",
                "0+1x120",
            ),
            (
                "sts_latency_seconds_bucket{endpoint=\"e\",le=\"2.5\"}",
                "0+9x120",
            ),
            (
                "sts_latency_seconds_bucket{endpoint=\"e\",le=\"+Inf\"}",
                "0+9x120",
            ),
        ],
        &[
            (
                "sts_latency_seconds_bucket{endpoint=\"e\",le=\"0.1\"}",
                "0+9x120",
            ),
            (
                "sts_latency_seconds_bucket{endpoint=\"e\",le=\"+Inf\"}",
                "0+9x120",
            ),
        ],
    ),
    (
        "StsThrottles",
        &[("sts_queue_refused_total", "0+1x120")],
        &[("sts_queue_refused_total", "3x120")],
    ),
    (
        "BackendNotRead",
        &[("backend_read{backend=\"CRD\"}", "0x120")],
        &[("backend_read{backend=\"CRD\"}", "0x3 1x117")],
    ),
    (
        "BackendTrouble",
        &[("backend_trouble{backend=\"CRD\"}", "1x120")],
        &[("backend_trouble{backend=\"CRD\"}", "0x110 1x10")],
    ),
    (
        "BackendUnconfirmed",
        &[(
            "backend_confirmed_age_seconds{backend=\"CRD\"}",
            "0x105 0+60x15",
        )],
        &[(
            "backend_confirmed_age_seconds{backend=\"CRD\"}",
            "0x109 0+60x10",
        )],
    ),
    (
        "MappingsKept",
        &[("kept_age_seconds{backend=\"CRD\"}", "0+60x120")],
        &[("kept_age_seconds{backend=\"CRD\"}", "0+20x120")],
    ),
    (
        "MappingsExpire",
        &[("kept_age_seconds{backend=\"CRD\"}", "70000+60x120")],
        &[("kept_age_seconds{backend=\"CRD\"}", "0+60x120")],
    ),
    (
        "MappingsWithoutEffect",
        &[
            ("rules{backend=\"CRD\",state=\"refused\"}", "1x120"),
            ("rules{backend=\"CRD\",state=\"in_effect\"}", "5x120"),
        ],
        &[
            ("rules{backend=\"CRD\",state=\"refused\"}", "0x120"),
            ("rules{backend=\"CRD\",state=\"in_effect\"}", "5x120"),
        ],
    ),
    (
        "NoLeader",
        &[
            ("status_writer_leading", "0x120"),
            ("backend_read{backend=\"CRD\"}", "1x120"),
        ],
        &[
            ("status_writer_leading", "0x120"),
            ("backend_read{backend=\"MountedFile\"}", "1x120"),
        ],
    ),
    (
        "StatusesFail",
        &[("status_writes_total{result=\"failure\"}", "0+1x120")],
        &[("status_writes_total{result=\"success\"}", "0+1x120")],
    ),
    (
        "ReloadFails",
        &[(
            "reloads_total{source=\"MountedFile\",result=\"failure\"}",
            "0x115 1x5",
        )],
        &[(
            "reloads_total{source=\"MountedFile\",result=\"failure\"}",
            "1x120",
        )],
    ),
    (
        "CertificateEnds",
        &[(
            "certificate_expiry_timestamp_seconds{certificate=\"ca\"}",
            "2000000x120",
        )],
        &[
            (
                "certificate_expiry_timestamp_seconds{certificate=\"ca\"}",
                "9000000x120",
            ),
            (
                "certificate_expiry_timestamp_seconds{certificate=\"serving\"}",
                "200000x120",
            ),
        ],
    ),
    (
        "CertificateEndsSoon",
        &[(
            "certificate_expiry_timestamp_seconds{certificate=\"serving\"}",
            "20000x120",
        )],
        &[(
            "certificate_expiry_timestamp_seconds{certificate=\"serving\"}",
            "200000x120",
        )],
    ),
    (
        "CertificateTrouble",
        &[("certificate_files_trouble", "1x120")],
        &[
            ("certificate_files_trouble", "0x120"),
            (
                "certificate_rotations_total{certificate=\"own\",result=\"failure\"}",
                "1x120",
            ),
        ],
    ),
    (
        "ClientsRefused",
        &[("client_refusals_total{reason=\"none\"}", "0+1x120")],
        &[("client_refusals_total{reason=\"none\"}", "2x120")],
    ),
    (
        "AuditIncomplete",
        &[
            ("audit_lines_total{result=\"lost\"}", "0+1x120"),
            ("audit_trouble", "0x120"),
        ],
        &[
            ("audit_lines_total{result=\"written\"}", "0+1x120"),
            ("audit_lines_total{result=\"lost\"}", "7x120"),
            ("audit_trouble", "0x120"),
        ],
    ),
    (
        "LogIncomplete",
        &[("log_lines_lost_total", "0+1x120")],
        &[("log_lines_lost_total", "7x120")],
    ),
    (
        "FewDescriptors",
        &[
            ("process_open_fds JOB", "900x120"),
            ("process_max_fds JOB", "1000x120"),
        ],
        &[
            ("process_open_fds JOB", "90x120"),
            ("process_max_fds JOB", "1000x120"),
        ],
    ),
];

/// Runs `promtool` with a file that holds `contents`.
fn promtool(command: [&str; 2], contents: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.yaml");
    fs::write(&file, contents.to_string()).unwrap();
    run(Command::new(PROMTOOL.path()).args(command).arg(&file));
}

fn run(promtool: &mut Command) {
    let output = promtool.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

/// The series as Prometheus has it, of the server `a`.
fn series(short: &str) -> String {
    let (name, labels) = match short.split_once([' ', '{']) {
        Some((name, "JOB")) => return format!("{name}{JOB}"),
        Some((name, labels)) => (name, labels),
        None => (short, "}"),
    };
    format!("ack_ram_authenticator_{name}{{instance=\"a\",{labels}")
}

#[test]
fn alert_fires_on_its_failing_series_only() {
    let with_case: BTreeSet<String> = CASES
        .iter()
        .map(|(alert, ..)| format!("AckRamAuthenticator{alert}"))
        .collect();
    let alerts = alerts();
    let all = alerts
        .iter()
        .map(|alert| alert["alert"].as_str().unwrap().to_owned());
    assert_eq!(with_case, all.collect());
    let mut tests = Vec::new();
    for (alert, bad, good) in CASES {
        for (scraped, fires) in [(bad, true), (good, false)] {
            let input: Vec<Value> = scraped
                .iter()
                .map(|(name, values)| json!({ "series": series(name), "values": values }))
                .collect();
            let expression = format!(
                "count(ALERTS{{alertname=\"AckRamAuthenticator{alert}\",alertstate=\"firing\"}}) > 0"
            );
            let samples = if fires {
                json!([{ "labels": "{}", "value": 1 }])
            } else {
                json!([])
            };
            tests.push(json!({
                "name": format!("{alert}, {fires}"),
                "interval": "1m",
                "input_series": input,
                "promql_expr_test": [{ "expr": expression, "eval_time": "2h", "exp_samples": samples }],
            }));
        }
    }
    promtool(
        ["test", "rules"],
        &json!({ "rule_files": [alerts_file()], "evaluation_interval": "1m", "tests": tests }),
    );
}

#[test]
fn promtool_accepts_rules_and_queries() {
    run(Command::new(PROMTOOL.path())
        .args(["check", "rules"])
        .arg(alerts_file()));
    let panels = dashboard_panels();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let rules = targets.flatten().enumerate().map(|(number, target)| {
        let query = target["expr"].as_str().unwrap();
        let query = query
            .replace("$__rate_interval", "5m")
            .replace("$instance", ".*");
        assert!(!query.contains('$'), "{query}");
        json!({ "record": format!("query_{number}"), "expr": query })
    });
    let rules: Vec<Value> = rules.collect();
    assert!(rules.len() > 30);
    promtool(
        ["check", "rules"],
        &json!({ "groups": [{ "name": "dashboard", "rules": rules }] }),
    );
}

#[test]
#[should_panic(expected = "parse error")]
fn promtool_rejects_invalid_expression() {
    let broken = json!({ "record": "broken", "expr": "sum(rate(up[5m])" });
    promtool(
        ["check", "rules"],
        &json!({ "groups": [{ "name": "g", "rules": [broken] }] }),
    );
}
