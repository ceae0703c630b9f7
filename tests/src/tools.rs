//! Programs of others that the end-to-end tests run.

use std::env;
use std::path::PathBuf;

/// A program that is found by an environment variable or on `PATH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The program's name.
    pub name: &'static str,
    /// The environment variable that holds its path; `cargo xtask test` sets it.
    pub variable: &'static str,
}

/// Kubernetes' API server.
pub const KUBE_APISERVER: Tool = Tool::new("kube-apiserver", "ACK_RAM_KUBE_APISERVER");
/// The store behind it.
pub const ETCD: Tool = Tool::new("etcd", "ACK_RAM_ETCD");
/// Kubernetes' client.
pub const KUBECTL: Tool = Tool::new("kubectl", "ACK_RAM_KUBECTL");
/// A browser.
pub const CHROMIUM: Tool = Tool::new("chromium", "ACK_RAM_CHROMIUM");
/// Prometheus' reader of rules.
pub const PROMTOOL: Tool = Tool::new("promtool", "ACK_RAM_PROMTOOL");
/// A proxy.
pub const ENVOY: Tool = Tool::new("envoy", "ACK_RAM_ENVOY");
/// Another.
pub const NGINX: Tool = Tool::new("nginx", "ACK_RAM_NGINX");
/// A third.
pub const CADDY: Tool = Tool::new("caddy", "ACK_RAM_CADDY");

impl Tool {
    const fn new(name: &'static str, variable: &'static str) -> Self {
        Self { name, variable }
    }

    /// Where the program is.
    ///
    /// # Panics
    /// When it is nowhere: a test that needs it must not pass without it.
    pub fn path(&self) -> PathBuf {
        let named = env::var_os(self.variable).map(PathBuf::from);
        let on_path = || {
            env::split_paths(&env::var_os("PATH")?)
                .map(|folder| folder.join(self.name))
                .find(|candidate| candidate.is_file())
        };
        named.or_else(on_path).unwrap_or_else(|| {
            let Self { name, variable } = self;
            panic!("`{name}` is not on PATH and {variable} is not set: run `cargo xtask test`")
        })
    }
}
