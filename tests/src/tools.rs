//! Third-party programs that the end-to-end tests run.

use std::env;
use std::path::PathBuf;

/// A program whose path is in an environment variable, or which is on `PATH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The name of the program.
    pub name: &'static str,
    /// The environment variable with the path of the program. `cargo xtask test` sets the variable.
    pub variable: &'static str,
}

/// The Kubernetes API server.
pub const KUBE_APISERVER: Tool = Tool::new("kube-apiserver", "ACK_RAM_KUBE_APISERVER");
/// The store of the API server.
pub const ETCD: Tool = Tool::new("etcd", "ACK_RAM_ETCD");
/// The command-line client of Kubernetes.
pub const KUBECTL: Tool = Tool::new("kubectl", "ACK_RAM_KUBECTL");
/// The browser for the token inspector.
pub const CHROMIUM: Tool = Tool::new("chromium", "ACK_RAM_CHROMIUM");
/// The checker of Prometheus rules.
pub const PROMTOOL: Tool = Tool::new("promtool", "ACK_RAM_PROMTOOL");
/// The Envoy proxy.
pub const ENVOY: Tool = Tool::new("envoy", "ACK_RAM_ENVOY");
/// The nginx web server.
pub const NGINX: Tool = Tool::new("nginx", "ACK_RAM_NGINX");
/// The Caddy web server.
pub const CADDY: Tool = Tool::new("caddy", "ACK_RAM_CADDY");

impl Tool {
    const fn new(name: &'static str, variable: &'static str) -> Self {
        Self { name, variable }
    }

    /// Returns the path of the program.
    ///
    /// # Panics
    /// If the program is not found: a test that needs it must not pass without it.
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
