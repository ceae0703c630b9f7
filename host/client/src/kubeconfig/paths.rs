//! The kubeconfig files that kubectl reads, and the one that it adds entries to.

use std::env;
use std::path::{Path, PathBuf};

use super::error::KubeconfigError;
use crate::environment::Environment;
use crate::resolve::home;

/// The kubeconfig files, in the order in which kubectl reads them. The first entry of a name counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeconfigPaths(Vec<PathBuf>);

impl KubeconfigPaths {
    /// Returns the file of the option, else the files of `KUBECONFIG`, else `~/.kube/config`.
    ///
    /// # Errors
    /// Returns an error if there is none of them, because the home directory is unknown.
    pub fn find(
        option: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, KubeconfigError> {
        if let Some(path) = option {
            return Ok(Self(vec![path]));
        }
        let list = environment.get("KUBECONFIG").unwrap_or_default();
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in env::split_paths(list) {
            if !path.as_os_str().is_empty() && !paths.contains(&path) {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            let home = home(environment).ok_or(KubeconfigError::NoHome)?;
            paths.push(home.join(".kube").join("config"));
        }
        Ok(Self(paths))
    }

    /// Returns the files.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }

    /// Returns the index of the file for new entries: the first that exists, else the last.
    pub(super) fn index_for_new(&self) -> usize {
        let existing = self.0.iter().position(|path| path.exists());
        existing.unwrap_or(self.0.len().saturating_sub(1))
    }
}
