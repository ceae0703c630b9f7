//! Prometheus' `promtool` accepts the alert rules and the queries of the dashboard. Each alert fires for its
//! failure and stays quiet otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use ack_ram_tests::observability::{alerts, alerts_file, dashboard_panels};
use ack_ram_tests::tools::PROMTOOL;
use serde::Deserialize;
use serde_json::{Value, json};

const JOB: &str = r#"{job="ack-ram-authenticator",instance="a"}"#;

/// A case of `tests/vectors/alerts.yaml`: the samples per minute for which an alert must fire after two hours, and
/// those for which it must not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertCase {
    fires: BTreeMap<String, String>,
    silent: BTreeMap<String, String>,
}

fn alert_cases() -> BTreeMap<String, AlertCase> {
    serde_saphyr::from_str(include_str!("../vectors/alerts.yaml")).unwrap()
}

/// Runs `promtool` with a file that holds `contents`.
fn promtool(command: [&str; 2], contents: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.yaml");
    fs::write(&file, contents.to_string()).unwrap();
    run(Command::new(PROMTOOL.path()).args(command).arg(&file));
}

fn run(promtool: &mut Command) {
    let output = promtool.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&printed)
    );
}

/// Returns the complete series selector of server `a` for the `short` form in the vectors.
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
    let cases = alert_cases();
    let with_case: BTreeSet<String> = cases
        .keys()
        .map(|alert| format!("AckRamAuthenticator{alert}"))
        .collect();
    let alerts = alerts();
    let alert_names = alerts
        .iter()
        .map(|alert| alert["alert"].as_str().unwrap().to_owned());
    assert_eq!(with_case, alert_names.collect());
    let mut tests = Vec::new();
    for (alert, case) in &cases {
        for (scraped, fires) in [(&case.fires, true), (&case.silent, false)] {
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
