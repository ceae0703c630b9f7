//! Kubeconfig files of many shapes, before and after a change.

mod convert;
mod files;
mod generated;
mod shape_table;
mod shapes;
mod write;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::environment::Environment;

/// The entry that [`request`] adds, with its dash in the first column.
const ENTRY: &str = "\
- name: new
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ack-ram-authenticator
      args:
      - token
      - --cluster-id
      - c0123
      installHint: \"HINT\"
      interactiveMode: Never
";

/// Returns [`ENTRY`] with its dash in another column, and with the dashes of lists as far from their keys.
fn entry(column: usize) -> String {
    let spaces = " ".repeat(column);
    let entry = ENTRY.replace("\"HINT\"", &hint());
    let lines = entry
        .lines()
        .map(|line| match line.starts_with("      - ") {
            true => format!("{spaces}{spaces}{line}\n"),
            false => format!("{spaces}{line}\n"),
        });
    lines.collect()
}

fn hint() -> String {
    super::tree::Quotes::None.write(super::plugin_user::INSTALL_HINT, false)
}

/// Returns the entry in flow style on one line.
fn flow_entry(is_json: bool) -> String {
    let hint = Value::from(super::plugin_user::INSTALL_HINT);
    let text = format!(
        "{{'name': `new`, 'user': {{'exec': {{'apiVersion': `client.authentication.k8s.io/v1`, 'command': `ack-ram-authenticator`, 'args': [`token`, `--cluster-id`, `c0123`], 'installHint': {hint}, 'interactiveMode': `Never`}}}}}}"
    );
    let quote = if is_json { "\"" } else { "" };
    let hint = hint.to_string();
    let mut parts = text.split(&hint);
    let first = parts.next().unwrap().replace(['\'', '`'], quote);
    let rest = parts.next().unwrap().replace(['\'', '`'], quote);
    format!("{first}{hint}{rest}")
}

fn request() -> WriteRequest {
    let cluster_id = ClusterId::parse("c0123").unwrap();
    let options = TokenOptions::default();
    WriteRequest {
        user: PluginUser::new(Some("new"), PROGRAM, Some(&cluster_id), &options),
        is_named: true,
        context: None,
        cluster: None,
        cluster_id: None,
    }
}

/// Options with a lock that is not waited for.
fn options() -> UpdateOptions {
    UpdateOptions {
        dry_run: false,
        lock_wait: Duration::ZERO,
    }
}

/// Accepts all arguments.
fn accept(_: &ConvertedUser) -> Result<(), String> {
    Ok(())
}

/// A kubeconfig in a folder of its own.
struct Fixture {
    folder: TempDir,
    paths: KubeconfigPaths,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let fixture = Self::missing();
        fs::write(fixture.path(), text).unwrap();
        fixture
    }

    fn missing() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let paths = KubeconfigPaths::find(Some(path), &Environment::default()).unwrap();
        Self { folder, paths }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn write(&self, request: &WriteRequest) -> Result<Outcome, KubeconfigError> {
        super::write(&self.paths, request, &options())
    }

    /// Returns the names of the files in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Parses a text as values, apart from the code that edits.
fn values(text: &str) -> Value {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_saphyr::from_str(text).unwrap()
}
