//! The set-up of a cluster by an administrator, for servers that read mappings from the cluster.

use std::path::Path;

use ack_ram_core::sign::AccessKey;

use super::{Cluster, ExecPlugin};
use crate::authenticator;
use crate::eventually::block_until;

/// The API path of `RAMIdentityMapping` objects.
pub const MAPPINGS: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";

impl Cluster {
    /// Applies the file `name` in `deploy/`.
    ///
    /// # Panics
    /// If the API server refuses the file.
    pub fn apply_deploy(&self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let file = file.join(name);
        let applied = self.admin_kubectl(&["apply", "--filename", &file.to_string_lossy()]);
        assert!(applied.success, "{name}: {}", applied.stderr);
    }

    /// Applies the CRD of mappings, and waits until the API server serves mappings.
    ///
    /// # Panics
    /// If the API server does not serve mappings in time.
    pub fn apply_definition(&self) {
        self.apply_deploy("ramidentitymapping.yaml");
        let definition = "crd/ramidentitymappings.ramauthenticator.k8s.alibabacloud";
        let established = ["--for=condition=Established", "--timeout=60s", definition];
        let waited = self.admin_kubectl(&[&["wait"], &established[..]].concat());
        assert!(waited.success, "{}", waited.stderr);
        // The condition becomes true shortly before the API server serves the objects.
        let api = self.api();
        block_until("the definition", || match api.get(MAPPINGS) {
            answer if answer.status == 200 => Ok(()),
            answer => Err(format!("{answer:?}")),
        });
    }

    /// Creates a token of the servers' service account, which `deploy/example.yaml` defines.
    ///
    /// # Panics
    /// If the account does not exist.
    #[must_use]
    pub fn create_service_account_token(&self) -> String {
        let token = self.admin_kubectl(&[
            "create",
            "token",
            "--namespace=kube-system",
            "--duration=10h",
            "ack-ram-authenticator",
        ]);
        assert!(token.success, "{}", token.stderr);
        token.stdout.trim().to_owned()
    }
}

impl ExecPlugin {
    /// Builds a plugin that runs the binary with `args` and with `key` in its environment.
    #[must_use]
    pub fn authenticator(key: &AccessKey, args: &[&str], api_version: &'static str) -> Self {
        let variable =
            |name: &str, value: &str| (format!("ALIBABA_CLOUD_{name}"), value.to_owned());
        let mut env = vec![
            variable("ACCESS_KEY_ID", key.id.as_str()),
            variable("ACCESS_KEY_SECRET", key.secret.expose()),
        ];
        if let Some(token) = &key.security_token {
            env.push(variable("SECURITY_TOKEN", token.expose()));
        }
        Self {
            command: authenticator::binary(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env,
            api_version,
        }
    }
}
