//! The configuration file of a server under test.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::callers::CLUSTER;
use crate::merge_patch;
use crate::sts::Emulator;

/// The configuration of a server whose files are in one folder.
#[derive(Debug)]
pub struct ServerConfig {
    folder: PathBuf,
    config: Value,
}

impl ServerConfig {
    /// Builds the smallest configuration of a server on `port` with its files in `folder`.
    ///
    /// The state directory is `state`, the generated kubeconfig is `webhook.kubeconfig`, and there is no health port.
    #[must_use]
    pub fn new(folder: &Path, port: u16) -> Self {
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.join("state"),
                "generateKubeconfig": folder.join("webhook.kubeconfig"),
            },
        });
        Self {
            folder: folder.to_owned(),
            config,
        }
    }

    /// Sets `server.sts` to `sts`, and writes its CA to `sts-ca.pem`. The timeouts are so long that no call times out
    /// on a slow machine.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn sts(mut self, sts: &Emulator) -> Self {
        let ca = self.folder.join("sts-ca.pem");
        fs::write(&ca, sts.ca_pem()).expect("the folder can be written");
        self.config["server"]["sts"] = sts.settings(&ca);
        self
    }

    /// Merges `settings` into `server`: objects member by member, and `null` removes a member.
    #[must_use]
    pub fn settings(mut self, settings: &Value) -> Self {
        merge_patch::apply(&mut self.config["server"], settings);
        self
    }

    /// Writes `config.yaml`, and returns its path.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn write(self) -> PathBuf {
        self.write_as("config.yaml")
    }

    /// Writes the configuration to the file `name`, and returns its path.
    ///
    /// # Panics
    /// If the folder cannot be written.
    #[must_use]
    pub fn write_as(self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, self.config.to_string()).expect("the folder can be written");
        path
    }
}
