//! The dashboard and the alert rules in `deploy/observability` use only existing metrics. `alerts.rs` tests that
//! Prometheus reads the rules, and when each alert fires.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ack_ram_tests::observability::{alerts, dashboard, dashboard_panels};
use regex::Regex;
use serde_json::Value;

/// Labels that Prometheus adds, and the label of buckets.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Returns the labels of each series, from `METRICS.md`, which is generated from the code.
fn series() -> BTreeMap<String, BTreeSet<String>> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../METRICS.md");
    let row = Regex::new(r"(?m)^\| `(\w+)` \| (\w+) \| (.*?) \|").unwrap();
    let label = Regex::new(r"`(\w+)`").unwrap();
    let list = fs::read_to_string(list).unwrap();
    let series = row.captures_iter(&list).flat_map(|row| {
        let labels = label.captures_iter(&row[3]);
        let labels: BTreeSet<String> = labels.map(|label| label[1].to_owned()).collect();
        let ends: &[&str] = match &row[2] {
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        let named = |end: &&str| (format!("{}{end}", &row[1]), labels.clone());
        ends.iter().map(named).collect::<Vec<_>>()
    });
    series.collect()
}

/// Checks the names of metrics and labels in `expression` and in the `texts` next to it.
fn check(expression: &str, texts: &[&str]) -> Result<(), String> {
    let series = series();
    let selector =
        Regex::new(r"(?-u:\b)((?:ack_ram_authenticator|process)_\w+|up)(?-u:\b)(?:\{([^}]*)\})?")
            .unwrap();
    let matcher = Regex::new(r"(\w+)\s*(?:=~|!~|!=|=)").unwrap();
    let added = ADDED.map(str::to_owned);
    let mut known = BTreeSet::from(added.clone());
    for found in selector.captures_iter(expression) {
        if &found[1] == "up" {
            continue;
        }
        let name = &found[1];
        let own = series.get(name).ok_or(format!("unknown metric {name}"))?;
        let selected = found.get(2).map_or("", |labels| labels.as_str());
        for label in matcher.captures_iter(selected) {
            if !own.contains(&label[1]) && !added.contains(&label[1].to_owned()) {
                return Err(format!("{name} has no label {}", &label[1]));
            }
        }
        known.extend(own.iter().cloned());
    }
    let grouped = Regex::new(r"(?-u:\b)by \(([^)]*)\)").unwrap();
    let shown = Regex::new(r"\{\{\s*(?:\$labels\.)?(\w+)[^}]*\}\}").unwrap();
    let groups = grouped.captures_iter(expression);
    let groups: Vec<String> = groups
        .flat_map(|by| {
            by[1]
                .split(',')
                .map(|label| label.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let texts = texts.iter().flat_map(|text| shown.captures_iter(text));
    let texts = texts.map(|label| label[1].to_owned());
    match groups
        .into_iter()
        .chain(texts)
        .find(|label| !known.contains(label))
    {
        Some(label) => Err(format!("no metric in {expression} has the label {label}")),
        None => Ok(()),
    }
}

#[test]
fn unknown_metric_or_label_is_reported() {
    for (expression, text, is_good) in [
        (
            "ack_ram_authenticator_rules{state=\"kept\"}",
            "{{backend}}",
            true,
        ),
        (
            "sum by (instance, le) (rate(ack_ram_authenticator_sts_latency_seconds_bucket[5m]))",
            "",
            true,
        ),
        ("ack_ram_authenticator_rulez", "", false),
        ("ack_ram_authenticator_rules_bucket", "", false),
        ("ack_ram_authenticator_rules{status=\"kept\"}", "", false),
        ("sum by (endpoint) (ack_ram_authenticator_rules)", "", false),
        ("ack_ram_authenticator_rules", "{{endpoint}}", false),
        (
            "ack_ram_authenticator_rules",
            "{{ $labels.endpoint }}",
            false,
        ),
    ] {
        assert_eq!(
            check(expression, &[text]).is_ok(),
            is_good,
            "{expression} {text}"
        );
    }
}

#[test]
fn alerts_have_summary_and_action() {
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "duplicate alert {name}");
        let text = |key: &str| alert["annotations"][key].as_str().unwrap_or_default();
        let texts = ["summary", "description", "action"].map(text);
        assert!(texts.iter().all(|text| !text.is_empty()), "{name}");
        let severity = alert["labels"]["severity"].as_str();
        assert!(
            ["critical", "warning", "info"]
                .map(Some)
                .contains(&severity),
            "{name}"
        );
        check(alert["expr"].as_str().unwrap(), &texts)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(names.len() >= 20);
}

#[test]
fn panels_use_existing_metrics() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let source =
        |variable: &&Value| variable["type"] == "datasource" && variable["query"] == "prometheus";
    let source = variables.iter().find(source).unwrap()["name"]
        .as_str()
        .unwrap();
    let mut ids = BTreeSet::new();
    for panel in dashboard_panels() {
        let title = panel["title"].as_str().unwrap();
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{title}: duplicate id"
        );
        if panel["type"] == "row" {
            continue;
        }
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
        assert!(
            !unit.is_empty() && panel["description"].is_string(),
            "{title}"
        );
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(
                target["datasource"]["uid"],
                format!("${{{source}}}"),
                "{title}"
            );
            let expression = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            check(expression, &[legend]).unwrap_or_else(|error| panic!("{title}: {error}"));
        }
    }
}

/// Each metric of this program is in a panel or in an alert, or is listed here with a reason.
#[test]
fn every_metric_has_alert_or_panel() {
    let unused = BTreeSet::from([
        // The name in the Go program of `mapping_watch_failures_total`.
        "ack_ram_authenticator_configmap_watch_failures_total",
        // For inspection, not for a graph: it shows which contents are in effect.
        "ack_ram_authenticator_reload_info",
    ]);
    let alerts = alerts();
    let panels = dashboard_panels();
    let used = format!("{alerts:?}{panels:?}");
    let series = series();
    let sums = |name: &&String| !name.ends_with("_sum") && !name.ends_with("_count");
    for name in series
        .keys()
        .filter(sums)
        .filter(|name| name.starts_with("ack_ram"))
    {
        assert_eq!(used.contains(&**name), !unused.contains(&**name), "{name}");
    }
}
