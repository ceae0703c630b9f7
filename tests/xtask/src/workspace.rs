//! The metadata of this workspace.

use std::path::PathBuf;

use serde_json::Value;

use crate::cargo::cargo;
use crate::failure::Failure;

/// The workspace of this repository.
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// The target folder of cargo.
    pub target: PathBuf,
    /// Names of the test targets that need a cluster.
    pub cluster_tests: Vec<String>,
    /// Names of the test targets that are run before a release.
    pub release_tests: Vec<String>,
}

impl Workspace {
    /// Reads the metadata of the workspace from cargo.
    pub fn find() -> Result<Self, Failure> {
        let mut command = cargo(&["metadata", "--no-deps", "--format-version=1"]);
        let output = command.output().map_err(Failure::io("cargo metadata"))?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::Check(format!("cargo metadata: {message}")));
        }
        serde_json::from_slice(&output.stdout)
            .ok()
            .and_then(|metadata| Self::from_metadata(&metadata))
            .ok_or_else(|| Failure::Check("cargo metadata: unknown format".to_owned()))
    }

    fn from_metadata(metadata: &Value) -> Option<Self> {
        let folder = |key: &str| metadata[key].as_str().map(PathBuf::from);
        let packages = metadata["packages"].as_array()?.iter();
        let targets: Vec<&Value> = packages
            .filter_map(|package| package["targets"].as_array())
            .flatten()
            .collect();
        let tests_with = |feature: &str| {
            let needs_it = |target: &&&Value| {
                let features = target["required-features"].as_array();
                features.is_some_and(|features| features.iter().any(|name| name == feature))
            };
            let tests = targets.iter().filter(needs_it);
            let names = tests.filter_map(|target| target["name"].as_str());
            names.map(str::to_owned).collect()
        };
        Some(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
            cluster_tests: tests_with("cluster"),
            release_tests: tests_with("release-check"),
        })
    }
}
