//! What is in `deploy/observability`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The file of alert rules.
#[must_use]
pub fn alerts_file() -> PathBuf {
    folder().join("alerts.yaml")
}

/// The alert rules.
///
/// # Panics
/// When the file is not as Prometheus reads it.
#[must_use]
pub fn alerts() -> Vec<Value> {
    let text = fs::read_to_string(alerts_file()).expect("there are alert rules");
    let file: Value = serde_saphyr::from_str(&text).expect("they are YAML");
    let groups = file["groups"].as_array().expect("they are in groups");
    let rules = groups.iter().filter_map(|group| group["rules"].as_array());
    rules.flatten().cloned().collect()
}

/// The dashboard, as Grafana imports it.
///
/// # Panics
/// When it is no JSON.
#[must_use]
pub fn dashboard() -> Value {
    let text = fs::read_to_string(folder().join("dashboard.json")).expect("there is a dashboard");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Its panels.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn dashboard_panels() -> Vec<Value> {
    dashboard()["panels"]
        .as_array()
        .expect("it has panels")
        .clone()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/observability")
}
