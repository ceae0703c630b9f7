//! The alert rules and the dashboard in `deploy/observability`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Returns the path of the file of alert rules.
#[must_use]
pub fn alerts_file() -> PathBuf {
    folder().join("alerts.yaml")
}

/// Returns the alert rules.
///
/// # Panics
/// If the file does not have the format of Prometheus.
#[must_use]
pub fn alerts() -> Vec<Value> {
    let text = fs::read_to_string(alerts_file()).expect("there are alert rules");
    let file: Value = serde_saphyr::from_str(&text).expect("the rules are YAML");
    let groups = file["groups"].as_array().expect("the rules are in groups");
    let rules = groups.iter().filter_map(|group| group["rules"].as_array());
    rules.flatten().cloned().collect()
}

/// Returns the dashboard, as Grafana imports it.
///
/// # Panics
/// If the dashboard is not JSON.
#[must_use]
pub fn dashboard() -> Value {
    let text = fs::read_to_string(folder().join("dashboard.json")).expect("there is a dashboard");
    serde_json::from_str(&text).expect("the dashboard is JSON")
}

/// Returns the panels of the dashboard.
///
/// # Panics
/// If the dashboard has no panels.
#[must_use]
pub fn dashboard_panels() -> Vec<Value> {
    dashboard()["panels"]
        .as_array()
        .expect("the dashboard has panels")
        .clone()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/observability")
}
